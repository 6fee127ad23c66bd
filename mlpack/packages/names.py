"""Names and versions of packages in normalised form, and index addresses without logins."""

from __future__ import annotations

import functools
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mlpack.errors import ConfigError

_LONGEST_VERSION = 128  # characters; a file may record anything as a version
_PATCHES = 40  # more than any minor version of Python has
_COMMENT = re.compile(r"(^|\s)#.*")


def normalise(name: str) -> str:
    """A distribution's normalised name (PEP 503)."""
    return canonicalize_name(name)


def parse_requirement(text: str) -> tuple[str, str]:
    """A requirement's normalised name, and its version specifiers in the order in which they are written.

    Raises ConfigError for anything else: an option, a path or an address could make uv use another source.
    """
    found = _requirement(text)
    if found is None:
        raise ConfigError(
            f"{redact(text.strip())!r} is not a package requirement",
            hint="Write a name and versions, such as pandas==2.2.*; for your own wheels, use --wheelhouse "
            "or pip's find-links.",
        )
    written = re.search(r"[=<>!~][^;]*", text.partition(";")[0])
    return normalise(found.name), "".join(written[0].split()).rstrip(")") if written else ""


def parse_pin(text: str) -> tuple[str, str] | None:
    """The normalised name and the version of a requirement for exactly one version; None for any other line."""
    found = _requirement(_COMMENT.sub("", text))
    clauses = list(found.specifier) if found is not None else []
    if found is None or len(clauses) != 1 or clauses[0].operator != "==" or parse_version(clauses[0].version) is None:
        return None
    return normalise(found.name), clauses[0].version


def is_pinned(specifiers: str) -> bool:
    """Whether the specifiers choose one version or one release series (`==2.2.*`)."""
    return any(one.operator in {"==", "===", "~="} for one in SpecifierSet(specifiers))


@functools.lru_cache(maxsize=10_000)
def parse_version(text: str) -> Version | None:
    """A version of PEP 440, None for any other text."""
    if len(text) > _LONGEST_VERSION:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None


@functools.lru_cache(maxsize=100_000)  # a page of thousands of files is searched once for each Python
def same_version(one: str, other: str) -> bool:
    """Whether two texts are the same version (PEP 440: `1.0` is `1.0.0`); without a local part any build matches."""
    left, right = parse_version(one), parse_version(other)
    if left is None or right is None:
        return one.strip() == other.strip()
    if left.local and right.local:
        return left == right
    return parse_version(left.public) == parse_version(right.public)


def version_key(version: str) -> tuple[int, ...]:
    """The release numbers, for sorting, without suffixes such as rc1 or post1; () for an invalid version."""
    found = parse_version(version)
    return () if found is None else found.release


def is_final(version: str) -> bool:
    """Whether a version is a final release, not a pre-release."""
    found = parse_version(version)
    return found is not None and not found.is_prerelease


@functools.lru_cache(maxsize=10_000)
def admits_python(requires_python: str, python: str) -> bool:
    """Whether a `requires-python` admits a release of a minor version; an invalid clause is ignored."""
    allowed = [specifiers for clause in requires_python.split(",") if (specifiers := _specifiers(clause)) is not None]
    return any(all(one.contains(f"{python}.{patch}") for one in allowed) for patch in range(_PATCHES))


def _specifiers(text: str) -> SpecifierSet | None:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def _requirement(text: str) -> Requirement | None:
    """A requirement of PEP 508 without an address."""
    try:
        found = Requirement(text.strip())
    except InvalidRequirement:
        return None
    return found if found.url is None else None


def redact(text: str) -> str:
    """The text with the logins in addresses masked, for messages."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def strip_login(text: str) -> str:
    """The text with the logins removed from its addresses."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
