"""What a file puts into the objects that it makes (BUILD): attributes that make loading run code, texts that run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.allowlist import use_of
from mlpack.readers.verdicts.argument_checks import acts
from mlpack.readers.verdicts.attributes import check_attributes, concerns

# Attributes that change how an object is loaded or called: no class keeps them in an object's state.
_HOOKS = frozenset(
    {"__setstate__", "__reduce__", "__reduce_ex__", "__class__", "__getattribute__", "__getattr__", "__setattr__"}
    | {"__call__", "__del__", "__init__", "__new__", "__code__", "__globals__", "__builtins__", "__subclasshook__"}
)
# scipy's distributions run this text when they get their state. Its own is three functions that hand arguments on.
_SCIPY_TEMPLATE = re.compile(
    r"(\s*def _parse_args\w*\(self[\w ,=']*\):"
    r"\s*return (self\._argcheck_rvs)?\([\w ,=]*\)[\w ,=]*)*\s*"
)
_SCORERS = ("sklearn.metrics._scorer.", "sklearn.metrics.scorer.", "functools.partial")  # checked on their own
_SLOTS = ("scipy.interpolate.",)  # classes whose attributes are no dict
# Functions that make a new object, which then gets its state.
_MAKERS = frozenset(
    {"_reconstructor", "newObj", "_mareconstruct", "__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"}
    | {"__pyx_unpickle_SeedSequence"}
)
_SMALL_CLASSES = frozenset(
    {"partial", "defaultdict", "deque", "datetime", "make_column_selector", "interp1d", "csr_matrix", "csc_matrix"}
    | {"coo_matrix", "bsr_matrix", "dia_matrix", "lil_matrix", "dok_matrix"}
)
# Attributes that hold a function, by the parameters of the libraries' classes.
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
_TEXTS = frozenset({"__doc__", "__name__"})  # read by people
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
_RUN_TEXTS = ("statsmodels.base.data.", "scipy.stats.")  # where classes run a text of their state
_KEYS = (str, int, float, bytes, tuple, type(None))
_MAPPINGS = (
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils.Bunch",
    "sklearn.utils._bunch.Bunch", "statsmodels.tools.tools.Bunch",
)  # fmt: skip


def check_state(record: Record, target: Instance, state: Any) -> None:
    """Note what is odd in a state that an object is given."""
    made = target.made_of
    known = made is not None and use_of(made) is not None
    if known and made is not None and not _takes_state(made, target):
        record.trick(str(made), "its result is given a state, and may be another object than it seems")
    for place, half in enumerate(state if isinstance(state, tuple) else (state,)):
        held = _held(half)
        if held is not None:
            _check_attributes(record, target, held)
            if known:
                _check_known(record, target, held, slots=place == 1 and len(state) == 2 and type(half) is dict)
        if held is None or not all(isinstance(key, _KEYS) for key in held):
            # A mapping that another object stands for is one for the loader too: what is in it has to be seen.
            if concerns(target, _RUN_TEXTS):
                record.trick(target.class_name, "its state, parts of which run as code, is put together out of sight")
            elif held is not None:
                record.suspect(target.class_name, "the names of its attributes are put together by the file")
    if known and target.class_name in _SPECIAL:
        _SPECIAL[target.class_name](record, target, state)


def _takes_state(made: Global, target: Instance) -> bool:
    # A class, or a function that makes a new object; others may give back what they were given.
    last = made.name.rpartition(".")[2]
    return (
        made.name in _MAKERS or target.callable is not made or last.lstrip("_")[:1].isupper() or last in _SMALL_CLASSES
    )


def _check_known(record: Record, target: Instance, held: Mapping[Any, Any], *, slots: bool) -> None:
    """A class that is known calls no attribute but those that hold functions, and methods only by the names that it knows."""
    name = target.class_name
    if slots and held and not name.startswith(_SLOTS):
        record.suspect(name, "its attributes are set one by one, which may call a method of it")
    for key, value in held.items():
        if not isinstance(key, str):
            continue
        if key.startswith("__") and key.endswith("__") and not _is_note(key, value):
            record.trick(name, f"the file sets {key[:80]} on an object, which changes what it does")
        elif key in _METHOD_NAMES and not _all_methods(value):
            record.trick(name, f"its {key} names a method that no such model calls: {str(value)[:80]!r}")
        elif acts(value) and key not in _FUNCTIONS and not name.startswith(_SCORERS):
            if isinstance(value, Global) and key not in _METHODS:
                record.suspect(name, f"its attribute {key[:80]} holds a function, which may stand for a method of it")
            else:
                record.trick(
                    name, f"its attribute {key[:80]} is a function of the file's choice, which may stand for a method"
                )


def _is_note(key: str, value: Any) -> bool:
    """A text for people, or torch.jit's empty note in a module that it has compiled: nothing calls it."""
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
        right = True  # one that passes the model's own score on
    if not right:
        record.trick(target.class_name, "it calls something else than one of scikit-learn's scores")


def _check_partial(record: Record, target: Instance, state: Any) -> None:
    # (function, arguments, arguments by name, attributes)
    right = isinstance(state, tuple) and len(state) == 4 and target.args[:1] == state[:1]
    if not right or not isinstance(state[0], Global) or type(state[1]) is not tuple or not isinstance(state[2], dict):
        record.trick(target.class_name, "it calls what the file has put together itself")
    elif use_of(state[0]) is not None and any(map(acts, (*state[1], *state[2].values()))):
        record.trick(target.class_name, "it gives a function to a function, which may call it")


_SPECIAL = {
    "functools.partial": _check_partial,
    **{f"sklearn.metrics.{module}.{name}": _check_scorer
       for module in ("_scorer", "scorer")
       for name in ("_Scorer", "_PredictScorer", "_ProbaScorer", "_ThresholdScorer", "_CurveScorer", "_PassthroughScorer")},
}  # fmt: skip


def _held(half: Any) -> Mapping[Any, Any] | None:
    """What is in a part of a state: of a dict, or of an object that is used as one; None when that cannot be seen."""
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
    """The pairs that a mapping is made of, None for what cannot be seen as one."""
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
        record.trick(target.class_name, f"the file sets {hook} on an object, which makes loading run other code")
    check_attributes(record, target, held)
    if not _SCIPY_TEMPLATE.fullmatch(str(held.get("_parse_arg_template", ""))):
        record.trick(target.class_name, "its state holds a text that scipy runs as code, and it is not scipy's own")
