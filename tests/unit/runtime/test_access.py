"""Roles, rules, the file of identities, tokens and limits, without a server."""

import stat
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_runtime.access import MAY, SERVICES_ONLY, Identity, Role, Rule, why_not
from daylily_runtime.access.directory import IdentitiesError, parse_directory, read_directory
from daylily_runtime.access.limits import CallRate, OpenStreams
from daylily_runtime.access.new_token import main
from daylily_runtime.access.tokens import hash_of, is_hash, new_token
from daylily_runtime.access.watched import WatchedFile

HASH = hash_of("a")


async def may(rule, role):
    return await why_not(rule, Identity("x", role), object()) == MAY


@pytest.mark.parametrize(
    ("rule", "who"),
    [
        (Rule(Role.VIEWER), {"viewer", "monitor", "operator", "admin"}),
        (Rule(Role.VIEWER, service=True), {"viewer", "monitor", "operator", "admin", "service"}),
        (Rule(Role.MONITOR), {"monitor", "operator", "admin"}),
        (Rule(Role.OPERATOR), {"operator", "admin"}),
        (Rule(Role.ADMIN), {"admin"}),
        (SERVICES_ONLY, {"admin", "service"}),
    ],
)
async def test_each_role_may_what_those_before_it_may_and_services_what_is_said(rule, who):
    assert {role.value for role in Role if await may(rule, role)} == who


async def test_content_is_judged_for_all_but_admins():
    rule = Rule(Role.VIEWER, service=True, judge=lambda _, identity: f"not {identity.name}")
    assert [role.value for role in Role if await may(rule, role)] == ["admin"]


async def test_what_has_to_be_read_is_read_last():
    async def never(_request, _identity):
        raise AssertionError

    assert not await may(Rule(Role.VIEWER, judge=lambda *_: "no", guard=never), Role.VIEWER)
    assert not await may(Rule(Role.OPERATOR, guard=never), Role.VIEWER)


def test_a_name_is_ones_own_or_begins_as_the_limits_say():
    monitor = Identity("c1", Role.MONITOR, {"owners": ("monitor@c1-", "")})
    assert monitor.goes_by("c1", "owners")
    assert monitor.goes_by("monitor@c1-head", "owners")
    assert not monitor.goes_by("monitor@c2", "owners")
    assert not monitor.goes_by("c11", "owners")
    assert not monitor.goes_by("", "owners")
    assert not monitor.goes_by("anything", "others")


# --- tokens ---


def test_tokens_are_long_random_and_recognisable():
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(token.startswith("dlt_") and len(token) == 47 for token in tokens)


@given(st.text())
def test_everything_has_a_hash(text):
    assert is_hash(hash_of(text))
    assert not is_hash(text)


def test_the_command_shows_a_token_and_its_hash(capsys):
    assert main([]) == 0
    token, line = capsys.readouterr().out.splitlines()
    assert line == f"hash:  {hash_of(token.removeprefix('token: '))}"


def test_the_command_writes_a_token_that_only_its_owner_reads(tmp_path, capsys):
    path = tmp_path / "token"
    assert main([str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    out = capsys.readouterr().out
    assert path.read_text().strip() not in out
    assert hash_of(path.read_text().strip()) in out
    assert main([str(path)]) == 1  # what is there is not written over
    assert "exists" in capsys.readouterr().err
    assert main(["--help"]) == 2


# --- the file ---


def test_the_file_says_who_is_who():
    directory = parse_directory(
        f"""
        identities:
          - name: c1
            role: monitor
            tokens: ["{HASH}", "{hash_of("b")}"]
            certificates: [CN=c1.lab, SAN=spiffe://lab/c1]
            subjects: ["4711"]
            limits: {{clusters: [c1, c2], owners: [monitor@c1]}}
          - name: vera
            role: viewer
        """
    )
    c1 = directory.of_token("a")
    assert c1 == Identity("c1", Role.MONITOR, {"clusters": ("c1", "c2"), "owners": ("monitor@c1",)})
    assert directory.of_token("b") is c1
    assert directory.of_token(HASH) is None
    assert directory.of_certificate(["c1.lab"], []) is c1
    assert directory.of_certificate([], ["localhost", "spiffe://lab/c1"]) is c1
    assert directory.of_certificate(["spiffe://lab/c1"], ["c1.lab"]) is None
    assert directory.of_subject("4711") is c1
    assert HASH not in repr(directory)


SECRET = "my-plain-secret"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the document"),
        ("identities: x", "identities: "),
        ("people: []", "people: "),
        ("identities: [{name: a}]", "identities.0.role"),
        (f"identities: [{{name: a, role: {SECRET}}}]", "identities.0.role"),
        (f"identities: [{{name: '{SECRET} b', role: viewer}}]", "identities.0.name"),
        ("identities: [{name: a/b, role: viewer}]", "identities.0.name"),
        (f"identities: [{{name: {'a' * 65}, role: viewer}}]", "identities.0.name"),
        (f"identities: [{{name: a, role: viewer, tokens: [{SECRET}]}}]", "tokens.0: not sha256"),
        (f"identities: [{{name: a, role: viewer, token: {SECRET}}}]", "identities.0.token"),
        ("identities: [{name: a, role: viewer, certificates: [a]}]", "CN="),
        ("identities: [{name: a, role: viewer}, {name: a, role: viewer}]", "a is there twice"),
        (
            (
                f"identities: [{{name: a, role: viewer, tokens: ['{HASH}']}},"
                f" {{name: b, role: admin, tokens: ['{HASH}']}}]"
            ),
            "b has a token",
        ),
        (f"identities: [{{name: {'s' * 25}, role: service}}]", "24 characters"),
        (f"identities: [\n  {SECRET}: {{", "line 2 is no YAML"),
        ("\x00", "no YAML"),
        ("[" * 5000, "no YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_place_and_shows_no_secret(text, said):
    with pytest.raises(IdentitiesError) as error:
        parse_directory(text)
    assert said in str(error.value)
    assert SECRET not in str(error.value)
    assert HASH not in str(error.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("binary", "missing"):
        with pytest.raises(IdentitiesError, match="cannot be read"):
            read_directory(tmp_path / name)


async def test_a_file_is_read_again_only_when_it_changed(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    reads = []

    def read(where):
        reads.append(where)
        text = where.read_text()
        if text == "wrong":
            raise IdentitiesError(text)
        return text

    watched = WatchedFile(path, read, IdentitiesError)
    await watched.look()
    assert (watched.value, len(reads)) == ("one", 1)
    path.write_text("two and more")
    await watched.look()
    assert (watched.value, len(reads)) == ("two and more", 2)
    path.write_text("wrong")
    await watched.look()
    await watched.look()
    assert (watched.value, len(reads)) == ("two and more", 3)


# --- limits ---


def test_calls_are_limited_by_the_second_with_a_burst():
    rate = CallRate(10)
    assert [rate.take("a", 100.0) for _ in range(20)] == [0.0] * 20
    assert rate.take("a", 100.0) == pytest.approx(0.1)
    assert rate.take("b", 100.0) == 0
    assert rate.take("a", 100.125) == 0
    assert rate.take("a", 100.125) > 0
    assert [rate.take("a", 1000.0) for _ in range(20)] == [0.0] * 20
    assert rate.take("a", 1000.0) > 0


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 10).map(lambda x: round(x, 3)), max_size=200))
def test_no_more_calls_get_through_than_the_rate_and_a_burst(most, pauses):
    rate, now, through = CallRate(most), 0.0, 0
    for pause in pauses:
        now += pause
        through += rate.take("a", now) == 0
    assert through <= now * most + max(2 * most, 1) + 1e-6


def test_a_wait_that_was_kept_is_long_enough():
    rate = CallRate(3)
    now = 0.0
    while (wait := rate.take("a", now)) == 0:
        pass
    assert rate.take("a", now + wait + timedelta(microseconds=1).total_seconds()) == 0


def test_streams_are_limited_at_a_time():
    streams = OpenStreams(2)
    assert streams.enter("a")
    assert streams.enter("a")
    assert not streams.enter("a")
    assert streams.enter("b")
    streams.leave("a")
    assert streams.enter("a")
