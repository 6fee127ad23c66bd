"""How packages, versions and index addresses are written: one spelling for each, and none with a secret."""

from __future__ import annotations

import functools
import re

from mlpack.errors import ConfigError

# PEP 508 without URLs: a name, extras, version specifiers, a marker. What else a requirements file may hold (options, paths,
# addresses) is no requirement of a lock: it could point uv somewhere else.
_REQUIREMENT = re.compile(
    r"""^\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*
        (?P<extras>\[[A-Za-z0-9._,\s-]*\])?\s*
        \(?\s*(?P<specifiers>(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9._*+!-]+\s*,?\s*)*)\)?\s*
        (?P<marker>;[^\n]*)?$""",
    re.VERBOSE,
)


def normalise(name: str) -> str:
    """A distribution's name as every index writes it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(text: str) -> tuple[str, str]:
    """A requirement's normalised name and its version specifiers; raises ConfigError when it is anything else."""
    found = _REQUIREMENT.match(text)
    if found is None:
        raise ConfigError(
            f"{redact(text.strip())!r} is not a package requirement",
            hint="Write a name and versions, such as pandas==2.2.*; for your own wheels, use --wheelhouse "
            "or pip's find-links.",
        )
    return normalise(found["name"]), re.sub(r"\s+", "", found["specifiers"])


def is_pinned(specifiers: str) -> bool:
    """Whether the specifiers choose a version or a line of them (`==2.2.*`)."""
    return bool(re.search(r"(^|,)(==|===|~=)", specifiers))


def same_version(one: str, other: str) -> bool:
    """Whether two spellings name one version (PEP 440: `1.0` is `1.0.0`); without a local part any build of it fits."""
    return _canonical(one, local="+" in one and "+" in other) == _canonical(other, local="+" in one and "+" in other)


@functools.lru_cache(maxsize=10_000)
def _canonical(version: str, *, local: bool) -> tuple[str, ...]:
    """A version's comparable parts: trailing zeros dropped, letters in lower case, the local part only if requested."""
    public, _, build = version.strip().lower().removeprefix("v").partition("+")
    found = re.match(r"(?:(\d+)!)?([0-9.]+)(.*)$", public)
    if found is None:
        return (public,)
    release = re.sub(r"(\.0+)+$", "", found[2].rstrip("."))
    rest = re.sub(r"[-_.]", "", found[3]).replace("alpha", "a").replace("beta", "b")
    return (found[1] or "0", release, rest, build if local else "")


def version_key(version: str) -> tuple[int, ...]:
    """A release's numbers, to order versions by; what follows them (rc1, post1) is left out."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def is_final(version: str) -> bool:
    """Whether a version is a release, not a preview of one."""
    return not re.search(r"(a|b|c|rc|alpha|beta|dev|pre)\.?\d*", version.partition("+")[0])


def redact(text: str) -> str:
    """The text with every login in an address replaced, fit for a message."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def strip_login(text: str) -> str:
    """The text with every login taken out of its addresses, which stay usable."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
