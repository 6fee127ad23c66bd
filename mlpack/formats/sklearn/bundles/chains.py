"""The order in which the parts of a bundle are called, and the questions that the file leaves open.

A part is chained only where widths, names, numbers of classes and keys leave no other order. Everything else becomes a
question, which the generated predict.py raises as NotImplementedError: no answer is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

_MOST_STEPS = 5  # transformers of which every order is tried
_TAKES = {"text": "texts", "object": "objects"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One object of a bundle: `code` is its expression in predict.py, `takes` and `gives` are numbers of columns if known.

    `names` are the columns that it was trained with; `frames`: it gives names, too. `columns` are its inputs with their data
    types as INPUTS declares them, None for a column that it drops. `form` is what its rows are: a table with names, a matrix, a
    text, an object, or "" if that is not known. `held` are the classes of its own steps, `doubts` questions about its input.
    `shown` is a plain value itself, `listed` the names in a list of columns, and `encoders` are of encoders by column the
    columns with the data types of their categories.
    """

    key: str
    code: str
    role: str
    kind: str = ""
    shown: str = ""
    takes: int | None = None
    gives: int | None = None
    names: tuple[str, ...] = ()
    frames: bool = False
    columns: tuple[tuple[str, str | None], ...] = ()
    form: str = ""
    held: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    encoders: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The parts in the order of their calls. `rows` and `answers` are the open questions before and after the model's call."""

    model: Part
    encoders: Part | None
    steps: tuple[Part, ...]
    threshold: Part | None
    labels: Part | None
    scaler: Part | None
    inputs: tuple[tuple[str, str | None], ...]
    form: str
    named: bool
    rows: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def open(self) -> bool:
        """Whether there is a question that the user must decide."""
        return bool(self.rows or self.answers)


def chain_of(parts: Sequence[Part]) -> Chain | None:
    """How these parts are called; None unless one is the model and another one takes part."""
    of = {role: [one for one in parts if one.role == role] for role in {one.role for one in parts}}
    transformers = [*of.get("vectorizer", ()), *of.get("preprocessor", ())]
    encoders, scalers = of.get("column_encoders", []), of.get("target_scaler", [])
    ends = [*of.get("threshold", ()), *of.get("label_encoder", ()), *scalers]
    if len(of.get("model", ())) != 1 or not (transformers or encoders or ends or of.get("undecided")):
        return None
    model = of["model"][0]
    rows = [f"what {_named(one)} is for: the rows, the answers, or nothing" for one in of.get("undecided", ())]
    steps = _ordered(transformers, model)
    if steps is None:
        widths = _widths(transformers, model)
        rows.append(f"the order of {_all(transformers)}, and which columns each takes ({widths})")
        steps = transformers
        inputs = tuple(dict(column for one in transformers for column in one.columns).items())
        form, doubts = "table" if inputs else "", [doubt for one in transformers for doubt in one.doubts]
    else:
        rows += [*_bypassed([*steps, model]), *_repeated(steps, model)]
        inputs, form, doubts = _inputs(steps[0] if steps else model, of.get("columns", []), encoders)
    rows += doubts
    answers = [f"which of {_all(scalers)} scales the answers back"] if len(scalers) > 1 else []
    answers += [
        f"whether {_named(one)} scales the answers of {_named(model)} back, which does that itself"
        for one in scalers
        if any(path.endswith(".TransformedTargetRegressor") for path in (model.kind, *model.held))
    ]
    return Chain(
        model=model,
        encoders=encoders[0] if len(encoders) == 1 else None,
        steps=tuple(steps),
        threshold=next(iter(of.get("threshold", ())), None),
        labels=next(iter(of.get("label_encoder", ())), None),
        scaler=scalers[0] if len(scalers) == 1 else None,
        inputs=inputs,
        form=form,
        named=bool((steps[0] if steps else model).names),
        rows=tuple(rows),
        answers=tuple(answers),
    )


def _named(part: Part) -> str:
    return f"{part.key} ({part.shown or part.kind.rpartition('.')[2]})"


def _all(parts: Sequence[Part]) -> str:
    return ", ".join(map(_named, parts))


def _ordered(transformers: Sequence[Part], model: Part) -> list[Part] | None:
    """The transformers in the only order that fits; None if there is none, or several."""
    if not transformers:
        return []
    if len(transformers) > _MOST_STEPS:
        return None
    orders = [one for one in permutations(transformers) if _fits([*one, model])]
    if len(orders) > 1:  # the first one saw the columns' names, those after it arrays
        orders = [one for one in orders if one[0].names and not any(part.names for part in one[1:])]
    return list(orders[0]) if len(orders) == 1 else None


def _fits(line: list[Part]) -> bool:
    """Whether each part takes as many columns as the one before it gives; only the first one may take texts or objects."""
    return all(
        before.gives is not None and before.gives == after.takes and after.form not in _TAKES
        for before, after in pairwise(line)
    )


def _widths(transformers: Sequence[Part], model: Part) -> str:
    known = [f"{one.key}: {_TAKES.get(one.form) or one.takes or '?'} to {one.gives or '?'}" for one in transformers]
    return "; ".join([*known, f"{model.key} takes {model.takes or '?'}"])


def _bypassed(line: list[Part]) -> list[str]:
    """Parts that were trained with columns that the first one takes: perhaps with the columns as they are.

    Where the first one gives names too, some of them may be the same.
    """
    first, *others = line
    return [
        f"whether {_named(one)} takes what {_named(first)} gives: it was trained with the same column names"
        for one in others
        if (one.names == first.names if first.frames else set(one.names) & set(first.names)) and one.names
    ]


def _repeated(steps: Sequence[Part], model: Part) -> list[str]:
    """Transformers of a class of which the model has one of its own: perhaps it is the same one."""
    return [
        f"whether {_named(one)} is applied before {_named(model)}, which contains one"
        for one in steps
        if one.kind in model.held
    ]


def _inputs(
    first: Part, lists: Sequence[Part], encoders: Sequence[Part]
) -> tuple[tuple[tuple[str, str | None], ...], str, list[str]]:
    """The columns with their data types, what the rows are, and the questions about them."""
    doubts = list(first.doubts)
    columns = first.columns
    trained = {name for name, _ in columns}
    for one in lists:
        if trained:
            other = set(one.listed) - trained
            doubts += (
                [f"what {one.key} is for: {_named(first)} was trained without {', '.join(sorted(other)[:3])}"]
                if other
                else []
            )
        elif len(lists) == 1 and len(one.listed) == first.takes == len(set(one.listed)):
            columns = tuple((name, "FP64") for name in one.listed)
        else:
            doubts.append(f"which columns {_named(first)} takes, in which order: {one.key} does not tell")
    if first.form == "" and not first.doubts:
        doubts.append(f"what the rows of {_named(first)} are")
    if len(encoders) > 1:
        return columns, first.form, [*doubts, f"which columns {_all(encoders)} encode"]
    for one in encoders:
        by_column = dict(one.encoders)
        if absent := [name for name in by_column if name not in dict(columns)]:
            doubts.append(f"which columns {one.key} encodes: {', '.join(absent[:5])} is no known column")
        if texts := [name for name, dtype in columns if name in by_column and dtype == "BYTES"]:
            doubts.append(f"whether {one.key} encodes {', '.join(texts[:5])}, of which {_named(first)} takes texts")
        columns = tuple((name, by_column.get(name, dtype)) for name, dtype in columns)
    form = "table" if columns else first.form
    return columns, form, doubts


def facts_of_chain(chain: Chain) -> dict[str, Any]:
    """The chain as JSON values, from which predict.py is rendered."""

    def code(part: Part | None) -> str:
        return part.code if part is not None else ""

    inputs: dict[str, Any] = dict(chain.inputs)
    if chain.form == "matrix":
        first = chain.steps[0] if chain.steps else chain.model
        inputs = {"input": ["FP64", [-1, first.takes]]}
    return {
        "inputs": inputs,
        "columns": [name for name, dtype in chain.inputs if dtype is not None],
        "texts": [name for name, dtype in chain.inputs if dtype == "BYTES"],
        "form": chain.form,
        "named": chain.named,
        "encoders": code(chain.encoders),
        "steps": [one.code for one in chain.steps],
        "model": chain.model.code,
        "threshold": code(chain.threshold),
        "labels": code(chain.labels),
        "scaler": code(chain.scaler),
        "rows": list(chain.rows),
        "answers": list(chain.answers),
        "used": [
            one.key
            for one in (chain.encoders, *chain.steps, chain.model, chain.threshold, chain.labels, chain.scaler)
            if one is not None
        ],
    }
