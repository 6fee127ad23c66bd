"""Boosters in a pickle: columns, outputs and version from the framework's own data in it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from mlpack.artifacts.model import Requirement, Task, UnknownCategories
from mlpack.formats.sklearn.estimators import Estimator, any_instance, sequence
from mlpack.readers.boosters.catboost_models import PLOTTING, CatBoostFacts, read_catboost
from mlpack.readers.boosters.lightgbm_categories import Placement
from mlpack.readers.boosters.lightgbm_text import LightGBMFacts, categories_of, looks_like_lightgbm, read_text
from mlpack.readers.boosters.xgboost_models import XGBoostFacts, read_buffer, unnamed_categories
from mlpack.readers.boosters.xgboost_versions import xgboost_requirement
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.values import Blob, Instance
from mlpack.readers.streams import MemorySource

PACKAGES = ("lightgbm", "xgboost", "catboost")
EXCLUDES = {"catboost": PLOTTING}
# XGBoost 1.0 changed what a pickle holds; files from before it record no version.
_BEFORE_XGBOOST_1 = "0.90"
_CLASSIFIERS = ("binary", "multi", "cross_entropy")


@dataclass(frozen=True, kw_only=True)
class Boosted:
    """A booster's facts: `categories` by column place, () where the values are not kept; `width` of its answer, 0 for 1-D.

    `unknown` says what it makes of other values, `coded` where they cannot be sent by value, `unplaced` what there is to find
    their columns. `identifiers` are columns of CatBoost's categories, texts or whole numbers.
    """

    requirement: Requirement
    task: Task
    count: int
    names: tuple[str, ...] = ()
    categories: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    unknown: UnknownCategories = ""
    widths: dict[int, str] = field(default_factory=dict)  # of XGBoost's whole-number categories, if not int64
    coded: str = ""
    unplaced: Placement | None = None
    texts: frozenset[int] = frozenset()  # columns that hold text, or categories as text
    identifiers: frozenset[int] = frozenset()
    classes: tuple[Any, ...] | None = None
    dtype: str = "FP64"
    width: int = 0
    estimator: bool = True  # the scikit-learn interface, not the bare booster

    def placed(self, categories: dict[int, tuple[Any, ...]]) -> Boosted:
        """The facts with these categories, by column."""
        texts = frozenset(place for place, values in categories.items() if _text(values))
        return replace(self, categories=categories, texts=texts, unplaced=None)


def boosted(model: Estimator) -> Boosted | None:
    """The facts of a lightgbm, xgboost or catboost estimator (or bare booster); None for others, or without facts."""
    return _boosted(model.instance) if model.package in PACKAGES else None


@lru_cache(maxsize=64)
def _boosted(instance: Instance) -> Boosted | None:
    model = Estimator(instance)
    try:
        return {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}[model.package](model)
    except CutOffError:
        return None


def _xgboost(model: Estimator) -> Boosted | None:
    booster = any_instance(model.get("_Booster", "_Booster_")) or model
    held = booster.get("handle")
    if isinstance(held, Instance) and held.args:  # before protocol 5: bytearray(bytes)
        held = held.args[0]
    facts: XGBoostFacts | None = read_buffer(*_ends(held))
    if facts is None:
        return None
    names = facts.names or tuple(str(name) for name in sequence(booster.get("feature_names")) or ())
    kinds = facts.types or tuple(str(kind) for kind in sequence(booster.get("feature_types")) or ())
    categories = {place: facts.categories.get(place, ()) for place, kind in enumerate(kinds) if kind == "c"}
    requirement = xgboost_requirement(facts.version, binary=facts.serialisation == "binary")
    if requirement.constraint:
        requirement = replace(requirement, constraint=f"<={_BEFORE_XGBOOST_1}")
    return Boosted(
        requirement=requirement,
        task=_task(facts.objective),
        count=facts.features,
        names=names if len(names) == facts.features else (),
        categories=categories,
        widths=facts.widths,
        unknown="refused",
        coded=unnamed_categories(replace(facts, names=names, types=kinds)),
        texts=frozenset(place for place, known in categories.items() if _text(known)),
        dtype="FP32",
        width=facts.classes if facts.objective == "multi:softprob" else facts.targets if facts.targets > 1 else 0,
        estimator=booster is not model,
    )


def _lightgbm(model: Estimator) -> Boosted | None:
    booster = any_instance(model.get("_Booster")) or model
    head, tail = _ends(booster.get("_handle", "handle", "model_str"))
    if not looks_like_lightgbm(head):
        return None
    facts: LightGBMFacts = read_text(head, tail)
    placement = facts.placement(categories_of(booster.get("pandas_categorical")))
    categories = placement.settled()
    found = Boosted(
        requirement=Requirement(
            module="lightgbm", distribution="lightgbm", constraint=_lightgbm_releases(model, booster), newest=True
        ),
        task=_task(facts.objective),
        count=len(facts.names),
        names=() if facts.names[0] == "Column_0" else facts.names,
        unknown="missing",
        unplaced=placement if categories is None else None,
        width=facts.classes if facts.classes > 1 else 0,
        estimator=booster is not model,
    )
    return found if categories is None else found.placed(categories)


def _lightgbm_releases(model: Estimator, booster: Estimator) -> str:
    """The releases that read an estimator, by the attributes in its state; "" for all, which is so for a bare booster."""
    names = set(model.attributes)
    if booster is model or "_fobj" not in names:  # it was removed in 4.0, which reads no older regressor
        return ""
    if "fitted_" in names:  # since 3.1, without which an estimator is not fitted
        return "<=3.3.5"
    return "<=3.0.0" if "_n_features_in" in names else "<=2.3.1"


def _catboost(model: Estimator) -> Boosted | None:
    content, _ = _ends(model.get("__model", "__model__"))

    def opened() -> AbstractContextManager[MemorySource]:
        return nullcontext(MemorySource(content))

    facts: CatBoostFacts | None = read_catboost(opened, content[:64], len(content))
    if facts is None:
        return None
    count = facts.features[-1].place + 1
    names = {one.place: one.name for one in facts.features}
    return Boosted(
        requirement=Requirement(
            module="catboost", distribution="catboost", version=facts.version, newest=facts.version is None
        ),
        task="classifier" if facts.classes is not None else "regressor",
        count=count,
        names=tuple(names.get(place) or f"x{place}" for place in range(count)) if all(names.values()) else (),
        texts=frozenset(one.place for one in facts.features if one.kind in ("categorical", "text")),
        identifiers=frozenset(one.place for one in facts.features if one.kind == "categorical"),
        classes=facts.classes,
        width=facts.outputs if facts.outputs > 1 else 0,
        estimator=model.name != "CatBoost",
    )


def _task(objective: str) -> Task:
    return "classifier" if objective.startswith(_CLASSIFIERS) else "regressor"


def _text(values: tuple[Any, ...]) -> bool:
    return any(isinstance(value, str) for value in values)


def _ends(held: Any) -> tuple[bytes, bytes]:
    """How bytes or a text in a pickle begin and end; both are all of it when it is short."""
    if isinstance(held, Blob):
        return held.head, held.tail
    if isinstance(held, str):
        held = held.encode(errors="replace")
    return (bytes(held), bytes(held)) if isinstance(held, bytes | bytearray) else (b"", b"")
