"""Which task a fitted estimator does and which methods it really offers, as scikit-learn itself would answer."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.model import Task
from mlpack.formats.sklearn.boosters import boosted
from mlpack.formats.sklearn.estimators import Estimator, any_instance, estimator, sequence, version_of
from mlpack.formats.sklearn.kinds import METHODS, PASSTHROUGH, SEARCHES
from mlpack.packages.names import version_key

# A meta-estimator's fitted part that answers for it, by class name.
_INNER = {
    **dict.fromkeys(SEARCHES, ("best_estimator_",)),
    "RFE": ("estimator_",),
    "RFECV": ("estimator_",),
    "SelfTrainingClassifier": ("estimator_", "base_estimator_"),
    "FixedThresholdClassifier": ("estimator_",),
    "TunedThresholdClassifierCV": ("estimator_",),
    "FrozenEstimator": ("estimator",),
    "StackingClassifier": ("final_estimator_",),
    "StackingRegressor": ("final_estimator_",),
    "TransformedTargetRegressor": ("regressor_",),
    "RANSACRegressor": ("estimator_",),
    "SelectFromModel": ("estimator_", "estimator"),
}
_MEMBERS = frozenset({
    "BaggingClassifier", "BaggingRegressor", "ClassifierChain", "RegressorChain", "MultiOutputClassifier",
    "MultiOutputRegressor", "OneVsRestClassifier", "OneVsOneClassifier", "OutputCodeClassifier", "VotingClassifier",
    "VotingRegressor", "BalancedBaggingClassifier", "EasyEnsembleClassifier",
})  # fmt: skip
_PROBABLE_LOSSES = frozenset({"log", "log_loss", "modified_huber"})


def steps(model: Estimator) -> list[tuple[str, Any]]:
    """A Pipeline's (name, step) pairs, a step being an instance, "passthrough" or None; [] when it is no Pipeline."""
    if model.name != "Pipeline":
        return []
    pairs = sequence(model.get("steps")) or []
    return [(str(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2]


def final(model: Estimator) -> Any:
    """A Pipeline's last step."""
    pairs = steps(model)
    return pairs[-1][1] if pairs else None


def inner(model: Estimator) -> Any:
    """The fitted part that answers for a meta-estimator (the last step, the best estimator, the first member), or None."""
    if model.name == "Pipeline":
        return final(model)
    if model.name in _INNER:
        return model.get(*_INNER[model.name])
    if model.name in _MEMBERS:
        return next(iter(members(model)), None)
    if model.name == "CalibratedClassifierCV":
        pairs = sequence(model.get("calibrated_classifiers_")) or []
        first = any_instance(pairs[0]) if pairs else None
        return first.get("estimator", "base_estimator") if first else None
    return None


def members(model: Estimator) -> list[Any]:
    """The fitted estimators of an ensemble."""
    return sequence(model.get("estimators_")) or []


def core(model: Estimator) -> Estimator:
    """The estimator whose answer a model's `predict` gives: through pipelines, searches, thresholds and frozen ones."""
    seen: set[int] = set()
    through = SEARCHES | {"Pipeline", "FrozenEstimator", "RFE", "RFECV", "SelfTrainingClassifier"}
    through |= {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
    while model.name in through and id(model.instance) not in seen:
        seen.add(id(model.instance))
        next_one = any_instance(inner(model))
        if next_one is None:
            return model
        model = next_one
    return model


def task(model: Estimator) -> Task | None:
    """The model's task; for other packages' classes by the suffix of their name and by `classes_`."""
    booster = boosted(model)
    if booster is not None and not booster.estimator:
        return booster.task
    if model.kind is not None and model.kind.task is not None and model.name not in ("RFE", "RFECV"):
        return model.kind.task
    if model.name in ("RFE", "RFECV"):
        answering = estimator(model.get("estimator_"))
        return task(answering) if answering and answering is not model else "transformer"
    last = core(model)
    if last.instance is not model.instance:
        return "transformer" if final(model) in (*PASSTHROUGH, None) and steps(model) else task(last)
    if model.kind is not None:
        return "transformer" if final(model) in (*PASSTHROUGH, None) and steps(model) else None
    if model.get("classes_", "_classes") is not None or model.name.endswith("Classifier"):
        return "classifier"
    return "regressor" if model.name.endswith(("Regressor", "Regression")) else None


class Methods:
    """The methods of estimators, each worked out once (so shared and cyclic structures cost nothing).

    Calling it gives the names in METHODS that the fitted object would really answer. Others' classes are taken to answer
    `predict`, and `transform` if their name does not show their task.
    """

    def __init__(self) -> None:
        self._known: dict[int, frozenset[str]] = {}

    def __call__(self, value: Any) -> tuple[str, ...]:
        """The methods of one value, in the order of METHODS."""
        found = self._of(value)
        return tuple(method for method in METHODS if method in found)

    def _of(self, value: Any) -> frozenset[str]:
        model = any_instance(value)
        if model is None:
            return frozenset({"transform"}) if value == "passthrough" else frozenset()
        if id(value) not in self._known:
            self._known[id(value)] = frozenset()  # what a cycle sees
            self._known[id(value)] = self._work_out(model)
        return self._known[id(value)]

    def _work_out(self, model: Estimator) -> frozenset[str]:
        if model.kind is None:
            return frozenset(_foreign(model))
        all_of_them = frozenset(model.kind.methods)
        if model.name == "Pipeline":
            return self._pipeline(model)
        if model.name in SEARCHES or model.name in ("FrozenEstimator", "RFE", "RFECV"):
            inherited = self._of(inner(model))
            return (inherited | {"transform"} if model.name.startswith("RFE") else inherited) & all_of_them
        if model.name in ("StackingClassifier", "StackingRegressor"):
            return (self._of(inner(model)) & all_of_them) | {"transform"}
        return all_of_them - self._missing(model)

    def _pipeline(self, model: Estimator) -> frozenset[str]:
        found = self._of(final(model)) - {"kneighbors"}  # which a Pipeline does not pass on
        before = [step for _, step in steps(model)[:-1] if step is not None and step != "passthrough"]
        transforms = all("transform" in self._of(step) or _foreign_step(step) for step in before)
        return found if transforms else found - {"transform"}

    def _missing(self, model: Estimator) -> set[str]:
        missing = set()
        if model.name in ("SVC", "NuSVC") and model.get("probability") is not True:
            missing.add("predict_proba")
        if model.name == "SGDClassifier" and model.get("loss") not in _PROBABLE_LOSSES:
            missing.add("predict_proba")
        if model.name == "VotingClassifier" and model.get("voting") != "soft":
            missing.add("predict_proba")
        if model.name == "LocalOutlierFactor" and model.get("novelty") is not True:
            missing.update(METHODS)
        if model.name in ("OneVsRestClassifier", "ClassifierChain", "MultiOutputClassifier", "SelfTrainingClassifier"):
            missing |= {"predict_proba"} if not self._all_have(model, "predict_proba") else set()
        if model.name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV"):
            missing |= {"predict_proba"} if "predict_proba" not in self._of(inner(model)) else set()
        if model.kind is not None and "decision_function" in model.kind.methods and inner(model) is not None:
            own = model.name == "OneVsOneClassifier"
            missing |= set() if own or "decision_function" in self._of(inner(model)) else {"decision_function"}
        if model.name == "NearestCentroid" and before(model, (1, 6)):
            missing |= {"predict_proba", "decision_function"}
        return missing

    def _all_have(self, model: Estimator, method: str) -> bool:
        parts = members(model) if model.name == "MultiOutputClassifier" else [inner(model)]
        return bool(parts) and all(method in self._of(one) or _constant(one) for one in parts)


def _constant(value: Any) -> bool:
    # OneVsRestClassifier puts this where a class never (or always) occurred in training; it answers every method.
    one = any_instance(value)
    return one is not None and one.name == "_ConstantPredictor"


def _foreign(model: Estimator) -> set[str]:
    if model.attributes.get("_sklearn_version") is not None and task(model) is None:
        return {"transform"}
    return {"predict", "transform"} if task(model) is None else {"predict"}


def _foreign_step(value: Any) -> bool:
    one = any_instance(value)
    return one is not None and one.kind is None


def before(model: Estimator, version: tuple[int, int]) -> bool:
    """Whether the file records an older scikit-learn than (major, minor)."""
    recorded = version_key(version_of(model.get("_sklearn_version")) or "")
    return recorded != () and recorded[:2] < version
