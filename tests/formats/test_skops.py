"""skops files: their schema read as data, judged by every type that it names, whatever node it hides in."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from mlpack.errors import MlpackError, UnknownFormatError, UnreadableModelError
from tests.formats.answering import inspected
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


def _rewritten(model: Path, path: Path, change: Any) -> Path:
    """The file with a changed schema."""
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(path, "w") as new:
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
