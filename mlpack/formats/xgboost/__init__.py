"""The XGBoost format, host half: boosters in JSON, UBJSON and the old binary form, with their trees stepped over."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import ModelInfo, Safety, Scalar, Signature, Task, TensorSpec
from mlpack.artifacts.notice import notices
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.packages.distributions import Distribution
from mlpack.readers.boosters.xgboost_models import XGBoostFacts, read_xgboost
from mlpack.readers.boosters.xgboost_versions import xgboost_requirement, xgboost_version
from mlpack.readers.counts import MOST_COLUMNS, counted
from mlpack.readers.limits import told_of

_SHOWN = {"json": "JSON", "ubjson": "UBJSON", "binary": "the old binary form"}


class XGBoostFormat(Format):
    """Files that `save_model` of a Booster or of the scikit-learn interface writes."""

    name = "xgboost"
    loader = Path(__file__).with_name("loader.py")
    suffixes = (".ubj", ".model")
    suffixes_in_archives = (".json",)
    frameworks = MappingProxyType({"xgboost": "xgboost"})
    distributions = (
        # the plain distribution requires NCCL, which is for several GPUs
        Distribution(name="xgboost", cpu="xgboost-cpu", needless=("nvidia-nccl-cu12", "nvidia-nccl-cu13")),
    )
    kinds = (
        Kind(
            name="XGBoost `.json`, `.ubj`, old binary `.model`",
            reads="objective, features, names, categories, classes, version; trees are stepped over",
            serves="XGBoost of the recorded version, for CPUs alone",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """What the model is; None when the file is no XGBoost model. Raises UnreadableModelError for a broken one."""
        with told_of(artifact.name, "an XGBoost model"):
            facts = read_xgboost(artifact.open, artifact.head, artifact.size) if artifact.head else None
            if facts is not None and facts.categories:
                counted(facts.features, MOST_COLUMNS, "columns, some of them categories")
        return None if facts is None else _info(artifact, facts)


def _info(artifact: Artifact, facts: XGBoostFacts) -> ModelInfo:
    classes = _classes(facts)
    signatures = _signatures(facts, classes)
    return ModelInfo(
        path=artifact.path,
        format="xgboost",
        framework="xgboost",
        framework_version=xgboost_version(facts.version),
        root_class="xgboost.Booster",
        task=task_of(facts),
        signatures=signatures,
        safety=Safety(verdict="safe"),  # numbers and names: loading runs no code of the file
        size=artifact.size,
        requirements=(xgboost_requirement(facts.version, binary=facts.serialisation == "binary"),),
        methods=tuple(signature.name for signature in signatures),
        n_features_in=facts.features,
        feature_names=facts.names,
        classes=classes,
        notices=notices(_warnings(facts)),
        details=_details(facts),
        options=_options(facts),
    )


def task_of(facts: XGBoostFacts) -> Task:
    """What an objective is for."""
    return "classifier" if facts.objective.startswith(("binary:", "multi:")) else "regressor"


def _classes(facts: XGBoostFacts) -> tuple[Scalar, ...] | None:
    """The labels of the scikit-learn interface, which are always 0, 1, ...; a Booster knows none."""
    if facts.estimator != "classifier" or facts.targets > 1:
        return None
    return tuple(range(max(facts.classes, 2)))


def _signatures(facts: XGBoostFacts, classes: tuple[Scalar, ...] | None) -> tuple[Signature, ...]:
    names = facts.names if len(facts.names) == facts.features else ()
    coded = {place for place, kind in enumerate(facts.types[: facts.features]) if kind == "c"} & set(facts.categories)
    labels = names or (tuple(f"x{place}" for place in range(facts.features)) if coded else ())
    outputs = {"predict": TensorSpec(name="predict", dtype="FP32", shape=_shape(facts))}
    if facts.estimator == "classifier":
        width = facts.targets if facts.targets > 1 else max(facts.classes, 2)
        shape = (-1, width) if facts.targets > 1 else (-1,)
        outputs["predict"] = TensorSpec(name="predict", dtype="INT64", shape=shape)
        if facts.objective.startswith("binary:logistic") or facts.objective == "multi:softprob":
            outputs["predict_proba"] = TensorSpec(name="predict_proba", dtype="FP32", shape=(-1, width))
    inputs: tuple[TensorSpec, ...] = (TensorSpec(name="input", dtype="FP64", shape=(-1, facts.features)),)
    if coded:
        inputs = tuple(_column(facts, label, place in coded, place) for place, label in enumerate(labels))
    return tuple(
        Signature(
            name=name,
            method=name,
            inputs=inputs,
            outputs=(output,),
            layout="columns" if coded else "matrix",
            classes=classes,
            columns=labels if coded else names,
            categories={labels[place]: facts.categories[place] for place in sorted(coded)},
            batchable=True,  # each row goes down the trees by itself
        )
        for name, output in outputs.items()
    )


def _column(facts: XGBoostFacts, name: str, coded: bool, place: int) -> TensorSpec:
    text = coded and any(isinstance(value, str) for value in facts.categories[place])
    return TensorSpec(name=name, dtype="BYTES" if text else "FP64", shape=(-1,))


def _shape(facts: XGBoostFacts) -> tuple[int, ...]:
    """What Booster.predict answers for a row: one number, a probability for each class, or one number for each target."""
    if facts.objective == "multi:softprob":
        return (-1, facts.classes)
    return (-1, facts.targets) if facts.targets > 1 else (-1,)


def _options(facts: XGBoostFacts) -> dict[str, Any]:
    """What the loader must know: the interface that answers, and the rounds that the scikit-learn interface uses."""
    options: dict[str, Any] = {
        "serialisation": facts.serialisation,
        "estimator": facts.estimator,
        "multilabel": facts.targets > 1,
    }
    if facts.estimator and facts.best_iteration is not None:
        options["rounds"] = facts.best_iteration + 1
    return options


def _details(facts: XGBoostFacts) -> dict[str, Any]:
    details: dict[str, Any] = {
        "serialisation": _SHOWN[facts.serialisation],
        "booster": facts.booster,
        "objective": facts.objective,
        "interface": f"scikit-learn ({facts.estimator})" if facts.estimator else "Booster",
    }
    if facts.best_iteration is not None:
        details["best_iteration"] = facts.best_iteration
    if facts.types:
        details["feature_types"] = list(facts.types)
    return details


def _warnings(facts: XGBoostFacts) -> list[str]:
    told = []
    if facts.serialisation == "binary":
        told.append(
            "It is in the binary form that XGBoost gave up with 3.1: it is served with the release that wrote it; "
            "save it as .ubj or .json."
        )
    if facts.best_iteration is not None and not facts.estimator:
        told.append(
            f"Training stopped early: the best round is {facts.best_iteration}; all rounds answer, as in Booster.predict."
        )
    unnamed = [place for place, kind in enumerate(facts.types) if kind == "c" and place not in facts.categories]
    if unnamed:
        which = ", ".join(facts.names[place] if place < len(facts.names) else str(place) for place in unnamed[:10])
        told.append(
            f"The file does not keep the values of the categories in {which} (XGBoost does from 3.1 on, when they are ASCII): "
            "send the codes that pandas gave them."
        )
    return told
