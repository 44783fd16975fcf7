"""The JWTs of an OpenID Connect issuer, checked with its published keys.

Keys are fetched by discovery when the first token comes, again every ten minutes, and when a token
names a key that is not known: that is how an issuer rotates them. While the issuer cannot be
reached, keys that were fetched stay good for a day, so that its outage locks nobody out.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final, Never

import jwt
import structlog

from daylily_runtime.access.directory import NAME_BYTES
from daylily_runtime.access.errors import IssuerUnavailableError, UnauthenticatedError
from daylily_runtime.access.roles import Identity, Role
from daylily_runtime.clock import Clock
from daylily_runtime.settings import is_trusted

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Signatures with published keys alone: with a shared secret or none, a caller could make its own.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
FRESH_SECONDS: Final = 600.0
GOOD_SECONDS: Final = 86_400.0
# A caller that invents key ids must not make this server ask its issuer over and over.
LEAST_PAUSE_SECONDS: Final = 5.0
LEEWAY_SECONDS: Final = 30.0
_FETCH_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1024 * 1024

Document = Mapping[str, Any]
Fetch = Callable[[str], Document]


class IssuerError(Exception):
    """The issuer did not answer with what it should."""


@dataclass(frozen=True)
class OidcSettings:
    """What is expected of a token.

    Attributes:
        issuer: its `iss`, and where discovery is.
        audience: has to be in its `aud`.
        role_claim: the claim that names a role, or several words of which some stand for roles.
        roles: from a word in that claim to a role; the roles' own names stand for themselves.
    """

    issuer: str
    audience: str
    role_claim: str
    roles: Mapping[str, Role]


class Issuer:
    """Checks tokens. Safe to share between calls; at most one fetch is under way.

    Args:
        settings: see `OidcSettings`.
        clock: how old keys are.
        fetch: reads a JSON document; blocking. Raises IssuerError.
    """

    def __init__(self, settings: OidcSettings, clock: Clock, fetch: Fetch | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._fetch = fetch or fetch_json
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def claims(self, token: str) -> Document:
        """The claims of a token that is good.

        Raises:
            UnauthenticatedError: it is not.
            IssuerUnavailableError: there are no keys to check it with.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise UnauthenticatedError("The bearer token is no JWT.") from None
        if header.get("alg") not in ALGORITHMS:
            raise UnauthenticatedError("The token is signed in a way that is not accepted.")
        key = await self._key(str(header.get("kid", "")))
        try:
            claims: Document = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            _refuse(error)
        except (TypeError, ValueError):  # a key of another kind than the signature
            raise UnauthenticatedError("The token's signature is not that of its issuer.") from None
        return claims

    def identity(self, claims: Document) -> Identity | None:
        """Who the claims stand for by themselves; None when they name no role."""
        roles = [
            role
            for word in _words(claims.get(self.settings.role_claim))
            if (role := self._role(word))
        ]
        if not roles:
            return None
        # Of several, the one that may most; services are told apart from people by having no other.
        highest = max(roles, key=lambda role: (role is not Role.SERVICE, list(Role).index(role)))
        return Identity(name_of(claims), highest)

    def name(self, claims: Document) -> str:
        """How an audit trail calls the bearer; see `name_of`."""
        return name_of(claims)

    def _role(self, word: str) -> Role | None:
        if word in self.settings.roles:
            return self.settings.roles[word]
        return Role(word) if word in set(Role) else None

    async def _key(self, kid: str) -> jwt.PyJWK:
        now = self._clock.monotonic()
        known = self._named(kid)
        if known is None or self._fetched_at is None or now - self._fetched_at > FRESH_SECONDS:
            await self._refresh(kid)
            known = self._named(kid)
        if self._fetched_at is None or self._clock.monotonic() - self._fetched_at > GOOD_SECONDS:
            raise IssuerUnavailableError(
                "The issuer of tokens does not answer, so yours cannot be checked.",
                retry_after=LEAST_PAUSE_SECONDS,
            )
        if known is None:
            raise UnauthenticatedError("The token is signed with a key that its issuer has not.")
        return known

    def _named(self, kid: str) -> jwt.PyJWK | None:
        """The key of this id; the only one for a token that names none."""
        if not kid and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            now = self._clock.monotonic()
            fresh = self._fetched_at is not None and now - self._fetched_at <= FRESH_SECONDS
            if fresh and self._named(kid) is not None:
                return  # another call fetched it while this one waited
            if self._tried_at is not None and now - self._tried_at < LEAST_PAUSE_SECONDS:
                return
            self._tried_at = now
            try:
                self._keys = await asyncio.to_thread(self._published)
            except IssuerError as error:
                _log.warning("issuer_keys_not_fetched", error=str(error))
                return
            self._fetched_at = self._clock.monotonic()
            _log.info("issuer_keys_fetched", count=len(self._keys))

    def _published(self) -> dict[str, jwt.PyJWK]:
        issuer = self.settings.issuer
        found = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise IssuerError("discovery speaks of another issuer")
        address = found.get("jwks_uri")
        if not isinstance(address, str) or not is_trusted(address):
            raise IssuerError("discovery names no jwks_uri with https")
        published = self._fetch(address).get("keys")
        keys = {}
        for entry in published if isinstance(published, list) else ():
            try:
                key = jwt.PyJWK(entry)
            except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
                continue  # of a kind that is not known here
            if key.key_type != "oct" and entry.get("use", "sig") == "sig":
                keys[key.key_id or ""] = key
        if not keys:
            raise IssuerError("no key was published that can be used")
        return keys


def name_of(claims: Document) -> str:
    """How an audit trail calls the bearer: the subject, where that is a name.

    Raises:
        UnauthenticatedError: it is none.
    """
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= NAME_BYTES
        or not all("!" <= character <= "~" and character != "/" for character in subject)
    ):
        raise UnauthenticatedError(
            f"The token's subject is no name of 1 to {NAME_BYTES} printable characters."
        )
    return subject


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead from https to anywhere."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def fetch_json(address: str) -> Document:
    """The JSON object at an address that `is_trusted`.

    Raises:
        IssuerError: there is none.
    """
    try:
        with _opener.open(address, timeout=_FETCH_SECONDS) as answer:
            document = json.loads(answer.read(_MOST_BYTES))
    except (OSError, HTTPException, ValueError, urllib.error.URLError) as error:
        raise IssuerError(f"{address} does not answer as it should: {error}") from error
    if not isinstance(document, dict):
        raise IssuerError(f"{address} does not answer with an object")
    return document


def _refuse(error: jwt.PyJWTError) -> Never:
    """Say what is wrong in words of our own: the library's may quote the token."""
    said = "The token is not good."
    for kind, words in (
        (jwt.ExpiredSignatureError, "The token has expired."),
        (jwt.ImmatureSignatureError, "The token is not good yet."),
        (jwt.InvalidAudienceError, "The token is meant for somebody else: wrong audience."),
        (jwt.InvalidIssuerError, "The token comes from another issuer."),
        (jwt.MissingRequiredClaimError, "The token lacks one of exp, iss, aud, sub."),
        (jwt.InvalidSignatureError, "The token's signature is not that of its issuer."),
    ):
        if isinstance(error, kind):
            said = words
            break
    raise UnauthenticatedError(said) from None


def _words(claim: object) -> list[str]:
    if isinstance(claim, str):
        return claim.split()
    if isinstance(claim, list):
        return [word for word in claim if isinstance(word, str)]
    return []
