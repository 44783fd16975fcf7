"""Linear: an issue for each trouble, through its GraphQL API (https://linear.app/developers/graphql)."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from daylily_notifier.channels.base import Delivered, RefusedError, refused
from daylily_notifier.channels.http import Http, HttpSettings, expect_success, web_address
from daylily_notifier.config.values import Duration, Secret, Section, Text
from daylily_notifier.domain.episodes import Act
from daylily_notifier.domain.message import Message

_TITLE = 250
_OVER = frozenset({"completed", "canceled", "duplicate"})
"""Types of a state in which nobody works on an issue any more."""

_FAULTS_OF_THE_MESSAGE = frozenset({"invalid input", "user error", "input_error"})
_THROTTLED = frozenset({"ratelimited"})

TEAM = """
query Team($key: String!, $labels: [String!]) {
  teams(filter: {key: {eq: $key}}) {
    nodes { id key states { nodes { id name type position } } }
  }
  issueLabels(filter: {name: {in: $labels}}) { nodes { id name team { key } } }
}"""
ISSUE = "query Issue($id: String!) { issue(id: $id) { id identifier url state { type } } }"
COMMENT = "query Comment($id: String!) { comment(id: $id) { id } }"
CREATE = """
mutation Create($input: IssueCreateInput!) {
  issueCreate(input: $input) { success issue { id identifier url } }
}"""
SAY = """
mutation Say($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { id } }
}"""
MOVE = """
mutation Move($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success issue { id identifier url } }
}"""


class LinearPriorities(Section):
    """Linear's priority (0 none, 1 urgent, 2 high, 3 medium, 4 low) for each of ours."""

    urgent: int = Field(default=1, ge=0, le=4)
    normal: int = Field(default=3, ge=0, le=4)
    low: int = Field(default=4, ge=0, le=4)

    def of(self, priority: str) -> int:
        return {"URGENT": self.urgent, "LOW": self.low}.get(priority, self.normal)


class LinearSettings(HttpSettings):
    """`kind: linear`. The key is a personal one or an OAuth token that may write."""

    tracks: ClassVar[bool] = True

    kind: Literal["linear"]
    api_key: Secret
    team: Text
    """Its key, the letters before an issue's number."""
    labels: list[Text] = Field(default_factory=list)
    """Names of labels that every issue gets; those that Linear does not have are left out."""
    priority: LinearPriorities = Field(default_factory=LinearPriorities)
    done_state: Text = ""
    """Where an issue goes that is over; the team's first completed state when not given."""
    url: Annotated[Text, AfterValidator(web_address)] = "https://api.linear.app/graphql"
    timeout: Duration = timedelta(seconds=15)
    """For all calls that one message takes."""

    def open(self, name: str) -> "LinearChannel":
        del name
        return LinearChannel(self)


@dataclass(frozen=True)
class _Team:
    team_id: str
    states: tuple[Mapping[str, Any], ...]
    label_ids: tuple[str, ...]

    def state(self, kind: str, name: str = "") -> str:
        """The id of the state with this name, or else of the first of this type; empty for none."""
        ordered = sorted(self.states, key=lambda state: float(state.get("position") or 0))
        named = [state for state in ordered if name and state.get("name") == name]
        typed = [state for state in ordered if state.get("type") == kind]
        return str((named or typed or [{"id": ""}])[0]["id"])


class _GraphQLError(Exception):
    """Linear answered, and the answer is that it did not."""

    def __init__(self, refusal: RefusedError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class LinearChannel:
    """Opens, comments on and closes one issue for each episode.

    The ids of issues and comments follow from what they are for. So a repeat, whoever sends it and
    whatever was lost before, finds what is there instead of making a second one.
    """

    def __init__(self, settings: LinearSettings) -> None:
        self._settings = settings
        self._http = Http(settings)
        key = settings.api_key.get_secret_value()
        self._headers = {"Authorization": key if key.startswith("lin_api_") else f"Bearer {key}"}
        self._team: _Team | None = None

    async def send(self, message: Message) -> Delivered:
        begun = time.monotonic()
        thread = message.thread
        key = message.dedup_key if thread is None else thread.key
        try:
            if thread is None or thread.act is Act.OPEN:
                issue = await self._opened(key, message)
            else:
                issue = await self._followed(key, message, thread.act)
        except _GraphQLError as error:
            self._team = None  # what it says about states and labels may have changed
            raise error.refusal from None
        return Delivered(
            ref=issue.get("url", ""),
            answer=issue.get("identifier", "the issue was deleted by somebody"),
            latency=timedelta(seconds=time.monotonic() - begun),
        )

    async def check(self) -> str:
        try:
            team = await self._known_team()
        except _GraphQLError as error:
            raise error.refusal from None
        missing = len(self._settings.labels) - len(team.label_ids)
        note = f", but lacks {missing} of the labels" if missing > 0 else ""
        return f"team {self._settings.team} is there{note}"

    async def close(self) -> None:
        await self._http.close()

    async def _opened(self, key: str, message: Message) -> Any:
        """The issue of this key, made if it is not there."""
        team = await self._known_team()
        given = {
            "id": client_id(key),
            "teamId": team.team_id,
            "title": _cut(message.subject),
            "description": description(message),
            "priority": self._settings.priority.of(message.attributes.get("priority", "")),
            "labelIds": list(team.label_ids),
        }
        try:
            return (await self._ask(CREATE, input=given))["issueCreate"]["issue"]
        except _GraphQLError:
            # The id is taken when the answer to an earlier attempt got lost.
            found = await self._issue(key)
            if found is None:
                raise
            return found

    async def _followed(self, key: str, message: Message, act: Act) -> Any:
        """The issue of this key, with what happened to it since."""
        issue = await self._issue(key)
        if issue is None:
            return {}  # nobody wants to hear of it any more
        await self._say(issue["id"], message)
        over = issue["state"]["type"] in _OVER
        if act is Act.CLOSE and not over:
            await self._move(issue["id"], "completed", self._settings.done_state)
        elif act is Act.AGAIN and over:
            await self._move(issue["id"], "unstarted", "")
        return issue

    async def _say(self, issue_id: str, message: Message) -> None:
        comment_id = client_id(f"comment {message.dedup_key}")
        given = {"id": comment_id, "issueId": issue_id, "body": description(message)}
        try:
            await self._ask(SAY, input=given)
        except _GraphQLError:
            if await self._found(COMMENT, "comment", comment_id) is None:
                raise

    async def _move(self, issue_id: str, kind: str, name: str) -> None:
        state_id = (await self._known_team()).state(kind, name)
        if state_id:
            await self._ask(MOVE, id=issue_id, input={"stateId": state_id})

    async def _issue(self, key: str) -> Any:
        return await self._found(ISSUE, "issue", client_id(key))

    async def _found(self, query: str, name: str, found_id: str) -> Any:
        """What has this id; None if nothing has."""
        try:
            return (await self._ask(query, id=found_id)).get(name)
        except _GraphQLError as error:
            if error.refusal.refusal.permanent or "not found" in str(error).lower():
                return None  # asking for an id that is not there is wrong input to Linear
            raise

    async def _known_team(self) -> _Team:
        if self._team is None:
            wanted = {"key": self._settings.team, "labels": list(self._settings.labels)}
            data = await self._ask(TEAM, **wanted)
            nodes = data["teams"]["nodes"]
            if not nodes:
                raise refused(f"Linear has no team {self._settings.team}")
            self._team = _Team(
                team_id=nodes[0]["id"],
                states=tuple(nodes[0]["states"]["nodes"]),
                label_ids=tuple(
                    label["id"]
                    for label in data["issueLabels"]["nodes"]
                    if label.get("team") is None or label["team"]["key"] == self._settings.team
                ),
            )
        return self._team

    async def _ask(self, query: str, **variables: Any) -> Any:
        """The `data` of an answer without errors.

        Raises:
            RefusedError: there was no answer of Linear's.
            _GraphQLError: it has errors.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = await self._http.post(self._settings.url, body, self._headers)
        data = answer.json()
        said = data if isinstance(data, dict) else {}
        if errors := said.get("errors"):
            raise _GraphQLError(_refusal(errors, answer.retry_after))
        expect_success(answer)
        if not isinstance(said.get("data"), dict):
            raise refused(f"the answer is not one of Linear: {answer.shown}")
        return said["data"]


def client_id(key: str) -> str:
    """The id of what is made for this key: a UUID of version 4 in form, as Linear asks for."""
    return str(UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))


def description(message: Message) -> str:
    """A message in Markdown."""
    if not message.facts:
        return _plain(message.body)
    lines = [f"- **{label}:** {_plain(text)}" for label, text in message.facts if label != "Page"]
    link = ["", f"[See it in Daylily]({message.url})"] if message.url else []
    return "\n".join([f"{_plain(message.subject)}.", "", *lines, *link])


def _plain(text: str) -> str:
    """`text` with what Markdown takes for markup, and no call to anybody by @."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text).replace("@", "@\u200b")


def _cut(text: str) -> str:
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"


def _refusal(errors: Any, retry_after: timedelta | None) -> RefusedError:
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    about = first.get("extensions") or {}
    kinds = {str(about.get("type", "")).lower(), str(about.get("code", "")).lower()}
    text = about.get("userPresentableMessage") or first.get("message") or str(errors)
    return refused(
        str(text)[:300],
        permanent=bool(kinds & _FAULTS_OF_THE_MESSAGE) and not kinds & _THROTTLED,
        retry_after=retry_after,
    )
