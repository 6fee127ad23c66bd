"""The XGBoost format, host half: reads boosters in JSON, UBJSON and the old binary form, and skips their trees."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlpack.artifacts.model import ModelInfo, Safety, Scalar, Signature, Task, TensorSpec
from mlpack.artifacts.notice import notices
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.packages.distributions import Distribution
from mlpack.readers.boosters.xgboost_models import XGBoostFacts, read_xgboost, unnamed_categories
from mlpack.readers.boosters.xgboost_versions import xgboost_requirement, xgboost_version
from mlpack.readers.counts import MOST_COLUMNS, counted
from mlpack.readers.limits import reading_errors

_SHOWN = {"json": "JSON", "ubjson": "UBJSON", "binary": "the old binary form"}


class XGBoostFormat(Format):
    """Files of `save_model`, of a Booster or the scikit-learn interface."""

    name = "xgboost"
    loader = Path(__file__).with_name("loader.py")
    suffixes = (".ubj", ".model")
    suffixes_in_archives = (".json",)
    frameworks = MappingProxyType({"xgboost": "xgboost"})
    distributions = (
        # the plain distribution requires NCCL, which is only for several GPUs
        Distribution(
            name="xgboost",
            cpu="xgboost-cpu",
            needless=("nvidia-nccl-cu12", "nvidia-nccl-cu13"),
            gpu_code=("xgboost/lib/libxgboost.so",),  # 383 of 435 MB in 2.0.3
            strip=("xgboost/lib",),
        ),
    )
    kinds = (
        Kind(
            name="XGBoost `.json`, `.ubj`, old binary `.model`",
            reads="objective, features, names, categories, classes, version; trees are skipped",
            serves="XGBoost of the recorded version, CPU build",
            proof="tests/integration/test_boosters.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files. Raises UnreadableModelError for a broken model."""
        with reading_errors(artifact.name, "an XGBoost model"):
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
    """The task of an objective."""
    return "classifier" if facts.objective.startswith(("binary:", "multi:")) else "regressor"


def _classes(facts: XGBoostFacts) -> tuple[Scalar, ...] | None:
    """The labels of the scikit-learn interface, always 0, 1, ...; a Booster has none."""
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
            unknown_categories="refused" if coded else "",
            batchable=True,  # each row is evaluated independently
        )
        for name, output in outputs.items()
    )


def _column(facts: XGBoostFacts, name: str, coded: bool, place: int) -> TensorSpec:
    text = coded and any(isinstance(value, str) for value in facts.categories[place])
    return TensorSpec(name=name, dtype="BYTES" if text else "FP64", shape=(-1,))


def _shape(facts: XGBoostFacts) -> tuple[int, ...]:
    """The shape of Booster.predict for a row: one number, a probability per class, or one number per target."""
    if facts.objective == "multi:softprob":
        return (-1, facts.classes)
    return (-1, facts.targets) if facts.targets > 1 else (-1,)


def _options(facts: XGBoostFacts) -> dict[str, Any]:
    """The loader's options: the interface to call, and the rounds that the scikit-learn interface uses."""
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
    warnings = []
    if facts.serialisation == "binary":
        warnings.append(
            "It is in the old binary form, which XGBoost 3.1 removed: it is served with the release that wrote it; "
            "save it as .ubj or .json."
        )
    if facts.best_iteration is not None and not facts.estimator:
        warnings.append(
            f"Training stopped early at round {facts.best_iteration}, the best one; all rounds are used, as in Booster.predict."
        )
    if unnamed := unnamed_categories(facts):
        warnings.append(unnamed)
    return warnings
