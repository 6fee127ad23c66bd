"""Notice, a sentence about a model file for people, with a code for decisions of mlpack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class NoticeCode(Enum):
    """The kind of a notice. Decisions use only the code, never the text."""

    REMARK = "remark"
    """For people only."""
    NO_SIGNATURE = "no_signature"
    """The file can be read, but the inputs of the model are not known; `reason` explains it."""
    ASSUMED = "assumed"
    """Something that the file does not record was assumed, such as the types of columns."""
    CODE_MISSING = "code_missing"
    """The model needs code of the user."""
    LEFT_OUT = "left_out"
    """A part of a bundle or an archive is served without others, which may change the answer."""


SETTLED = frozenset({NoticeCode.NO_SIGNATURE, NoticeCode.CODE_MISSING})
"""Notices about what a build needs from the user: a model that is prepared has it."""


@dataclass(frozen=True)
class Notice:
    """A sentence about a model file. `reason` is the part of it that can be used in an error message.

    `advice` is what to do about it; `by_sample`: a few sample rows tell what is missing.
    """

    code: NoticeCode
    text: str
    reason: str = ""
    advice: str = ""
    by_sample: bool = False


def no_signature(reason: str, advice: str = "", *, by_sample: bool = False) -> Notice:
    """The notice that a model has no signature; `advice` is what to do about it; `by_sample`: sample rows give one."""
    text = f"No signature: {reason}{f'; {advice}' if advice else ''}."
    return Notice(NoticeCode.NO_SIGNATURE, text, reason, advice, by_sample)


def assumed(text: str, *, by_sample: bool = False) -> Notice:
    """The notice that something was assumed because the file does not record it; `by_sample`: sample rows tell it."""
    return Notice(NoticeCode.ASSUMED, text, by_sample=by_sample)


def code_missing(who: str, modules: Iterable[str]) -> Notice:
    """The notice that `modules` are missing; `who` completes "Needs code that ...": "no known package has"."""
    named = list(modules)
    package = "" if set(named) <= {"__main__"} else ", or, if it is a package, name the package under `requirements:`"
    return Notice(
        NoticeCode.CODE_MISSING, f"Needs code that {who}: {', '.join(named)}; add it with --include{package}."
    )


def left_out(entry: str, parts: Iterable[str], together: str) -> Notice:
    """The notice that the object at `entry` is served without `parts`, which may change its answers."""
    text = f"--entry {entry} serves this object alone, without {', '.join(parts)}. To use them together: {together}."
    return Notice(NoticeCode.LEFT_OUT, text)


def beside_model(archive: str, model: str, code: Iterable[str], others: Iterable[str]) -> Notice:
    """The notice that a model in an archive is served without code and other objects beside it."""
    found = [f"code files ({', '.join(code)})"] if code else []
    found += [f"other objects ({', '.join(others)})"] if others else []
    text = (
        f"{archive} also holds {' and '.join(found)}, which take no part: {model} is served alone. If they prepare the inputs "
        f"or change the answers, do the same in a predict.py (`mlpack init {archive}` writes the beginning of one), and build "
        "with --predictor."
    )
    return Notice(NoticeCode.LEFT_OUT, text)


def notices(found: Iterable[Notice | str]) -> tuple[Notice, ...]:
    """The notices in their order; a plain text is a remark."""
    return tuple(one if isinstance(one, Notice) else Notice(NoticeCode.REMARK, one) for one in found)


def reason_of(found: Iterable[Notice]) -> str:
    """Why there is no signature; "" if no notice explains it."""
    return next((one.reason for one in found if one.code is NoticeCode.NO_SIGNATURE), "")
