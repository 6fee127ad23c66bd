"""Check the states that a file gives its objects (BUILD): attributes and texts that would run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.allowlist import use_of
from mlpack.readers.verdicts.argument_checks import acts
from mlpack.readers.verdicts.attributes import check_attributes, concerns

# Attributes that change how an object is loaded or called; no class stores them in an object's state.
_HOOKS = frozenset(
    {"__setstate__", "__reduce__", "__reduce_ex__", "__class__", "__getattribute__", "__getattr__", "__setattr__"}
    | {"__call__", "__del__", "__init__", "__new__", "__code__", "__globals__", "__builtins__", "__subclasshook__"}
)
# scipy's distributions run this text when the state is set. scipy's own text is three functions that pass arguments on.
_SCIPY_TEMPLATE = re.compile(
    r"(\s*def _parse_args\w*\(self[\w ,=']*\):"
    r"\s*return (self\._argcheck_rvs)?\([\w ,=]*\)[\w ,=]*)*\s*"
)
_SCORERS = ("sklearn.metrics._scorer.", "sklearn.metrics.scorer.", "functools.partial")  # checked separately
_SLOTS = ("scipy.interpolate.",)  # classes with slots
# Functions that create a new object, whose state is set afterwards.
_MAKERS = frozenset(
    {"_reconstructor", "newObj", "_mareconstruct", "__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"}
    | {"__pyx_unpickle_SeedSequence"}
)
_SMALL_CLASSES = frozenset(
    {"partial", "defaultdict", "deque", "datetime", "make_column_selector", "interp1d", "csr_matrix", "csc_matrix"}
    | {"coo_matrix", "bsr_matrix", "dia_matrix", "lil_matrix", "dok_matrix"}
)
# Attributes that may be a function, from the parameters of the libraries' classes.
_FUNCTIONS = frozenset(
    {
        "_asarray",
        "_call",
        "_curve_scorer",
        "_kmeans_single",
        "_objective",
        "_score_func",
        "activation",
        "activation_fn",
        "affinity",
        "analyzer",
    }
    | {"compute_importances", "cv", "distance_func", "distance_function", "dtype", "dtype_exclude", "dtype_include"}
    | {
        "effective_metric_",
        "error_norm",
        "eval_metric",
        "feature_names_out",
        "fun",
        "func",
        "fval",
        "importance_getter",
    }
    | {
        "inverse_func",
        "is_data_valid",
        "is_model_valid",
        "kernel",
        "loss",
        "metric",
        "metric_",
        "neg_label",
        "objective",
    }
    | {"owner", "pooling_func", "preprocessor", "refit", "sampling_strategy", "score_func", "scorer_", "scoring"}
    | {"tokenizer", "verbose_feature_names_out", "weights", "normalize", "_transform_func", "_fobj", "_eval_metric"}
)
_VERSION = "_sklearn_version"
_TEXTS = frozenset({"__doc__", "__name__"})  # only documentation
_METHOD_NAMES = frozenset(
    {"_response_method", "response_method", "stack_method", "stack_method_", "chain_method", "chain_method_"}
)
_METHODS = frozenset(
    {
        "auto",
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
        "transform",
        "score_samples",
        "score",
    }
    | {"fit", "fit_transform", "fit_predict"}
)
_RUN_TEXTS = ("statsmodels.base.data.", "scipy.stats.")  # modules whose classes run a text of their state
_KEYS = (str, int, float, bytes, tuple, type(None))
_MAPPINGS = (
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils.Bunch",
    "sklearn.utils._bunch.Bunch", "statsmodels.tools.tools.Bunch",
)  # fmt: skip


def check_state(record: Record, target: Instance, state: Any) -> None:
    """Record suspicious parts of the state that an object gets."""
    made = target.made_of
    known = made is not None and use_of(made) is not None
    if known and made is not None and not _accepts_state(made, target):
        record.dangerous(str(made), "the state of its result is set, which may be an existing object")
    for place, half in enumerate(state if isinstance(state, tuple) else (state,)):
        held = _held(half)
        if held is not None:
            _check_attributes(record, target, held)
            if known:
                _check_known(record, target, held, slots=place == 1 and len(state) == 2 and type(half) is dict)
        if held is None or not all(isinstance(key, _KEYS) for key in held):
            # An object that acts as a mapping is one for the loader too, so its content must be visible.
            if concerns(target, _RUN_TEXTS):
                record.dangerous(target.class_name, "its state, parts of which run as code, is computed by the file")
            elif held is not None:
                record.suspect(target.class_name, "the names of its attributes are computed by the file")
    if known and target.class_name in _SPECIAL:
        _SPECIAL[target.class_name](record, target, state)


def _accepts_state(made: Global, target: Instance) -> bool:
    # A class, or a function that creates a new object; others may return one of their arguments.
    last = made.name.rpartition(".")[2]
    return (
        made.name in _MAKERS or target.callable is not made or last.lstrip("_")[:1].isupper() or last in _SMALL_CLASSES
    )


def _check_known(record: Record, target: Instance, held: Mapping[Any, Any], *, slots: bool) -> None:
    """Check a known class, which calls only its function attributes, and methods only by known names."""
    name = target.class_name
    if slots and held and not name.startswith(_SLOTS):
        record.suspect(name, "its attributes are set one by one, which may call one of its methods")
    for key, value in held.items():
        if not isinstance(key, str):
            continue
        if key.startswith("__") and key.endswith("__") and not _is_note(key, value):
            record.dangerous(name, f"the file sets {key[:80]} on an object, which changes its behaviour")
        elif key in _METHOD_NAMES and not _all_methods(value):
            record.dangerous(name, f"its {key} names a method that no such model calls: {str(value)[:80]!r}")
        elif acts(value) and key not in _FUNCTIONS and not name.startswith(_SCORERS):
            if isinstance(value, Global) and key not in _METHODS:
                record.suspect(name, f"its attribute {key[:80]} is a function, which may replace one of its methods")
            else:
                record.dangerous(
                    name, f"its attribute {key[:80]} is a function that the file chooses, which may replace a method"
                )


def _is_note(key: str, value: Any) -> bool:
    """A documentation text, or torch.jit's empty mark in a compiled module; nothing calls it."""
    return (key in _TEXTS and isinstance(value, (str, type(None)))) or (key == "__overloads__" and value == {})


def _all_methods(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_all_methods, value))
    return value is None or (isinstance(value, str) and value in _METHODS) or _is_unknown(value)


def _is_unknown(value: Any) -> bool:
    return isinstance(value, Global) and use_of(value) is None


def _check_scorer(record: Record, target: Instance, state: Any) -> None:
    function = state.get("_score_func") if isinstance(state, dict) else None
    right = isinstance(function, Global) and (
        use_of(function) is None or function.module.startswith("sklearn.metrics.")
    )
    if isinstance(state, dict) and function is None:
        right = True  # calls the model's own score
    if not right:
        record.dangerous(target.class_name, "it calls a function that is not one of scikit-learn's scores")


def _check_partial(record: Record, target: Instance, state: Any) -> None:
    # (function, arguments, arguments by name, attributes)
    right = isinstance(state, tuple) and len(state) == 4 and target.args[:1] == state[:1]
    if not right or not isinstance(state[0], Global) or type(state[1]) is not tuple or not isinstance(state[2], dict):
        record.dangerous(target.class_name, "it calls an object that the file computes")
    elif use_of(state[0]) is not None and any(map(acts, (*state[1], *state[2].values()))):
        record.dangerous(target.class_name, "it passes a function to a function, which may call it")


_SPECIAL = {
    "functools.partial": _check_partial,
    **{f"sklearn.metrics.{module}.{name}": _check_scorer
       for module in ("_scorer", "scorer")
       for name in ("_Scorer", "_PredictScorer", "_ProbaScorer", "_ThresholdScorer", "_CurveScorer", "_PassthroughScorer")},
}  # fmt: skip


def _held(half: Any) -> Mapping[Any, Any] | None:
    """The content of a part of a state: a dict, or an object that acts as one; None when it is not visible."""
    if isinstance(half, dict):
        return half
    if not isinstance(half, Instance):
        return {}
    if half.class_name not in _MAPPINGS:
        return None
    own = half.state if isinstance(half.state, dict) else {}  # a Bunch's attributes are its items
    pairs = list(_pairs([one for one in half.args if not isinstance(one, Global)]))
    return None if None in pairs else {**dict(filter(None, pairs)), **half.kwargs, **own, **dict(half.mapping)}


def _pairs(given: list[Any]) -> Iterator[tuple[Any, Any] | None]:
    """The pairs of a mapping, None for anything that is not a visible pair."""
    for one in given:
        if isinstance(one, dict):
            yield from one.items()
        elif isinstance(one, list | tuple):
            for pair in one:
                known = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], _KEYS)
                yield (pair[0], pair[1]) if known else None
        else:
            yield None


def _check_attributes(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    if not _HOOKS.isdisjoint(held):
        hook = min(_HOOKS.intersection(held))
        record.dangerous(target.class_name, f"the file sets {hook} on an object, which makes loading run other code")
    if type(held.get(_VERSION, "")) is not str:
        record.dangerous(
            target.class_name,
            f"its {_VERSION} is no text: scikit-learn compares and prints it, which calls methods of it",
        )
    check_attributes(record, target, held)
    if not _SCIPY_TEMPLATE.fullmatch(str(held.get("_parse_arg_template", ""))):
        record.dangerous(
            target.class_name, "its state contains a text that scipy runs as code and that is not scipy's own"
        )
