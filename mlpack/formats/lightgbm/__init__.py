"""The LightGBM format, host half: reads the header and the last line of models in text form."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from mlpack.artifacts.model import ModelInfo, Requirement, Safety, Signature, Task, TensorSpec
from mlpack.artifacts.notice import no_signature, notices
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.readers.boosters.lightgbm_categories import UNPLACED, UNPLACED_BY_ROWS
from mlpack.readers.boosters.lightgbm_text import LightGBMFacts, read_lightgbm
from mlpack.readers.counts import MOST_COLUMNS, counted
from mlpack.readers.limits import reading_errors
from mlpack.readers.samples import values_of

_CLASSIFIERS = ("binary", "multiclass", "multiclassova", "softmax", "cross_entropy")
_PREDICTOR = "Write a predictor of your own (`predictor: predict.py`), which makes the columns as training did."
_OWN_RELEASE = {"v4": ">=4"}  # the releases that write this form; newer releases read older forms


class LightGBMFormat(Format):
    """Files of `Booster.save_model`."""

    name = "lightgbm"
    loader = Path(__file__).with_name("loader.py")
    suffixes_in_archives = (".txt",)
    frameworks = MappingProxyType({"lightgbm": "lightgbm"})
    kinds = (
        Kind(
            name="LightGBM text",
            reads="objective, features, names, categories, trees",
            serves="the newest LightGBM",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files. Raises UnreadableModelError for a broken model."""
        with reading_errors(artifact.name, "a LightGBM model"):
            facts = read_lightgbm(artifact.open, artifact.head, artifact.size) if artifact.head else None
            if facts is not None and facts.categories:
                counted(len(facts.names), MOST_COLUMNS, "columns, some of them categories")
        return None if facts is None else _info(artifact, facts)


def _info(artifact: Artifact, facts: LightGBMFacts) -> ModelInfo:
    rows = artifact.sample
    samples = {place: values_of(rows, facts.names, place) for place in range(len(facts.names) if rows else 0)}
    known = facts.placement().settled(samples=samples)
    problem = "" if known is not None else UNPLACED_BY_ROWS if rows else UNPLACED
    return ModelInfo(
        path=artifact.path,
        format="lightgbm",
        framework="lightgbm",
        framework_version=None,
        root_class="lightgbm.Booster",
        task=_task(facts),
        signatures=() if known is None else (_signature(facts, known),),
        safety=Safety(verdict="safe"),  # numbers and names: loading runs no code of the file
        size=artifact.size,
        requirements=(
            Requirement(
                module="lightgbm",
                distribution="lightgbm",
                constraint=_OWN_RELEASE.get(facts.version, ""),
                newest=True,
            ),
        ),
        methods=("predict",),
        n_features_in=len(facts.names),
        feature_names=facts.names,
        notices=notices([no_signature(problem, by_sample=not rows)] if problem else []),
        advice=_PREDICTOR if problem and rows else "",
        details={
            "text_version": facts.version,
            "objective": facts.objective or "custom",
            "trees": facts.trees,
            "categorical_features": [facts.names[place] for place in facts.categorical if place < len(facts.names)],
        },
    )


def _task(facts: LightGBMFacts) -> Task | None:
    if facts.objective in _CLASSIFIERS:
        return "classifier"
    return "regressor" if facts.objective else None


def _signature(facts: LightGBMFacts, placed: dict[int, tuple[object, ...]]) -> Signature:
    known = {place: values for place, values in placed.items() if values}
    inputs: tuple[TensorSpec, ...] = (TensorSpec(name="input", dtype="FP64", shape=(-1, len(facts.names))),)
    if known:
        inputs = tuple(
            TensorSpec(name=name, dtype="BYTES" if _text(known.get(place, ())) else "FP64", shape=(-1,))
            for place, name in enumerate(facts.names)
        )
    shape = (-1, facts.classes) if facts.classes > 1 else (-1,)
    return Signature(
        name="predict",
        method="predict",
        inputs=inputs,
        outputs=(TensorSpec(name="predict", dtype="FP64", shape=shape),),
        layout="columns" if known else "matrix",
        columns=facts.names,
        categories={facts.names[place]: values for place, values in known.items()},  # type: ignore[misc]  # JSON scalars
        unknown_categories="missing" if known else "",
        batchable=True,  # each row is evaluated independently
    )


def _text(values: tuple[object, ...]) -> bool:
    return any(isinstance(value, str) for value in values)
