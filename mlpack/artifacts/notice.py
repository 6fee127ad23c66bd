"""What a person should know of a model file, with a code for what mlpack decides by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class NoticeCode(Enum):
    """What kind of notice it is; only this, and never the words of the text, decides anything."""

    REMARK = "remark"
    """For people alone."""
    NO_SIGNATURE = "no_signature"
    """The file can be read, but what the model takes is not known: `reason` says why."""
    ASSUMED = "assumed"
    """Something that the file does not record was assumed, such as the types of columns; every build repeats it."""
    CODE_MISSING = "code_missing"
    """The model needs code that only the user has."""


@dataclass(frozen=True)
class Notice:
    """A sentence about a model file. `reason` is its middle part, for use in an error message."""

    code: NoticeCode
    text: str
    reason: str = ""


def no_signature(reason: str, advice: str = "") -> Notice:
    """The notice of a model that takes no requests; `advice` says what to do about it."""
    return Notice(NoticeCode.NO_SIGNATURE, f"No signature: {reason}{f'; {advice}' if advice else ''}.", reason)


def assumed(text: str) -> Notice:
    """The notice that something was assumed which the file does not record."""
    return Notice(NoticeCode.ASSUMED, text)


def code_missing(who: str, modules: Iterable[str]) -> Notice:
    """The notice that `modules` are needed, which `who` ("Keras", "no known package") has or has not."""
    return Notice(NoticeCode.CODE_MISSING, f"Needs code that {who}: {', '.join(modules)}; hand it in with --include.")


def notices(found: Iterable[Notice | str]) -> tuple[Notice, ...]:
    """The notices in their order; a plain text is a remark."""
    return tuple(one if isinstance(one, Notice) else Notice(NoticeCode.REMARK, one) for one in found)


def reason_of(found: Iterable[Notice]) -> str:
    """Why there is no signature; "" where no notice says it."""
    return next((one.reason for one in found if one.code is NoticeCode.NO_SIGNATURE), "")
