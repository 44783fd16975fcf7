"""A Linear of a few types: it parses and validates every query and refuses an id it has already."""

# ruff: noqa: A002 - the schema names the arguments

import json
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

from tests.support.places import Reply, Request

# The fields that are used, as Linear's public schema has them.
SCHEMA = build_schema("""
scalar DateTime
input StringComparator { eq: String  in: [String!] }
input TeamFilter { key: StringComparator }
input IssueLabelFilter { name: StringComparator }
type WorkflowState { id: ID! name: String! type: String! position: Float! }
type WorkflowStateConnection { nodes: [WorkflowState!]! }
type Team { id: ID! key: String! states: WorkflowStateConnection! }
type TeamConnection { nodes: [Team!]! }
type IssueLabel { id: ID! name: String! team: Team }
type IssueLabelConnection { nodes: [IssueLabel!]! }
type Issue {
  id: ID! identifier: String! url: String! title: String! description: String priority: Float!
  state: WorkflowState!
}
type Comment { id: ID! body: String! }
type Query {
  teams(filter: TeamFilter): TeamConnection!
  issueLabels(filter: IssueLabelFilter): IssueLabelConnection!
  issue(id: String!): Issue!
  comment(id: String): Comment!
}
input IssueCreateInput {
  id: String teamId: String! title: String description: String priority: Int labelIds: [String!]
}
input IssueUpdateInput { stateId: String }
input CommentCreateInput { id: String issueId: String body: String }
type IssuePayload { success: Boolean! issue: Issue }
type CommentPayload { success: Boolean! comment: Comment! }
type Mutation {
  issueCreate(input: IssueCreateInput!): IssuePayload!
  issueUpdate(id: String!, input: IssueUpdateInput!): IssuePayload!
  commentCreate(input: CommentCreateInput!): CommentPayload!
}
""")
STATES = {
    "s-todo": {"id": "s-todo", "name": "Todo", "type": "unstarted", "position": 1},
    "s-done": {"id": "s-done", "name": "Done", "type": "completed", "position": 3},
    "s-ship": {"id": "s-ship", "name": "Shipped", "type": "completed", "position": 4},
}


def refused(message: str, kind: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind, "userPresentableMessage": message})


@dataclass
class Linear:
    """One workspace with one team."""

    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, dict[str, Any]] = field(default_factory=dict)
    drops: list[bool] = field(default_factory=list)
    """For each request to come: whether its answer is dropped after it took effect."""

    def answer(self, request: Request) -> Reply:
        asked = request.json
        result = graphql_sync(
            SCHEMA, asked["query"], root_value=self, variable_values=asked["variables"]
        )
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        if self.drops and self.drops.pop(0):
            return Reply(drop=True)
        return Reply(400 if result.errors else 200, json.dumps(body))

    def teams(self, info, filter):
        known = filter["key"]["eq"] == "LAB"
        team = {"id": "t-1", "key": "LAB", "states": {"nodes": [*STATES.values()]}}
        return {"nodes": [team] if known else []}

    def issueLabels(self, info, filter):
        labels = [
            {"id": "l-1", "name": "daylily", "team": None},
            {"id": "l-2", "name": "daylily", "team": {"key": "OTHER"}},
        ]
        return {"nodes": [label for label in labels if label["name"] in filter["name"]["in"]]}

    def issue(self, info, id):
        if id not in self.issues:
            raise refused("Entity not found: Issue", "invalid input")
        return self.issues[id]

    def comment(self, info, id):
        if id not in self.comments:
            raise refused("Entity not found: Comment", "invalid input")
        return self.comments[id]

    def issueCreate(self, info, input):
        if input["id"] in self.issues:
            raise refused("Entity with this id exists", "invalid input")
        number = len(self.issues) + 1
        self.issues[input["id"]] = {
            **input,
            "identifier": f"LAB-{number}",
            "url": f"https://linear.app/lab/issue/LAB-{number}",
            "state": STATES["s-todo"],
        }
        return {"success": True, "issue": self.issues[input["id"]]}

    def issueUpdate(self, info, id, input):
        self.issues[id]["state"] = STATES[input["stateId"]]
        return {"success": True, "issue": self.issues[id]}

    def commentCreate(self, info, input):
        if input["id"] in self.comments:
            raise refused("Entity with this id exists", "invalid input")
        self.comments[input["id"]] = input
        return {"success": True, "comment": input}
