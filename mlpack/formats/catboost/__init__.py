"""The CatBoost format, host half: reads the features and classes of .cbm and JSON models."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import ModelInfo, Requirement, Safety, Signature, Task, TensorSpec
from mlpack.artifacts.notice import notices
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.packages.distributions import Distribution
from mlpack.readers.boosters.catboost_models import PLOTTING, CatBoostFacts, Feature, read_catboost
from mlpack.readers.limits import reading_errors

_LABELS = {str: "BYTES", bool: "BOOL", int: "INT64", float: "FP64"}
_PREDICTIONS = {"Poisson": "Exponent", "Tweedie": "Exponent", "RMSEWithUncertainty": "RMSEWithUncertainty"}
_MULTILABEL = ("MultiLogloss", "MultiCrossEntropy")
_PROBABLE = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", *_MULTILABEL)


class CatBoostFormat(Format):
    """Files of `save_model`, as .cbm or JSON."""

    name = "catboost"
    loader = Path(__file__).with_name("loader.py")
    distributions = (Distribution(name="catboost", gpu_code=("catboost/_catboost.so",)),)  # 224 of 277 MB in 1.2.10
    suffixes = (".cbm",)
    suffixes_in_archives = (".json",)
    frameworks = MappingProxyType({"catboost": "catboost"})
    kinds = (
        Kind(
            name="CatBoost `.cbm`, JSON",
            reads="loss, numeric, categorical, text and embedding features, classes, version",
            serves="CatBoost of the recorded version, without plotting libraries",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files. Raises UnreadableModelError for a broken model."""
        with reading_errors(artifact.name, "a CatBoost model"):
            facts = read_catboost(artifact.open, artifact.head, artifact.size) if artifact.head else None
        return None if facts is None else _info(artifact, facts)


def _info(artifact: Artifact, facts: CatBoostFacts) -> ModelInfo:
    columns = _columns(facts)
    signatures = _signatures(facts, columns)
    requirement = Requirement(
        module="catboost", distribution="catboost", version=facts.version, newest=facts.version is None
    )
    return ModelInfo(
        path=artifact.path,
        format="catboost",
        framework="catboost",
        framework_version=facts.version,
        root_class="catboost.CatBoost",
        task=_task(facts),
        signatures=signatures,
        safety=Safety(verdict="safe"),  # numbers and names: loading runs no code of the file
        size=artifact.size,
        requirements=(requirement,),
        methods=tuple(signature.name for signature in signatures),
        n_features_in=len(columns),
        feature_names=tuple(one.name for one in columns) if all(one.name for one in facts.features) else (),
        classes=facts.classes if facts.loss not in _MULTILABEL else None,
        notices=notices(_warnings(facts, columns)),
        details={
            "serialisation": facts.serialisation,
            "loss": facts.loss,
            "features": {
                kind: [one.name for one in columns if one.kind == kind] for kind in ("categorical", "text", "embedding")
            },
            **({} if facts.trees is None else {"trees": facts.trees}),
        },
        options={"serialisation": facts.serialisation, "prediction": _prediction(facts)},
        excludes=PLOTTING,
    )


def _columns(facts: CatBoostFacts) -> tuple[Feature, ...]:
    """All columns of a row with their names, including those that training ignored."""
    known = {one.place: one for one in facts.features}
    return tuple(
        Feature(place=place, name=known[place].name or f"x{place}", kind=known[place].kind)
        if place in known
        else Feature(place=place, name=f"x{place}", kind="float")
        for place in range(max(known) + 1)
    )


def _task(facts: CatBoostFacts) -> Task:
    return "classifier" if facts.classes is not None or facts.loss in _PROBABLE else "regressor"


def _prediction(facts: CatBoostFacts) -> str:
    """The library's prediction type for CatBoostRegressor and CatBoostRanker; "" for a classifier."""
    return "" if _task(facts) == "classifier" else _PREDICTIONS.get(facts.loss, "RawFormulaVal")


def _signatures(facts: CatBoostFacts, columns: tuple[Feature, ...]) -> tuple[Signature, ...]:
    plain = all(one.kind == "float" for one in columns)
    matrix = TensorSpec(name="input", dtype="FP64", shape=(-1, len(columns)))
    named = all(one.name for one in facts.features)
    embedded = any(one.kind == "embedding" for one in columns)
    return tuple(
        Signature(
            name=name,
            method=name,
            inputs=(matrix,) if plain else tuple(map(_spec, columns)),
            outputs=(output,),
            layout="matrix" if plain else "tensors" if embedded else "columns",
            classes=facts.classes if facts.loss not in _MULTILABEL else None,
            columns=tuple(one.name for one in columns) if (named or not plain) and not embedded else (),
            not_null=tuple(one.name for one in columns if one.kind in ("categorical", "text")),
            whole_as_text=tuple(one.name for one in columns if one.kind == "categorical"),
            batchable=True,  # each row is evaluated independently
        )
        for name, output in _outputs(facts).items()
    )


def _spec(feature: Feature) -> TensorSpec:
    if feature.kind == "embedding":
        return TensorSpec(name=feature.name, dtype="FP32", shape=(-1, -1))
    return TensorSpec(name=feature.name, dtype="FP64" if feature.kind == "float" else "BYTES", shape=(-1,))


def _outputs(facts: CatBoostFacts) -> dict[str, TensorSpec]:
    """By method: a classifier's labels and probabilities, a regressor's or ranker's values."""
    if _task(facts) == "regressor":
        shape = (-1, facts.outputs) if facts.outputs > 1 else (-1,)
        return {"predict": TensorSpec(name="predict", dtype="FP64", shape=shape)}
    several = facts.loss in _MULTILABEL
    width = facts.outputs if several or facts.outputs > 1 else 2
    label: Any = type(facts.classes[0]) if facts.classes else int
    labels = TensorSpec(
        name="predict",
        dtype="INT64" if several else _LABELS.get(label, "BYTES"),
        shape=(-1, width) if several else (-1,),
    )
    return {"predict": labels, "predict_proba": TensorSpec(name="predict_proba", dtype="FP64", shape=(-1, width))}


def _warnings(facts: CatBoostFacts, columns: tuple[Feature, ...]) -> list[str]:
    warnings = []
    categorical = [one.name for one in columns if one.kind == "categorical"]
    if categorical:
        warnings.append(
            "Send categories as text or whole numbers, and a missing one as the text that it had in training: "
            f"{', '.join(categorical[:10])}."
        )
    unread = [one.name for one in columns if one.place not in {known.place for known in facts.features}]
    if unread:
        warnings.append(f"Training ignored these columns, but every row must have them: {', '.join(unread[:10])}.")
    return warnings
