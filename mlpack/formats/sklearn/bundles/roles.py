"""The part that each object of a bundle plays, as far as widths, classes and keys tell for certain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Content, Role
from mlpack.formats.sklearn.estimators import Estimator, estimator, sequence, walk
from mlpack.formats.sklearn.features import class_labels, classes, feature_count, feature_names, heads, output_count
from mlpack.formats.sklearn.kinds import LABELS, TEXT
from mlpack.formats.sklearn.methods import Methods, task
from mlpack.readers.pickles.contents import kind, pairs
from mlpack.readers.pickles.values import Global, Instance

_RECORDS = frozenset({"DictVectorizer", "FeatureHasher"})
_INVERTIBLE = frozenset({
    "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer", "QuantileTransformer",
})  # fmt: skip
_TARGET = frozenset({"y", "target", "targets", "label", "labels", "output", "outputs", "yscaler", "scalery"})
# Keys of a label encoder and of a threshold that name nothing else, such as a column or a selection of columns.
_OF_LABELS = _TARGET | {"le", "lb", "lbl", "enc", "encoder", "labelencoder", "class", "classes", "model"}
_OF_THRESHOLD = frozenset({
    "threshold", "thresh", "thr", "cutoff", "cut", "off", "best", "optimal", "opt", "decision", "probability", "proba",
    "prob", "classification", "class", "final", "f1", "default", "positive", "model", "youden", "tuned", "value",
})  # fmt: skip
_THRESHOLDS = ("thresh", "cutoff", "cut_off")
_COLUMNS = ("feature", "column", "cols")
# Words in the keys of values that describe a model and change no answer.
_NOTES = frozenset({
    "metric", "metrics", "score", "scores", "accuracy", "auc", "roc", "f1", "precision", "recall", "rmse", "mse", "mae",
    "mape", "r2", "loss", "cv", "version", "versions", "date", "created", "trained", "time", "timestamp", "author", "name",
    "description", "params", "parameters", "hyperparameters", "importance", "importances", "history", "report", "matrix",
    "confusion", "note", "notes", "info", "metadata", "meta", "seed", "test", "train", "training", "valid", "validation",
    "sample", "samples", "size", "n", "num", "count", "type", "algorithm", "id", "results",
})  # fmt: skip
# Words in the keys of lists of columns that the model does not take.
_NO_INPUTS = frozenset({
    "drop", "dropped", "remove", "removed", "exclude", "excluded", "ignore", "ignored", "id", "ids", "target", "targets",
    "label", "labels",
})  # fmt: skip
# Words in the keys of lists of columns of one kind.
_ONE_KIND = frozenset(
    {"categorical", "cat", "cats", "numeric", "numerical", "num", "nums", "text", "texts", "date", "dates"}
)
# Modules of objects that only record something, under a key that says so.
_RECORDS_ONLY = ("datetime.", "pandas.", "numpy.", "uuid.", "decimal.", "builtins.")
# Words in keys of values that the training code may have applied to rows or answers.
_APPLIED = frozenset({
    "mean", "means", "median", "medians", "std", "mode", "modes", "min", "max", "scale", "scaling", "offset", "shift", "log",
    "lambda", "bias", "weight", "weights", "fill", "default", "defaults", "map", "mapping", "mappings", "encoding", "clip",
    "bounds", "transform", "transformation", "threshold", "thresholds", "cutoff",
})  # fmt: skip


def words_of(key: str) -> set[str]:
    """The words of a key: `scaler_y`, `scalerY` and `scaler-y` have the same."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])|\d+", key)}


def names_all(key: str) -> bool:
    """Whether a list of columns under this key may be all that the first part takes, and not those of one kind."""
    return not words_of(key) & _ONE_KIND


def role_of(value: Any, methods: Methods) -> Role:
    """The part that an estimator plays, by its methods and task."""
    found = estimator(value)
    if found is None or found.kind is None:
        return ""
    if found.name in LABELS:
        return "label_encoder"
    offered = methods(value)
    if "predict" in offered and task(found) != "transformer":
        return "model"
    if "transform" not in offered:
        return ""
    first = {one.name for head in heads(found) if (one := estimator(head)) is not None}
    return "vectorizer" if first & (TEXT | _RECORDS) else "preprocessor"


def with_roles(listed: tuple[Content, ...], root: Any, methods: Methods) -> tuple[Content, ...]:
    """The contents of a bundle with their roles; those inside other containers have none."""
    values = dict(pairs(root) or ())
    roles: dict[str, Role] = {key: role_of(value, methods) or _plain_role(key, value) for key, value in values.items()}
    held = _held_by_others(values)
    roles |= dict.fromkeys(held, "")
    models = [key for key, role in roles.items() if role == "model"]
    found = estimator(values[models[0]]) if len(models) == 1 else None
    if found is not None:
        beside = {key: role for key, role in roles.items() if key not in held}
        roles |= _beside(found, values, beside, methods)
    return tuple(replace(one, role=roles.get(one.key, "")) for one in listed)


def _held_by_others(values: Mapping[str, Any]) -> list[str]:
    """The keys of estimators that are steps of another one, which applies them already."""
    estimators = {key: value for key, value in values.items() if estimator(value) is not None}
    inside = {key: {id(part) for part in walk(value)} - {id(value)} for key, value in estimators.items()}
    return [
        key
        for key, value in estimators.items()
        if any(id(value) in held for other, held in inside.items() if other != key)
    ]


def _beside(
    model: Estimator, values: Mapping[str, Any], roles: Mapping[str, Role], methods: Methods
) -> dict[str, Role]:
    """The roles of the values beside the only model, where it decides them."""
    inputs = [found for key in roles if roles[key] in ("preprocessor", "model") and (found := estimator(values[key]))]
    columns = {name for one in inputs for name in feature_names(one)}
    labels = list(classes(model) or ())
    several = {role for role in roles.values() if [*roles.values()].count(role) > 1}
    decided: dict[str, Role] = {}
    for key, role in roles.items():
        value = values[key]
        if role == "label_encoder":
            decided[key] = _label_role(key, value, model, columns) if role not in several else "undecided"
        elif role == "threshold":
            two = (
                task(model) == "classifier"
                and len(classes(model) or ()) == 2
                and "predict_proba" in methods(model.instance)
            )
            clear = two and _is_share(value) and words_of(key) <= _OF_THRESHOLD and role not in several
            decided[key] = "threshold" if clear else "undecided"
        elif role == "preprocessor":
            decided[key] = _target_role(key, value, model)
        elif role == "" and sequence(value) != labels and _may_be_applied(key, value, columns):
            decided[key] = "undecided"
    return decided


def _label_role(key: str, value: Any, model: Estimator, columns: set[str]) -> Role:
    encoder = estimator(value)
    labels = class_labels(model)
    answers = sequence(labels[0]) if task(model) == "classifier" and len(labels) == 1 else None
    known = sequence(encoder.get("classes_")) if encoder is not None and encoder.name == "LabelEncoder" else None
    return role_of_labels(key, known, answers, columns)


def role_of_labels(key: str, known: Sequence[Any] | None, answers: Sequence[Any] | None, columns: set[str]) -> Role:
    """The role of a LabelEncoder: of the answers only if it has their number of classes, and its key names nothing else.

    `known` are its classes, `answers` those of the model, None if that is no classifier or they are not known.
    """
    if known is None or answers is None:
        return "undecided"
    if list(answers) == list(known) and list(answers) != list(range(len(answers))):
        return ""  # the model answers these labels itself
    words = words_of(key)
    named = bool(words) and words <= _OF_LABELS and not words & {one.lower() for one in columns}
    numbered = list(answers) == list(range(len(known))) and not any(isinstance(one, bool) for one in answers)
    return "label_encoder" if named and numbered else "undecided"


def _target_role(key: str, value: Any, model: Estimator) -> Role:
    scaler = estimator(value)
    if scaler is None:
        return "undecided"
    outputs = max(output_count(model), 1) if task(model) == "regressor" else 0
    return role_of_scaler(key, scaler.name, feature_count(scaler), outputs)


def role_of_scaler(key: str, name: str, width: int | None, outputs: int) -> Role:
    """The role of a transformer: of the target if its key says so, it has an inverse and the width of a regressor's answers."""
    if not words_of(key) & _TARGET:
        return "preprocessor"
    return "target_scaler" if name in _INVERTIBLE and width == outputs else "undecided"


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value <= 1


def _plain_role(key: str, value: Any) -> Role:
    """The part that a plain value plays, by its key and form."""
    name = key.lower()
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and any(word in name for word in _THRESHOLDS):
        return "threshold"
    if isinstance(value, dict) and value and all(_is_encoder(key, one) for key, one in value.items()):
        return "column_encoders"
    if any(word in name for word in _COLUMNS) and not isinstance(value, str) and not words_of(key) & _NO_INPUTS:
        names = sequence(value) or []
        return "columns" if names and all(isinstance(one, str) for one in names) else ""
    return ""


def _is_encoder(key: Any, value: Any) -> bool:
    found = estimator(value)
    return isinstance(key, str) and found is not None and found.name == "LabelEncoder"


def _may_be_applied(key: str, value: Any, known: set[str]) -> bool:
    """Whether the training code may have applied a value of no known part to the rows or the answers.

    `known` are the names of columns: a list of them only describes the model.
    """
    words = words_of(key)
    if words & _APPLIED:
        return True
    if any(estimator(one) is not None for one in walk(value)):
        return True
    inside = {word for name, _ in pairs(value, 200) or () for word in words_of(name)}
    if words & _NOTES and (not isinstance(value, Instance | Global) or kind(value).startswith(_RECORDS_ONLY)):
        return bool(inside & _APPLIED)
    if value is None or isinstance(value, str | bytes):
        return False
    names = sequence(value)
    if words & _NO_INPUTS and names is not None and not known & set(map(str, names)):
        return False
    return not (names is not None and names and all(isinstance(one, str) and one in known for one in names))
