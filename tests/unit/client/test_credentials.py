"""What a client says of itself with each call: a token, a name, a request id."""

from dataclasses import replace
from pathlib import Path

import pytest

from daylily_client import AsyncStateClient, ClientOptions, FixedToken, StateClient, TokenFile
from daylily_client.calling import PreparedCall, call_metadata
from daylily_client.calls.state import REGISTER_WORKSET

OPTIONS = ClientOptions(actor="ada", token=FixedToken("t-1"))


def prepared(options, **fields):
    request = REGISTER_WORKSET.request(workset_id="ws-1", **fields)
    return PreparedCall(REGISTER_WORKSET, request, options, lambda: 0.0, lambda: 0.0)


def test_each_call_carries_token_actor_and_request_id():
    assert dict(call_metadata(OPTIONS, "r-1")) == {
        "authorization": "Bearer t-1",
        "x-daylily-actor": "ada",
        "x-request-id": "r-1",
    }
    assert "authorization" not in dict(call_metadata(ClientOptions(), "r-1"))


def test_a_service_says_for_whom_it_acts_where_there_is_somebody():
    whom = ["olga", ""]
    options = replace(OPTIONS, acting_for=lambda: whom.pop(0))
    assert dict(call_metadata(options, "r"))["x-daylily-actor"] == "olga"
    assert dict(call_metadata(options, "r"))["x-daylily-actor"] == "ada"


@pytest.mark.parametrize("given", ["\x00", "é", "a b", "r" * 200])
def test_a_request_id_that_no_header_can_carry_goes_in_the_request_alone(given):
    """gRPC would break off with an error of its own; the server says what is wrong with the field."""
    call = prepared(OPTIONS, request_id=given)
    assert call.request.request_id == given
    sent = dict(call.metadata)["x-request-id"]
    assert sent == call.request_id != given
    assert sent.isalnum()


def test_a_request_id_goes_in_the_header_too():
    call = prepared(OPTIONS, request_id="r-1")
    assert (call.request_id, dict(call.metadata)["x-request-id"]) == ("r-1", "r-1")


@pytest.mark.parametrize(
    ("actor", "sent"),
    [("Ada Lovelace", "Ada_Lovelace"), ("jürgen@lab", "j_rgen@lab"), ("a" * 100, "a" * 64)],
)
def test_a_name_is_sent_as_the_audit_trail_takes_it(actor, sent):
    assert dict(call_metadata(ClientOptions(actor=actor), "r"))["x-daylily-actor"] == sent


# --- tokens ---


def test_a_token_file_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "token"
    path.write_text("t-1\n")
    token = TokenFile(path)
    assert token() == "t-1"
    path.write_text("t-22\n")
    assert token() == "t-22"
    # In the moment of its replacement it may be empty, broken or away.
    for content in ("", "two words"):
        path.write_text(content)
        assert token() == "t-22"
    path.unlink()
    assert token() == "t-22"
    path.write_text("t-333")
    assert token() == "t-333"


@pytest.mark.parametrize("content", ["", "\n", "two words", "é"])
def test_a_file_without_a_token_is_refused_at_the_start(tmp_path, content):
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"token|ascii"):
        TokenFile(path)


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        TokenFile(tmp_path / "token")


def test_a_token_is_shown_to_nobody(tmp_path):
    path = tmp_path / "token"
    path.write_text("t-secret")
    for token in (FixedToken("t-secret"), TokenFile(path)):
        assert "t-secret" not in repr(ClientOptions(token=token))
    with pytest.raises(ValueError, match="printable") as error:
        FixedToken("my secret")
    assert "my secret" not in str(error.value)


@pytest.mark.parametrize(
    "address", ["state.lab:50051", "10.0.0.1:1", "127.0.0.1:1,10.0.0.1:1", "dns:///state:1"]
)
async def test_a_token_goes_to_another_machine_only_over_tls(address):
    for kind in (StateClient, AsyncStateClient):
        with pytest.raises(ValueError, match="only over TLS"):
            kind(address, OPTIONS)
    StateClient(
        address.partition(",")[2] or address, replace(OPTIONS, trusted_network=True)
    ).close()


@pytest.mark.parametrize(
    "address", ["localhost:1", "127.0.0.1:1,127.0.0.2:2", "[::1]:1", Path("/run/state.sock")]
)
def test_on_this_machine_it_may_go_in_plain_text(address):
    where = f"unix://{address}" if isinstance(address, Path) else address
    StateClient(where, OPTIONS).close()
