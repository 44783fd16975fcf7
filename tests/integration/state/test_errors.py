"""The error table says what the contract says: each refusal its code and its reason."""

import re
from pathlib import Path

import grpc
import pytest
from daylily.workset.v1 import error_reason_pb2

from daylily_runtime import RuntimeReason
from daylily_state.api.errors import CODES, ERRORS
from daylily_state.domain import errors
from daylily_state.domain.errors import DomainError, InvalidFieldError, Violation

PROTO = Path(__file__).parents[3] / "protos/daylily/workset/v1/error_reason.proto"
OF_OTHER_SERVICES = {"CHANNEL_NOT_FOUND", "STATE_UNAVAILABLE"}


def promised() -> dict[str, tuple[str, bool]]:
    """Code and whether RetryInfo comes along, for each reason, from the proto's comments."""
    entries = re.findall(
        r"((?:^ +//.*\n)+) +ERROR_REASON_(\w+) = \d+;", PROTO.read_text(), re.MULTILINE
    )
    found = {}
    for comment, reason in entries:
        code, with_retry = re.match(r" +// ([A-Z_]+)(, with RetryInfo)?\.", comment).groups()
        found[reason] = code, bool(with_retry)
    return found


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not DomainError
         and issubclass(kind, DomainError)]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_has_the_code_that_the_contract_promises(kind):
    code, _ = promised()[kind.reason]
    assert CODES[kind] is grpc.StatusCode[code]


def test_every_reason_of_the_contract_is_known_and_no_other_is_given():
    given = {kind.reason for kind in KINDS} | {str(reason) for reason in RuntimeReason}
    names = {name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()}
    assert given | OF_OTHER_SERVICES == names - {"UNSPECIFIED"} == set(promised())


def test_one_reason_is_one_class():
    assert len({kind.reason for kind in KINDS}) == len(KINDS)


def test_a_violation_names_its_field_in_the_details():
    refusal = ERRORS.translate(InvalidFieldError([Violation("a.b", "is missing")]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [(each.field, each.description) for each in refusal.field_violations] == [
        ("a.b", "is missing")
    ]
