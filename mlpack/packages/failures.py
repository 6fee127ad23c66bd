"""Translate uv's error messages into short errors with a remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.index.http import CA_HINT, LOGIN_HINT, OFFLINE_HINT
from mlpack.packages.names import normalise, redact
from mlpack.packages.target import Target

_UNKNOWN_NAME = re.compile("not found in the (package registry|provided)")


class NoSetError(ResolveError):
    """uv found that no set of the available packages fits; another cut-off may have one.

    `python_matters`: another Python may have a set, because no name is unknown. `sentence` is uv's reason. `wheelless` are the
    packages without a wheel at the requested date, with the versions ("==4.9.3", "" for all) that have none.
    """

    python_matters = False
    sentence = ""
    wheelless: Mapping[str, str] = MappingProxyType({})


def failure(stderr: str, target: Target) -> ResolveError:
    """The error for uv's output."""
    output = redact(stderr)
    text = "\n".join(line for line in output.splitlines() if not line.startswith(("warning:", "Resolved")))
    if re.search(r"invalid peer certificate|UnknownIssuer|certificate verify", text, re.IGNORECASE):
        return IndexUnreachableError(
            "the package index is not trusted: its certificate is signed by an unknown authority", hint=CA_HINT
        )
    if re.search(r"\b(401|403) (Unauthorized|Forbidden)|status code.*\b40[13]\b|credentials", text):
        return IndexUnreachableError("the package index refused the login", hint=LOGIN_HINT)
    if re.search(r"No solution found|no usable wheels|not found in the package registry", text):
        sentence = _sentence(text)
        message = f"no set of packages fits Python {target.python} on {target.platform}: {sentence}"
        error = NoSetError(message, hint=_remedy(text), detail=_tail(text))
        error.sentence = sentence
        without = re.findall(r"([A-Za-z0-9._-]+?)([=<>!~]=?[^\s]*)?\s+ha(?:s|ve)\s+no\s+usable\s+wheels", text)
        error.wheelless = {normalise(name): versions for name, versions in without}
        error.python_matters = _UNKNOWN_NAME.search(text) is None
        return error
    if re.search(r"Failed to fetch|error sending request|dns error|tcp connect|timed out|client error", text):
        return IndexUnreachableError(_unanswered(text), hint=OFFLINE_HINT, detail=_tail(text))
    return ResolveError(f"uv failed: {_first(text)}", detail=_tail(text))


def _sentence(text: str) -> str:
    """Uv's reason on one line: which packages conflict."""
    cause = re.search(r"cause: (.*?)(?=\n\s*\n|\n\s*hint:|\Z)", text, re.DOTALL)
    sentence = re.sub(r"\s+", " ", cause[1]).strip() if cause else _first(text)
    sentence = re.sub(r",? we can conclude that your requirements are unsatisfiable\.?$", "", sentence)
    sentence = re.sub(r"^Because ", "", sentence)
    if len(sentence) > 400:
        sentence = "… " + sentence[-400:].partition(" ")[2]
    return sentence


def _remedy(text: str) -> str:
    if "no usable wheels" in text or "Wheels are required" in text:
        names = sorted(set(re.findall(r"Wheels are required for `([^`]+)`", text)))
        which = ", ".join(names) or "that package"
        return (
            f"Only wheels are installed: build one of {which} with `pip wheel --no-deps -w wheels`, and name its folder in "
            "PIP_FIND_LINKS."
        )
    if _UNKNOWN_NAME.search(text):
        return "Check the name; a private package needs its index (PIP_EXTRA_INDEX_URL) or a --wheelhouse."
    return "Relax one of these in `requirements:`, or choose the framework's version with --framework."


def _unanswered(text: str) -> str:
    found = re.search(r"https?://(?:\*\*\*@)?([^/`\s:)]+)", text)
    where = f" at {found[1]}" if found else ""
    causes = re.findall(r"cause: (.*)", text)
    return f"the package index{where} did not answer: {causes[-1] if causes else _first(text)}"


def _first(text: str) -> str:
    return next((line.removeprefix("error: ") for line in text.splitlines() if line.strip()), "no error message")


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-30:])
