import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_state.domain.cursor import BEGINNING, decode, decode_page, encode, encode_page
from daylily_state.domain.errors import InvalidCursorError


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


positions = st.lists(st.integers(0, 2**40), min_size=16, max_size=16).map(tuple)


@given(positions)
def test_a_cursor_comes_back_as_it_was(position) -> None:
    assert decode(encode(position)) == position


@given(positions, st.data())
def test_a_cursor_with_a_changed_letter_is_refused(position, data) -> None:
    text = encode(position)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("AZaz09-_").filter(lambda other: other != text[at]))
    changed = text[:at] + letter + text[at + 1 :]
    same_bytes = _bytes(changed) == _bytes(text)  # the last letter has spare bits
    if not same_bytes:
        with pytest.raises(InvalidCursorError):
            decode(changed)


@given(st.text(max_size=60) | st.binary(max_size=60).map(_text))
def test_what_was_not_made_here_is_refused_and_never_crashes(text) -> None:
    with pytest.raises(InvalidCursorError):
        decode(text, field="start.cursor")


def test_a_cursor_is_short_enough_for_a_command_line() -> None:
    assert len(encode(BEGINNING)) < 40
    assert len(encode((2**31,) * 16)) < 120


def test_a_page_token_goes_on_where_the_page_ended() -> None:
    token = encode_page("ListWorksets state=READY", "123#ws-1")
    assert decode_page("ListWorksets state=READY", token) == "123#ws-1"


def test_the_end_and_the_beginning_of_a_list_have_no_token() -> None:
    assert encode_page("ListWorksets", None) == ""
    assert decode_page("ListWorksets", "") is None


@pytest.mark.parametrize("token", ["x", "ws-1", encode(BEGINNING)])
def test_a_page_token_of_another_kind_is_refused(token) -> None:
    with pytest.raises(InvalidCursorError) as refusal:
        decode_page("ListWorksets", token)
    assert refusal.value.metadata == {"field": "page_token"}


def test_a_page_token_of_other_filters_is_refused() -> None:
    token = encode_page("ListWorksets state=READY", "123")
    with pytest.raises(InvalidCursorError):
        decode_page("ListWorksets state=ERROR", token)
