"""Requests that Schemathesis makes from an OpenAPI document, and what is wrong with the answers.

Half of the names and texts that it makes up are exchanged for those of things that are there, so that
requests get as far as the services' own rules. `ask_everything` is to run in a process of its own:
making requests up takes the processor from services that run beside it.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

ANSWER_SECONDS: Final = 20
# A service that was starved for a moment says so with a 503; it is asked again for so long.
AWAY_SECONDS: Final = 15.0
TOO_LARGE: Final = 413
AWAY: Final = 503

_Case: TypeAlias = "Case[Any]"
There: TypeAlias = Mapping[str, Sequence[Any]]
"""Values that a parameter or a field of this name may have."""


@dataclass
class Answers:
    """How many answers had which status, and the requests whose answers are faults."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def ask_everything(
    address: str, there: There, *, examples: int, endless: Sequence[str] = ()
) -> Answers:
    """Asks each operation of the document at `address`, the same at every run.

    Args:
        address: of the server, such as http://127.0.0.1:8000.
        there: what exists.
        examples: requests as the document allows them for each operation, and as many others.
        endless: paths whose answers have no end; of those the status alone is read.
    """
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    answers = Answers()
    with requests.Session() as session:
        caller = _Caller(address, session, there, endless, answers)
        for found in schema.get_all_operations():
            if isinstance(found, Err):
                raise found.err()
            for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
                caller.ask(found.ok().as_strategy(generation_mode=mode), mode, examples)
    return answers


@dataclass
class _Caller:
    address: str
    session: requests.Session
    there: There
    endless: Sequence[str]
    answers: Answers

    def ask(self, cases: st.SearchStrategy[_Case], mode: GenerationMode, examples: int) -> None:
        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases, st.data())
        def run(case: _Case, data: st.DataObject) -> None:
            if mode is GenerationMode.POSITIVE:
                self.exchange(case, data)
            self.call(case)

        try:
            run()
        except Unsatisfiable:
            if mode is GenerationMode.POSITIVE:
                raise  # nothing can be wrong only where nothing is given

    def exchange(self, case: _Case, data: st.DataObject) -> None:
        """Every value with a name from `there`, or each other one, becomes one that is there."""
        every = data.draw(st.booleans())
        for values in (case.path_parameters, case.query, case.body):
            if isinstance(values, dict):
                for name in [name for name in self.there if name in values]:
                    if every or data.draw(st.booleans()):
                        values[name] = data.draw(st.sampled_from(self.there[name]))

    def call(self, case: _Case) -> None:
        give_up = time.monotonic() + AWAY_SECONDS
        while True:
            status, said, faults = self.once(case)
            if status != AWAY or time.monotonic() > give_up:
                break
            time.sleep(0.2)
        self.answers.statuses[status] += 1
        self.answers.faults += [
            f"{case.as_curl_command()}\n{status} {said}\n{fault}" for fault in faults
        ]

    def once(self, case: _Case) -> tuple[int, str, Sequence[object]]:
        if case.operation.path in self.endless:
            arguments = case.as_transport_kwargs(base_url=self.address)
            with self.session.request(**arguments, stream=True, timeout=ANSWER_SECONDS) as begun:
                status = begun.status_code
            return status, "", [] if status < 500 else ["a fault of the server"]
        response = case.call(session=self.session, timeout=ANSWER_SECONDS)
        # A text may be what the document allows and not what a service takes: its to say.
        unchecked: list[CheckFunction] = [positive_data_acceptance]
        if response.status_code == TOO_LARGE:
            unchecked.append(negative_data_rejection)  # which does not take it for a refusal
        faults: Sequence[object] = []
        try:
            case.validate_response(response, excluded_checks=unchecked)
        except BaseExceptionGroup as group:
            faults = group.exceptions
        return response.status_code, response.text, faults
