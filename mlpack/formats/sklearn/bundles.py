"""Bundles: the part that each object plays (vectorizer, model, threshold), and the predict.py that chains them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from mlpack.artifacts.model import Content, ModelInfo, Role
from mlpack.artifacts.notice import Notice, left_out, no_signature
from mlpack.formats.sklearn.estimators import Estimator, estimator, sequence
from mlpack.formats.sklearn.features import class_labels, heads
from mlpack.formats.sklearn.kinds import LABELS, TEXT
from mlpack.formats.sklearn.likes import SERIES
from mlpack.formats.sklearn.methods import Methods, task
from mlpack.formats.sklearn.signatures import inputs_of
from mlpack.readers.pickles.contents import pairs
from mlpack.templating import render

OWN_LOADER = "write a predictor of your own and name it in mlpack.yaml: `predictor: predict.py`"
_TOGETHER = (
    "`mlpack init {file}` writes a predict.py that calls them one after the other, to check and to name as `predictor:`"
)
_FORECAST = '[np.asarray(model.forecast(int(row["steps"]))).tolist() for row in instances]'
_RECORDS = frozenset({"DictVectorizer", "FeatureHasher"})
_THRESHOLDS = ("thresh", "cutoff", "cut_off")
_COLUMNS = ("feature", "column", "cols")
# Parts that change the answer, so that serving the model without them is wrong.
_TAKE_PART = ("vectorizer", "preprocessor", "column_encoders", "label_encoder", "threshold")


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
    models = [found for key, role in roles.items() if role == "model" and (found := estimator(values[key]))]
    if len(models) == 1 and not _encoded(models[0]):
        roles = {key: "" if role == "label_encoder" else role for key, role in roles.items()}
    if len(models) == 1 and "predict_proba" not in methods(models[0].instance):
        roles = {key: "" if role == "threshold" else role for key, role in roles.items()}
    return tuple(replace(one, role=roles.get(one.key, "")) for one in listed)


def _plain_role(key: str, value: Any) -> Role:
    """The part that a plain value plays, by its key and form."""
    name = key.lower()
    if isinstance(value, float) and 0 <= value <= 1 and any(word in name for word in _THRESHOLDS):
        return "threshold"
    if isinstance(value, dict) and value and all(_is_encoder(key, one) for key, one in value.items()):
        return "column_encoders"
    if any(word in name for word in _COLUMNS) and not isinstance(value, str):
        names = sequence(value) or []
        return "columns" if names and all(isinstance(one, str) for one in names) else ""
    return ""


def _is_encoder(key: Any, value: Any) -> bool:
    found = estimator(value)
    return isinstance(key, str) and found is not None and found.name == "LabelEncoder"


def _encoded(model: Estimator) -> bool:
    """Whether a classifier's labels are 0, 1, 2, ..., as a label encoder makes them."""
    labels = class_labels(model)
    values = sequence(labels[0]) if len(labels) == 1 else None
    return task(model) == "classifier" and (values is None or values == list(range(len(values))))


def bundle_notices(listed: Sequence[Content], entry: str | None, root: Any, file: str) -> list[Notice | str]:
    """What to say of a bundle: which entries can be served, or which parts the chosen one is served without."""
    together = _TOGETHER.format(file=quote(file)) if chained(listed) else OWN_LOADER
    if pairs(root, 1) is None:  # the attributes of an object
        together = "leave --entry out, and add the code of its class with --include"
    if entry is None:
        keys = [one.key for one in in_order(listed)]
        if not keys:
            return [no_signature("nothing in it can be served directly", OWN_LOADER)]
        choice = f"choose one to serve with --entry {' or --entry '.join(keys[:5])}, which leaves the others out"
        return [no_signature("it contains several objects", f"{choice}; or use them together: {together}")]
    inside = [one for one in listed if one.role in _TAKE_PART and not f"{entry}.".startswith(f"{one.key}.")]
    return [left_out(entry, [words(one) for one in inside], together)] if inside else []


def in_order(listed: Sequence[Content]) -> list[Content]:
    """The parts that can be served alone, models first."""
    return sorted((one for one in listed if one.servable), key=lambda one: one.role not in ("model", ""))


def words(part: Content) -> str:
    """A part in words: its class or value, and its role."""
    named = part.detail if part.role == "threshold" else part.kind.rpartition(".")[2]
    return f"{part.role.replace('_', ' ')} {part.key} ({named})" if part.role else f"{part.key} ({named})"


def chained(listed: Sequence[Content]) -> bool:
    """Whether the parts are understood well enough to write a predict.py: one model, and others that take part."""
    roles = [one.role for one in listed]
    return roles.count("model") == 1 and bool({*_TAKE_PART} & {*roles}) and roles.count("label_encoder") < 2


def facts_of(root: Any, listed: Sequence[Content]) -> dict[str, Any]:
    """Details for the predict.py beyond the roles: the keys as Python writes them, the inputs; {} if nothing is chained."""
    if not chained(listed):
        return {}
    values, keys = dict(pairs(root) or ()), _keys(root)
    if any(one.role and one.key not in keys for one in listed):
        return {}
    order = ("preprocessor", "model")
    first = next((one.key for role in order for one in listed if one.role == role), "")
    plain = not any(one.role in ("vectorizer", "column_encoders") for one in listed)
    found = estimator(values[first]) if plain else None
    inputs = inputs_of(found) if found is not None else None
    known = inputs is not None and bool(inputs.columns) and not inputs.problem and not inputs.assumed
    dtypes = {spec.name: spec.dtype for spec in inputs.specs} if inputs and inputs.layout == "columns" else {}
    facts = {
        "keys": {one.key: ascii(keys[one.key]) for one in listed if one.role},
        "inputs": {name: dtypes.get(name, "FP64") for name in inputs.columns} if inputs and known else {},
    }
    return {"bundle": facts}


def _keys(root: Any) -> dict[str, str | int]:
    """A container's own keys, by their text; only texts and whole numbers, which can be written into code."""
    if isinstance(root, list | tuple):
        return {str(place): place for place in range(len(root))}
    held = root if isinstance(root, dict) else [key for key, _ in root.mapping]
    return {str(key): key for key in held if type(key) in (str, int)}


def predictor_of(info: ModelInfo) -> str | None:
    """A predict.py that calls the parts one after the other, for the user to check; None for other files."""
    if info.root_class.startswith(SERIES):
        call = {"expression": _FORECAST, "row": '{"steps": 3}', "inputs": {"steps": "INT64"}, "load": False}
        return render("predict_object.py.j2", {"file": info.path.name, "class": info.root_class, **call})
    facts = info.details.get("bundle")
    if not facts or info.entry is not None:
        return None
    listed, keys = info.contents, facts["keys"]
    parts = {role: [one for one in listed if one.role == role] for role in ("model", "columns", *_TAKE_PART)}
    used = [one for role in ("columns", *_TAKE_PART, "model") for one in parts[role]]
    return render(
        "predict_bundle.py.j2",
        {
            "file": info.path.name,
            "files": [one.key for one in used] if facts.get("files") else [],
            "used": [words(one) for one in used],
            "rest": [words(one) for one in listed if one not in used and "." not in one.key],
            "inputs": facts["inputs"],
            "parts": {role: [f"model[{keys[one.key]}]" for one in found] for role, found in parts.items()},
        },
    )
