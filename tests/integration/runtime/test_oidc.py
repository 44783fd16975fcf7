"""Callers with the tokens of an OpenID Connect issuer, which is a real one on this machine."""

import base64
import hmac
import json
import time
from contextlib import asynccontextmanager

import grpc
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from daylily_runtime import running
from daylily_runtime.access import Role
from daylily_runtime.access.errors import IssuerUnavailableError, UnauthenticatedError
from daylily_runtime.access.oidc import (
    FRESH_SECONDS,
    GOOD_SECONDS,
    LEAST_PAUSE_SECONDS,
    Issuer,
    OidcSettings,
)
from daylily_runtime.testing import ManualClock
from tests.integration.runtime.echo_service import Echo, connected, echo_server, refused
from tests.support.issuer import AUDIENCE, issuing


@pytest.fixture
def issuer():
    with issuing() as made:
        yield made


@asynccontextmanager
async def guarded(issuer, **settings):
    server = echo_server(Echo(), oidc_issuer=issuer.url, oidc_audience=AUDIENCE, **settings)
    async with running(server), connected(server) as client:
        yield client


def bearing(token):
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def checker(issuer, clock):
    return Issuer(OidcSettings(issuer.url, AUDIENCE, "daylily_role", {}), clock)


async def test_a_token_of_the_issuer_lets_in_with_the_role_of_its_claim(issuer):
    async with guarded(issuer) as client:
        assert await client.get(b"actor", metadata=bearing(issuer.token())) == b"ada"
        assert await client.get(b"force", metadata=bearing(issuer.token())) == b"force"
        viewer = issuer.token(sub="vera", daylily_role="viewer")
        refusal = await refused(client.get(b"hi", metadata=bearing(viewer)))
        assert refusal.code == grpc.StatusCode.PERMISSION_DENIED
        assert refusal.info.metadata["identity"] == "vera"


async def test_a_group_may_stand_for_a_role(issuer):
    roles = {"lab-staff": "viewer", "lab-leads": "operator"}
    async with guarded(issuer, oidc_role_claim="groups", oidc_roles=roles) as client:
        lead = issuer.token(groups=["everybody", "lab-staff", "lab-leads"])
        assert await client.get(b"force", metadata=bearing(lead)) == b"force"
        staff = issuer.token(groups=["everybody", "lab-staff"])
        assert (await refused(client.get(b"hi", metadata=bearing(staff)))).message.endswith(
            "it takes a monitor."
        )
        stranger = issuer.token(groups=["everybody"])
        refusal = await refused(client.get(b"hi", metadata=bearing(stranger)))
        assert refusal.code == grpc.StatusCode.PERMISSION_DENIED
        assert "no role" in refusal.message


async def test_the_file_may_know_the_subject_better_than_the_claim(issuer, tmp_path):
    file = tmp_path / "identities.yaml"
    known = {"name": "c1", "role": "monitor", "subjects": ["ada"], "limits": {"clusters": ["c1"]}}
    file.write_text(yaml.safe_dump({"identities": [known]}))
    async with guarded(issuer, identities=file) as client:
        metadata = bearing(issuer.token(daylily_role="admin"))
        assert await client.get(b"actor", metadata=metadata) == b"c1"
        refusal = await refused(client.get(b"cluster c2", metadata=metadata))
        assert refusal.code == grpc.StatusCode.PERMISSION_DENIED


def part(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def made_by_hand(issuer, algorithm):
    claims = {
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": "eve",
        "exp": int(time.time()) + 300,
        "daylily_role": "admin",
    }
    return f"{part({'alg': algorithm, 'kid': 'k1'})}.{part(claims)}"


def unsigned(issuer):
    return f"{made_by_hand(issuer, 'none')}."


def signed_with_the_public_key(issuer):
    """What a server falls for that lets the token choose how it is checked."""
    public = issuer.keys["k1"].public_key()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    content = made_by_hand(issuer, "HS256")
    return f"{content}.{part(hmac.digest(der, content.encode(), 'sha256'))}"


BAD = {
    "expired": (lambda i: i.token(exp=int(time.time()) - 60), "expired"),
    "not yet": (lambda i: i.token(nbf=int(time.time()) + 600), "not good yet"),
    "audience": (lambda i: i.token(aud="another"), "audience"),
    "issuer": (lambda i: i.token(iss="http://evil.example"), "another issuer"),
    "no end": (lambda i: i.token(exp=None), "lacks"),
    "no subject": (lambda i: i.token(sub=None), "lacks"),
    "strange subject": (lambda i: i.token(sub="a b/c"), "subject"),
    "long subject": (lambda i: i.token(sub="a" * 65), "subject"),
    "another's key": (
        lambda i: i.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "signature",
    ),
    "unknown key": (
        lambda i: i.token(
            kid="k9", key=rsa.generate_private_key(public_exponent=65537, key_size=2048)
        ),
        "key",
    ),
    "no signature": (unsigned, "signed in a way"),
    "a shared secret": (signed_with_the_public_key, "signed in a way"),
    "changed": (lambda i: i.token()[:-8] + "AAAAAAAA", "signature"),
    "no JWT": (lambda _: "a.b.c", "no JWT"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_token_that_is_not_good_is_refused_with_a_reason(issuer, case):
    make, said = BAD[case]
    async with guarded(issuer) as client:
        token = make(issuer)
        refusal = await refused(client.get(b"hi", metadata=bearing(token)))
        assert refusal.code == grpc.StatusCode.UNAUTHENTICATED
        assert said in refusal.message
        assert token not in refusal.message


async def test_keys_are_fetched_once_and_again_when_a_token_names_a_new_one(issuer, checker, clock):
    for _ in range(5):
        assert (await checker.claims(issuer.token()))["sub"] == "ada"
    assert issuer.fetches == 1
    old = issuer.token()
    issuer.rotate("k2", elliptic=True)
    clock.tick(LEAST_PAUSE_SECONDS)
    assert (await checker.claims(issuer.token()))["sub"] == "ada"
    assert issuer.fetches == 2
    with pytest.raises(UnauthenticatedError):
        await checker.claims(old)


async def test_a_token_without_a_key_id_is_checked_with_the_only_key(issuer, checker, clock):
    key = issuer.keys["k1"]
    token = jwt.encode(
        {"iss": issuer.url, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 60},
        key,
        algorithm="RS256",
    )
    assert (await checker.claims(token))["sub"] == "ada"
    issuer.keys["k2"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    clock.tick(FRESH_SECONDS + 1)
    with pytest.raises(UnauthenticatedError):
        await checker.claims(token)


async def test_a_key_that_is_not_published_any_more_is_good_for_ten_minutes(issuer, checker, clock):
    old = issuer.token()
    await checker.claims(old)
    issuer.rotate("k2")
    clock.tick(FRESH_SECONDS - 1)
    await checker.claims(old)
    clock.tick(2)
    with pytest.raises(UnauthenticatedError):
        await checker.claims(old)


async def test_invented_key_ids_do_not_make_it_ask_over_and_over(issuer, checker, clock):
    await checker.claims(issuer.token())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for number in range(20):
        with pytest.raises(UnauthenticatedError):
            await checker.claims(issuer.token(kid=f"x{number}", key=other))
    assert issuer.fetches == 1
    clock.tick(LEAST_PAUSE_SECONDS)
    with pytest.raises(UnauthenticatedError):
        await checker.claims(issuer.token(kid="x", key=other))
    assert issuer.fetches == 2


async def test_an_issuer_that_is_away_locks_out_nobody_for_a_day(issuer, checker, clock):
    issuer.down = True
    with pytest.raises(IssuerUnavailableError):
        await checker.claims(issuer.token())
    issuer.down = False
    clock.tick(LEAST_PAUSE_SECONDS)
    await checker.claims(issuer.token())
    issuer.down = True
    clock.tick(GOOD_SECONDS - 1)
    await checker.claims(issuer.token())
    clock.tick(LEAST_PAUSE_SECONDS + 1)
    with pytest.raises(IssuerUnavailableError) as error:
        await checker.claims(issuer.token())
    assert error.value.code == grpc.StatusCode.UNAVAILABLE
    assert error.value.retry_after


def test_of_several_roles_the_highest_counts(checker):
    assert checker.identity({"sub": "a", "daylily_role": ["viewer", "operator"]}).role is (
        Role.OPERATOR
    )
    assert checker.identity({"sub": "a", "daylily_role": "viewer service"}).role is Role.VIEWER
    assert checker.identity({"sub": "a", "daylily_role": 7}) is None
