"""The file of identities: who may call, and by what they are recognised.

identities:
  - name: ada
    role: operator
    tokens: ["sha256:5e88…"]
  - name: c1
    role: monitor
    tokens: ["sha256:1f2e…"]
    certificates: ["CN=c1.lab", "SAN=spiffe://lab/c1"]
    limits: {clusters: [c1], owners: [monitor@c1-]}
  - name: grace
    role: admin
    subjects: ["248289761001"]
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from daylily_runtime.access.roles import Identity, Role
from daylily_runtime.access.tokens import hash_of, is_hash

NAME_BYTES: Final = 64
"""Longest name: it is what audit trails record."""
SERVICE_NAME_BYTES: Final = 24
"""Longest name of a service: it stands in front of the name it acts for."""
_NAME: Final = re.compile(r"[!-.0-~]+")  # printable, no slash: that parts a service from another


class IdentitiesError(Exception):
    """The file cannot be used. Says where it is wrong, and shows nothing of what it holds."""


@dataclass(frozen=True)
class Directory:
    """Identities by what proves them."""

    identities: tuple[Identity, ...] = ()
    by_hash: Mapping[str, Identity] = field(default_factory=dict, repr=False)
    by_certificate: Mapping[str, Identity] = field(default_factory=dict)
    by_subject: Mapping[str, Identity] = field(default_factory=dict)

    def of_token(self, token: str) -> Identity | None:
        """Whose token this is.

        How long it takes depends on the hash of what the caller sent, which the caller knows but
        cannot choose, and so tells nothing about the tokens that are kept: comparing hashes instead
        of the secrets themselves is what a comparison in constant time is for.
        """
        return self.by_hash.get(hash_of(token))

    def of_certificate(self, common_names: Iterable[str], others: Iterable[str]) -> Identity | None:
        """Whose certificate has one of these subject common names or alternative names."""
        names = [f"SAN={name}" for name in others] + [f"CN={name}" for name in common_names]
        return next(
            (found for name in names if (found := self.by_certificate.get(name)) is not None), None
        )

    def of_subject(self, subject: str) -> Identity | None:
        """Who the issuer calls `subject`."""
        return self.by_subject.get(subject)


def read_directory(path: Path) -> Directory:
    """The identities in a file.

    Raises:
        IdentitiesError: it cannot be read, or is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentitiesError(f"{path} cannot be read as text.") from error
    try:
        return parse_directory(text)
    except IdentitiesError as error:
        raise IdentitiesError(f"{path}: {error}") from None


def parse_directory(text: str) -> Directory:
    """The identities in a text.

    Raises:
        IdentitiesError: it is wrong.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        # The library's own words quote the line, and with it what should not be seen.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise IdentitiesError(f"line {line} is no YAML.") from None
    except (yaml.YAMLError, RecursionError):
        raise IdentitiesError("it is no YAML.") from None
    try:
        return _File.model_validate(document).directory()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in found["loc"]) or "the document"
        said = found["msg"].removeprefix("Value error, ")
        raise IdentitiesError(f"{where}: {said}.") from None


# --- the file ---


def _name(value: str) -> str:
    if len(value) > NAME_BYTES or not _NAME.fullmatch(value):
        raise ValueError(f"a name is 1 to {NAME_BYTES} printable characters, no space and no /")
    return value


def _hash(value: str) -> str:
    if not is_hash(value):
        raise ValueError(
            "not sha256: and 64 hexadecimal digits; "
            "`python -m daylily_runtime.access.new_token` makes a token and its hash"
        )
    return value


def _certificate(value: str) -> str:
    kind, _, name = value.partition("=")
    if kind not in {"CN", "SAN"} or not name:
        raise ValueError("a certificate is written CN=… or SAN=…")
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_name)]
    role: Role
    tokens: tuple[Annotated[str, AfterValidator(_hash)], ...] = ()
    certificates: tuple[Annotated[str, AfterValidator(_certificate)], ...] = ()
    subjects: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    limits: dict[str, tuple[Annotated[str, Field(min_length=1)], ...]] = Field(default_factory=dict)

    def identity(self) -> Identity:
        return Identity(self.name, self.role, self.limits, listed=True)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    identities: tuple[_Entry, ...] = ()

    def directory(self: Self) -> Directory:
        known: dict[str, Identity] = {}
        by_hash: dict[str, Identity] = {}
        by_certificate: dict[str, Identity] = {}
        by_subject: dict[str, Identity] = {}
        for entry in self.identities:
            if entry.name in known:
                raise IdentitiesError(f"{entry.name} is there twice.")
            if entry.role is Role.SERVICE and len(entry.name) > SERVICE_NAME_BYTES:
                raise IdentitiesError(
                    f"{entry.name}: the name of a service has {SERVICE_NAME_BYTES} characters "
                    "at most."
                )
            identity = known[entry.name] = entry.identity()
            for proofs, keys in (
                (by_hash, entry.tokens),
                (by_certificate, entry.certificates),
                (by_subject, entry.subjects),
            ):
                for key in keys:
                    if key in proofs:
                        raise IdentitiesError(
                            f"{entry.name} has a token, certificate or subject of "
                            f"{proofs[key].name}."
                        )
                    proofs[key] = identity
        return Directory(tuple(known.values()), by_hash, by_certificate, by_subject)
