"""Bundles: what each object is for, what an entry leaves out, and the predict.py that chains the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from mlpack.artifacts.model import Content, ModelInfo, Role, Signature
from mlpack.artifacts.notice import Notice, left_out, no_signature
from mlpack.formats.sklearn.bundles.chains import Chain, Part, chain_of, facts_of_chain
from mlpack.formats.sklearn.bundles.roles import names_all, role_of, role_of_labels, role_of_scaler, with_roles
from mlpack.formats.sklearn.bundles.widths import width_of
from mlpack.formats.sklearn.estimators import Estimator, estimator, estimators_in, sequence
from mlpack.formats.sklearn.features import class_type, feature_count, feature_names
from mlpack.formats.sklearn.likes import SERIES
from mlpack.formats.sklearn.signatures import inputs_of, signatures_of
from mlpack.readers.pickles.contents import pairs
from mlpack.templating import render

__all__ = ["OWN_LOADER", "bundle_notices", "facts_of", "predictor_of", "role_of", "with_roles"]

OWN_LOADER = "write a predictor of your own and name it in mlpack.yaml: `predictor: predict.py`"
_TOGETHER = (
    "`mlpack init {file}` writes a predict.py that calls them one after the other, to check and to name as `predictor:`"
)
_OPEN = (
    "`mlpack init {file}` writes a predict.py, to name as `predictor:`, in which you decide what the file does not tell: "
    "{questions}"
)
_FORECAST = '[np.asarray(model.forecast(int(row["steps"]))).tolist() for row in instances]'
# Parts that change the answer, so that serving the model without them is wrong.
_TAKE_PART = (
    "vectorizer", "preprocessor", "column_encoders", "label_encoder", "threshold", "target_scaler", "undecided",
)  # fmt: skip


def bundle_notices(listed: Sequence[Content], entry: str | None, root: Any, file: str) -> list[Notice | str]:
    """What to say of a bundle: which entries can be served, or which parts the chosen one is served without."""
    chain = _chain_of(root, listed)
    together = OWN_LOADER if chain is None else _words_of(chain).format(file=quote(file))
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
    plain = part.role in ("threshold", "undecided") and "." not in part.kind and part.detail
    named = part.detail if plain else part.kind.rpartition(".")[2]
    return f"{part.role.replace('_', ' ')} {part.key} ({named})" if part.role else f"{part.key} ({named})"


def _words_of(chain: Chain) -> str:
    questions = [*chain.rows, *chain.answers]
    shown = "; ".join(questions[:3]) + ("; ..." if len(questions) > 3 else "")
    return _OPEN.replace("{questions}", shown.replace("{", "{{").replace("}", "}}")) if questions else _TOGETHER


def _chain_of(root: Any, listed: Sequence[Content]) -> Chain | None:
    """The chain of a container's parts; None if one of them has a key that cannot be written into code."""
    values, keys = dict(pairs(root) or ()), _keys(root)
    playing = [one for one in listed if one.role]
    if any(one.key not in keys or one.key not in values for one in playing):
        return None
    return chain_of([_part(one, values[one.key], f"model[{keys[one.key]!a}]") for one in playing])


def facts_of(root: Any, listed: Sequence[Content]) -> dict[str, Any]:
    """Details for the predict.py: how the parts are called; {} if nothing is chained."""
    chain = _chain_of(root, listed)
    return {} if chain is None else {"bundle": facts_of_chain(chain)}


def _keys(root: Any) -> dict[str, str | int]:
    """A container's own keys, by their text; only texts and whole numbers, which can be written into code."""
    if isinstance(root, list | tuple):
        return {str(place): place for place in range(len(root))}
    held = root if isinstance(root, dict) else [key for key, _ in getattr(root, "mapping", ())]
    return {str(key): key for key in held if type(key) in (str, int)}


def _part(one: Content, value: Any, code: str) -> Part:
    """A value of a bundle as a part."""
    found = estimator(value)
    part = Part(key=one.key, code=code, role=one.role, kind=one.kind, shown="" if "." in one.kind else one.detail)
    if one.role == "columns":
        return replace(part, listed=tuple(sequence(value) or ()) if names_all(one.key) else ())
    if one.role == "column_encoders":
        return replace(part, encoders=tuple((key, class_type(Estimator(held))) for key, held in value.items()))
    if found is None:
        return part
    inputs = inputs_of(found)
    method = "predict" if one.role == "model" else "transform"
    signatures = signatures_of(found, (method,), inputs, batchable=False)
    part = replace(part, takes=feature_count(found), names=feature_names(found), gives=_gives(found, one.role))
    frames = isinstance(found.get("_sklearn_output_config"), dict)
    part = replace(part, frames=frames, held=tuple(held.path for held in estimators_in(found.instance)[1:]))
    unclear = [f"how missing values of {one.key} are marked: None or NaN"] if _knows_none(found) else []
    return _with_rows(part, signatures[0] if signatures else None, categorical=inputs.categorical, doubts=unclear)


def _gives(found: Estimator, role: str) -> int | None:
    return None if role in ("model", "label_encoder") else width_of(found)


def _knows_none(found: Estimator) -> bool:
    """Whether a missing text was None in training: an encoder has that among its categories, or an imputer looks for it."""
    for one in estimators_in(found.instance):
        lists = [sequence(values) or [] for values in sequence(one.get("categories_")) or []]
        imputer = one.name == "SimpleImputer" and one.attributes.get("missing_values", 0) is None
        if imputer or any(None in values for values in lists):
            return True
    return False


def _with_rows(
    part: Part, signature: Signature | None, *, categorical: Sequence[str] = (), doubts: Sequence[str] = ()
) -> Part:
    """The part with what its rows are, by its signature."""
    if signature is None:
        return part
    if signature.layout == "tensors":
        form = "object" if signature.objects else "text" if signature.inputs[0].name == "text" else ""
        return replace(part, form=form, doubts=tuple(doubts))
    dtypes = {spec.name: spec.dtype for spec in signature.inputs}
    by_name = signature.layout == "columns"
    names = signature.trained_columns or signature.columns
    columns = tuple((name, dtypes.get(name) if by_name else "FP64") for name in names) if part.names else ()
    more = [
        *([f"the types of the columns {', '.join(signature.assumed[:5])} of {part.key}"] if signature.assumed else []),
        *(
            [f"how the dates in {', '.join(sorted(signature.dates)[:5])} of {part.key} are read"]
            if signature.dates
            else []
        ),
        *([f"the categories (pandas) of {', '.join(categorical[:5])} of {part.key}"] if categorical else []),
    ]
    form = "table" if columns else "" if by_name else "matrix"
    return replace(part, columns=columns, form=form, doubts=(*doubts, *more))


def _parts_of_folder(info: ModelInfo) -> list[Part]:
    """The files of a folder as parts."""
    found = []
    model = next(one for one in info.parts.values() if one.role == "model")
    for key, one in info.parts.items():
        signature = one.signatures[0] if one.signatures else None
        shape = (
            signature.outputs[0].shape if signature and signature.method == "transform" and signature.outputs else ()
        )
        gives = shape[1] if len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 0 else None
        part = Part(
            key=key,
            code=f"model[{key!a}]",
            role=_role_beside(key, one, model),
            kind=one.root_class,
            takes=one.n_features_in,
            gives=gives,
            names=one.feature_names,
            held=tuple(kind for _, kind in one.steps),
        )
        found.append(_with_rows(part, signature, categorical=one.options.get("categorical") or ()))
    return found


def _role_beside(key: str, one: ModelInfo, model: ModelInfo) -> Role:
    """The role of a file beside the model's file, by the words of its name."""
    stem = key.rpartition("/")[2].partition(".")[0]
    name = one.root_class.rpartition(".")[2]
    if one.role == "label_encoder":
        columns = {name for part in (one, model) for name in part.feature_names}
        known = one.classes if name == "LabelEncoder" else None
        return role_of_labels(stem, known, model.classes if model.task == "classifier" else None, columns)
    if one.role != "preprocessor":
        return one.role
    shape = model.signatures[0].outputs[0].shape if model.signatures and model.signatures[0].outputs else ()
    outputs = int(shape[1]) if len(shape) == 2 else 1
    return role_of_scaler(stem, name, one.n_features_in, outputs if model.task == "regressor" else 0)


def predictor_of(info: ModelInfo) -> str | None:
    """A predict.py that calls the parts one after the other, for the user to check; None for other files."""
    if info.root_class.startswith(SERIES):
        call = {"expression": _FORECAST, "row": '{"steps": 3}', "inputs": {"steps": "INT64"}, "load": False}
        return render("predict_object.py.j2", {"file": info.path.name, "class": info.root_class, **call})
    if info.entry is not None:
        return None
    chain = chain_of(_parts_of_folder(info)) if info.parts else None
    facts: Mapping[str, Any] | None = facts_of_chain(chain) if chain else info.details.get("bundle")
    if not facts:
        return None
    used = [one for key in facts["used"] for one in info.contents if one.key == key]
    rest = [one for one in info.contents if one not in used and "." not in one.key]
    files = [one.key for one in used] if info.parts else []
    values = {"file": info.path.name, "files": files, "used": list(map(words, used)), "rest": list(map(words, rest))}
    return render("predict_bundle.py.j2", {**facts, **values})
