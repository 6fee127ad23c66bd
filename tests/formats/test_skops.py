"""skops files: their schema read as data, judged by every type that it names, whatever node it hides in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import FunctionTransformer

from mlpack.errors import MlpackError, UnknownFormatError, UnreadableModelError
from mlpack.runtime.models.guard import Guard, NotInspectedError
from tests.formats.answering import inspected, loader_of
from tests.formats.booster_models import numbers

# Nodes that skops would make by calling what they name, and how each is written.
_INSIDE: dict[str, Any] = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"id"'}
HOSTILE: dict[str, dict[str, Any]] = {
    "object": {"__class__": "system", "__module__": "os", "__loader__": "ObjectNode"},
    "list": {"__class__": "system", "__module__": "os", "__loader__": "ListNode", "content": [_INSIDE]},
    "tuple": {"__class__": "system", "__module__": "posix", "__loader__": "TupleNode", "content": [_INSIDE]},
    "dict": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "DictNode", "content": {"a": _INSIDE}},
    "function": {"__class__": "eval", "__module__": "builtins", "__loader__": "FunctionNode"},
    "type": {"__class__": "Popen", "__module__": "subprocess", "__loader__": "TypeNode"},
    "constructor": {
        "__class__": "system", "__module__": "os", "__loader__": "ConstructorFromReduceNode",
        "content": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [_INSIDE]},
    },
    "operator": {
        "__class__": "methodcaller", "__module__": "operator", "__loader__": "OperatorFuncNode",
        "attrs": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": [_INSIDE]},
    },
    "new": {"__class__": "system", "__module__": "os", "__loader__": "SomeNodeOfTomorrow", "content": [_INSIDE]},
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    path = tmp_path_factory.mktemp("skops") / "model.skops"
    table = numbers()
    skops.io.dump(LogisticRegression().fit(table, table[:, 0] > 0), path)
    return path


def _rewritten(model: Path, path: Path, change: Any, more: dict[str, bytes] | None = None) -> Path:
    """The file with a changed schema, and with more files in it."""
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(path, "w") as new:
        for name, content in (more or {}).items():
            new.writestr(name, content)
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    return path


_TEXT_KEY = {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}


def _hidden(schema: dict[str, Any], part: Any) -> None:
    """Puts a part into the model's attributes, as one that is called `extra`."""
    attributes = schema["content"]
    attributes["content"]["extra"] = part
    attributes["key_types"]["content"].append(_TEXT_KEY)


def test_its_types_are_shown_and_trusted(model: Path) -> None:
    """The loader is told exactly the types that were judged; version of scikit-learn and skops become pins."""
    info = inspected(model)
    assert info.options["trusted"] == ["sklearn.linear_model._logistic.LogisticRegression"]
    assert info.details["container"] == "skops"
    assert info.details["skops"]["types"] == info.options["trusted"]
    pins = {one.distribution: one.version for one in info.requirements}
    assert pins["skops"] == skops.__version__
    assert info.framework_version == pins["scikit-learn"]
    assert not info.warnings


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_node(model: Path, kind: str, tmp_path: Path) -> None:
    """A dangerous callable is found in every kind of node, though the model beside it is sound."""

    def hide(schema: dict[str, Any]) -> None:
        _hidden(schema, HOSTILE[kind])

    info = inspected(_rewritten(model, tmp_path / "hostile.skops", hide))
    assert info.safety.verdict == "dangerous"
    named = f"{HOSTILE[kind]['__module__']}.{HOSTILE[kind]['__class__']}"
    assert named in {finding.callable for finding in info.safety.findings}


def test_an_unknown_type(model: Path, tmp_path: Path) -> None:
    """What skops would call untrusted and nobody knows is `unknown`, by name."""

    def hide(schema: dict[str, Any]) -> None:
        _hidden(schema, {**HOSTILE["object"], "__module__": "mine", "__class__": "Scorer"})

    info = inspected(_rewritten(model, tmp_path / "own.skops", hide))
    assert info.safety.verdict == "unknown"
    assert [finding.callable for finding in info.safety.findings] == ["mine.Scorer"]
    assert "mine.Scorer" in info.options["trusted"]  # the user's --trust covers what was shown
    assert info.missing_modules == ("mine",)


@pytest.mark.parametrize("change", ["cycle", "deep", "no schema", "no JSON", "cut off"])
def test_a_broken_file(model: Path, change: str, tmp_path: Path) -> None:
    """Told as broken, in bounded time; never a traceback."""
    path = tmp_path / "broken.skops"

    def break_it(schema: dict[str, Any]) -> None:
        if change == "cycle":
            schema["content"]["content"]["extra"] = {"__loader__": "CachedNode", "__id__": 1}
        elif change == "deep":
            node: dict[str, Any] = dict(_INSIDE)
            for _ in range(300):
                node = {**HOSTILE["list"], "__class__": "list", "__module__": "builtins", "content": [node]}
            schema["content"]["content"]["extra"] = node

    _rewritten(model, path, break_it)
    if change in ("no schema", "no JSON"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("schema.json" if change == "no JSON" else "other.json", "{")
    elif change == "cut off":
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(MlpackError) as raised:
        inspected(path)
    assert isinstance(raised.value, UnreadableModelError | UnknownFormatError)


def _named(name: str, **rest: Any) -> dict[str, Any]:
    module, _, kind = name.rpartition(".")
    return {"__module__": module, "__class__": kind, **rest}


def _json(value: Any) -> dict[str, Any]:
    return _named("builtins.str", __loader__="JsonNode", content=json.dumps(value), is_json=True)


def _list(*parts: Any, of: str = "builtins.list", kind: str = "ListNode") -> dict[str, Any]:
    return _named(of, __loader__=kind, content=list(parts))


def _dict(content: dict[str, Any], types: Any = None, of: str = "builtins.dict") -> dict[str, Any]:
    return _named(of, __loader__="DictNode", content=content, key_types=types or _list(*[_TEXT_KEY] * len(content)))


def _object(name: str, **state: Any) -> dict[str, Any]:
    return _named(name, __loader__="ObjectNode", content=_dict({key: _json(value) for key, value in state.items()}))


_TEXTS = "sklearn.feature_extraction.text.CountVectorizer"
_EVIL = {"formula": "y ~ I(x + __import__('os').system('id'))", "frame": {"x": [1]}, "restore_model_spec": True}
_STATE: dict[str, tuple[dict[str, Any], str]] = {
    "formula": (_object("statsmodels.base.data.PandasData", **_EVIL), "formula"),
    "formula in one text": (
        _named("statsmodels.base.data.PandasData", __loader__="ObjectNode", content=_json(_EVIL)), "formula",
    ),
    "formula of another class": (_object("sklearn.linear_model._logistic.LogisticRegression", **_EVIL), "formula"),
    "files": (_object(_TEXTS, input="filename", decode_error="strict"), "files"),
    "hook": (_object("sklearn.linear_model._logistic.LogisticRegression", __setstate__=1), "__setstate__"),
    "keys": (
        _dict({"id": _json(1)}, _list(_named("lightgbm.basic.Booster", __loader__="TypeNode"))), "keys of a dictionary",
    ),
    "bit generator": (
        _named("numpy.random._generator.Generator", __loader__="RandomGeneratorNode", content={
            "bit_generator": _dict({"bit_generator": _json("seed")}), "seed_seq": _dict({}),
        }), "random numbers",
    ),
    "objects": (_named("numpy.ndarray", __loader__="NdArrayNode", type="numpy", file="objects.npy"), "pickled"),
    "method": (
        _named(_TEXTS, __loader__="MethodNode", content={"func": "__init__", "obj": _object(_TEXTS)}), "attribute",
    ),
}  # fmt: skip


def _objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", _STATE)
def test_what_objects_are_given_is_judged(model: Path, kind: str, tmp_path: Path) -> None:
    """The state of objects is held to the same rules as a pickle's, and so is what skops calls for keys and random numbers."""
    part, why = _STATE[kind]
    path = _rewritten(
        model, tmp_path / "hostile.skops", lambda schema: _hidden(schema, part), {"objects.npy": _objects()}
    )
    found = inspected(path).safety
    assert found.verdict == "dangerous"
    assert any(why in one.why for one in found.findings)


_NOT_SAFE: dict[str, dict[str, Any]] = {
    # skops would call these classes, each of which is harmless where it is written by skops.
    "class of an array": _named("lightgbm.basic.Booster", __loader__="NdArrayNode", type="json", content=[], shape=_list()),
    "class of random numbers": _named("lightgbm.basic.Booster", __loader__="RandomStateNode", content=_dict({})),
    "class of a list": _list(of="pandas.core.frame.DataFrame"),
    "class of a dictionary": _dict({}, of="pandas.core.series.Series"),
    "constructor": _named(
        "xgboost.core.Booster", __loader__="ConstructorFromReduceNode", content=_list(of="builtins.tuple", kind="TupleNode")
    ),
    "unknown kind": _named("builtins.str", __loader__="NodeOfTomorrow", content=[]),
    "function of protocol 0": _named(
        "numpy.log1p", __loader__="FunctionNode", content={"module_path": "mine", "function": "run"}
    ),
    "place where skops does not look": {
        **_named("builtins.slice", __loader__="SliceNode"),
        "content": {"start": _named("mine.run", __loader__="TypeNode"), "stop": 1, "step": 1},
    },
    "factory": _named("collections.defaultdict", __loader__="DefaultDictNode", content={
        "main": _dict({}), "default_factory": _named("numpy.mean", __loader__="FunctionNode"),
    }),
    "keys without types": _dict({"a": _json(1)}, _list(_TEXT_KEY, _TEXT_KEY)),
}  # fmt: skip


@pytest.mark.parametrize("kind", _NOT_SAFE)
def test_other_than_skops_writes_is_not_safe(model: Path, kind: str, tmp_path: Path) -> None:
    """Where skops would call what no file of its own lets it call, or would drop or replace a part, the file is `unknown`."""
    path = _rewritten(model, tmp_path / "odd.skops", lambda schema: _hidden(schema, _NOT_SAFE[kind]))
    assert inspected(path).safety.verdict == "unknown"


def test_a_part_that_skops_replaces_is_seen(model: Path, tmp_path: Path) -> None:
    """skops loads the first of two parts with one id: the second one does not hide it, whatever it says."""

    def change(schema: dict[str, Any]) -> None:
        first = {**_object(_TEXTS, input="filename", decode_error="strict"), "__id__": 7}
        second = {**_object(_TEXTS, input="content", decode_error="strict"), "__id__": 7}
        _hidden(schema, _list(first, second))

    found = inspected(_rewritten(model, tmp_path / "twice.skops", change)).safety
    assert found.verdict == "dangerous"
    assert any("one id" in one.why for one in found.findings)


def test_two_files_of_one_name(model: Path, tmp_path: Path) -> None:
    """Readers differ in which of two files in an archive they take: not read, and the image refuses it as well."""
    path = tmp_path / "twice.skops"
    with pytest.warns(UserWarning, match="Duplicate"):
        _rewritten(model, path, lambda _: None, {"schema.json": b"{}"})
    with pytest.raises(UnreadableModelError, match=r"contains 'schema\.json' twice"):
        inspected(path)
    info = inspected(model)
    with pytest.raises(ValueError, match="same name"):
        loader_of("sklearn").load(str(path), dict(info.options), Guard(info.names))


def _models() -> list[Any]:
    table = numbers()
    labels = table[:, 0] > 0
    return [
        GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2).fit(table, labels),
        KNeighborsClassifier(algorithm="kd_tree").fit(table, labels),
        MLPClassifier(max_iter=2, random_state=np.random.RandomState(0)).fit(table, labels),
        CountVectorizer().fit(["a bc", "bc d"]),
        FunctionTransformer(np.log1p).fit(table),
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("place", range(5))
def test_the_guard_lists_all_that_a_model_needs(place: int, tmp_path: Path) -> None:
    """Models with masked arrays, trees, random states, functions load by the list in their card; not one name shorter."""
    fitted = _models()[place]
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    info = inspected(path)
    loader = loader_of("sklearn")
    assert type(loader.load(str(path), dict(info.options), Guard(info.names)).estimator) is type(fitted)
    known = info.names["types"]
    for name in known if place == 0 else ():
        with pytest.raises(NotInspectedError, match="inspection did not see"):
            loader.load(str(path), dict(info.options), Guard({"types": [one for one in known if one != name]}))


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_image_refuses_what_the_card_does_not_list(model: Path, kind: str, tmp_path: Path) -> None:
    """With inspection's verdict set aside, a file that names more than the card lists is refused before skops reads it."""
    card = inspected(model)
    change: Callable[[dict[str, Any]], None] = lambda schema: _hidden(schema, HOSTILE[kind])  # noqa: E731
    path = _rewritten(model, tmp_path / "hostile.skops", change)
    with pytest.raises(NotInspectedError, match=HOSTILE[kind]["__class__"]):
        loader_of("sklearn").load(str(path), dict(card.options), Guard(card.names))
