"""The user's own code in the server: bound into `__main__`, and its predict.py asked in place of the format's loader."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import Signature as Declared
from mlpack.artifacts.model import TensorSpec
from mlpack.runtime.card import Signature
from mlpack.runtime.errors import WrongAnswerError
from mlpack.runtime.models.user_predictor import UserPredictor

RAW = TensorSpec(name="instances", dtype="BYTES", shape=(-1,))
MATRIX = TensorSpec(name="input", dtype="FP64", shape=(-1, 2))
PRICE = TensorSpec(name="price", dtype="FP64", shape=(-1,))
ANY = TensorSpec(name="predictions", dtype="BYTES", shape=(-1,))
AREA, CITY = TensorSpec(name="area", dtype="FP64", shape=(-1,)), TensorSpec(name="city", dtype="BYTES", shape=(-1,))


def signature(*inputs: TensorSpec, out: TensorSpec = ANY, **more: Any) -> Signature:
    raw = tuple(spec.name for spec in (*inputs, out) if spec in (RAW, ANY))
    layout = "matrix" if MATRIX in inputs else "tensors" if RAW in inputs else "columns"
    made = Declared(name="predict", method="predict", inputs=inputs, outputs=(out,), layout=layout, raw=raw, **more)  # type: ignore[arg-type]  # one of the layouts
    return Signature.from_json(made.to_json())


def raw(*rows: Any) -> dict[str, Any]:
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return {"instances": array}


def make_loader() -> Any:
    """A format's loader whose model adds its inputs, and wraps what it loads."""

    def predict(model: Any, _asked: Any, inputs: dict[str, Any]) -> dict[str, Any]:
        values = next(iter(inputs.values())) if len(inputs) == 1 else np.column_stack(list(inputs.values()))
        return {"predict": values.sum(axis=1) * model.inner, "rest": np.zeros(len(values))}

    return SimpleNamespace(
        load=lambda path, options, _: SimpleNamespace(inner=2.0, path=path, options=options),
        predict=predict,
        wrap=lambda inner: SimpleNamespace(inner=inner),
        unwrap=lambda model: model.inner,
    )


class Made:
    """A predictor made of a text, and its loaded model."""

    def __init__(self, folder: Path, text: str, loader: Any = None, **options: Any) -> None:
        name = f"own_{folder.name.replace('-', '_')}"
        (folder / f"{name}.py").write_text(text)
        self.predictor = UserPredictor(name, loader)
        self.model = self.predictor.load("model/m.json", options, None)

    def ask(self, asked: Signature, inputs: dict[str, Any]) -> dict[str, Any]:
        """The answer as plain values."""
        return {name: array.tolist() for name, array in self.predictor.predict(self.model, asked, inputs).items()}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on the path, as code/ is in the image."""
    sys.path.insert(0, str(tmp_path))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    yield tmp_path
    sys.dont_write_bytecode = before
    sys.path.remove(str(tmp_path))


def test_rows_go_in_as_they_came_and_come_out_as_they_are(folder: Path) -> None:
    """Any JSON is handed on, in the order of the parameters; answers may be anything, and keep their kinds."""
    made = Made(
        folder,
        "def load(path):\n    return len(path)\ndef predict(m, rows):\n    return [[m, row] if row else {'n': 1} for row in rows]\n",
    )
    assert made.ask(signature(RAW), raw({"a": [1]}, "x", 0)) == {"predictions": [[12, {"a": [1]}], [12, "x"], {"n": 1}]}


@pytest.mark.parametrize(
    "parameters",
    [
        "model, instances",
        "instances, model",
        "model, rows, *, signature",
        "model, x, options=None, unknown=5",
        "model, /, x",
    ],
)
def test_parameters_are_filled_by_name_then_in_order(folder: Path, parameters: str) -> None:
    """Known names get what they say, wherever they stand; the rest is model and rows; defaults stay."""
    data = "instances" if "instances" in parameters else "rows" if "rows" in parameters else "x"
    text = f"def load():\n    return 7\ndef predict({parameters}):\n    return [[model, {data}[0]]]\n"
    assert Made(folder, text).ask(signature(RAW), raw("row")) == {"predictions": [[7, "row"]]}


def test_a_parameter_that_nothing_fills_is_told(folder: Path) -> None:
    """A misspelt parameter is named, not filled with something else."""
    made = Made(folder, "def load(path):\n    return 7\ndef predict(model, rows, thresholds): ...\n")
    with pytest.raises(TypeError, match="'thresholds'"):
        made.ask(signature(RAW), raw(1))


def test_async_functions_share_one_loop(folder: Path) -> None:
    """What `load` opened on its event loop is usable in preprocess, predict and postprocess."""
    text = """
import asyncio
async def load(path):
    return asyncio.get_running_loop().create_future(), asyncio.get_running_loop()
async def preprocess(instances):
    await asyncio.sleep(0)
    return [row + 1 for row in instances]
async def predict(model, data):
    future, loop = model
    if not future.done():
        loop.call_later(0.001, future.set_result, 10)
    return [row * await future for row in data]
async def postprocess(predictions, instances):
    return {"value": predictions, "asked": instances}
"""
    made = Made(folder, text)
    try:
        assert made.ask(signature(RAW), raw(1, 2)) == {"value": [20, 30], "asked": [2, 3]}
    finally:  # it lives as long as the model's thread, which here is that of all tests
        asyncio.set_event_loop(None)
        made.model[1].close()


@pytest.mark.parametrize(
    "given",
    ["[[r['a'], r['b']] for r in rows]", "np.array([[r['a'], r['b']] for r in rows])", "pd.DataFrame(rows)[['b', 'a']]",
     "rows", "[(r['a'], r['b']) for r in rows]", "{'input': [[r['a'], r['b']] for r in rows]}"],
)  # fmt: skip
def test_what_preprocess_gives_reaches_the_formats_loader(folder: Path, given: str) -> None:
    """Lists, tuples, records, arrays, DataFrames and arrays by name all become the model's own inputs."""
    text = f"import numpy as np\nimport pandas as pd\ndef preprocess(rows):\n    return {given}\ndef postprocess(p):\n    return [round(x, 1) for x in p]\n"
    inner = Declared(
        name="predict", method="predict", inputs=(MATRIX,), outputs=(PRICE,), layout="matrix", columns=("a", "b")
    )
    made = Made(folder, text, make_loader(), model_signatures=[inner.to_json()], entry="e")
    assert made.model.options == {"entry": "e"}, "the user's part of the options, and no more"
    assert made.ask(signature(RAW), raw({"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0})) == {"predictions": [6.0, 14.0]}


def test_columns_reach_the_formats_loader(folder: Path) -> None:
    """A DataFrame and a list of records become columns; one that misses a column is the server's fault, not the client's."""
    inner = Declared(
        name="predict",
        method="predict",
        inputs=(AREA, PRICE),
        outputs=(PRICE,),
        layout="columns",
        columns=("area", "price"),
    )
    text = "import pandas as pd\ndef preprocess(rows):\n    return pd.DataFrame(rows) if len(rows) > 1 else rows\n"
    made = Made(folder, text, make_loader(), model_signatures=[inner.to_json()])
    row = {"area": 1.0, "price": 2.0}
    assert made.ask(signature(RAW, out=PRICE), raw(row))["predict"] == [6.0]
    assert made.ask(signature(RAW, out=PRICE), raw(row, row))["predict"] == [6.0, 6.0]
    with pytest.raises(TypeError, match="preprocess gave rows that the model does not take: row 0"):
        made.ask(signature(RAW, out=PRICE), raw({"area": 1.0}))


def test_rows_that_preprocess_refuses_are_the_clients(folder: Path) -> None:
    """A missing key, a bad value, or the user's own InputError is told to the client; a bug in predict is not."""
    text = "class InputError(Exception): ...\ndef load(path): ...\ndef preprocess(rows):\n    return [float(row['a']) for row in rows]\n"
    text += "def predict(model, rows):\n    if rows[0] < 0:\n        raise InputError('too small')\n    return 1 / 0\n"
    made = Made(folder, text)
    errors = made.predictor.InputError
    for row, said in (({"b": 1}, "'a' is missing"), ({"a": "x"}, "could not convert"), ({"a": -1}, "too small")):
        with pytest.raises(errors, match=said):
            made.ask(signature(RAW), raw(row))
    with pytest.raises(ZeroDivisionError):
        made.ask(signature(RAW), raw({"a": 1}))


def test_checked_inputs_are_arrays_or_records(folder: Path) -> None:
    """With declared inputs, `inputs` are arrays by name and `instances` records; declared outputs get their type."""
    inputs = {"area": np.array([1.0, 2.0]), "city": np.array(["Oslo", None], dtype=object)}
    asked = signature(AREA, CITY, out=PRICE, columns=("area", "city"))
    arrays = Made(
        folder, "def load(p): ...\ndef predict(model, inputs):\n    return inputs['area'].astype('float32') * 2\n"
    )
    found = arrays.predictor.predict(None, asked, inputs)
    assert (found["price"].dtype, found["price"].tolist()) == (np.dtype("float64"), [2.0, 4.0])
    other = folder / "records"
    other.mkdir()
    sys.path.insert(0, str(other))
    records = Made(
        other,
        "def load(p): ...\ndef predict(model, instances):\n    return [len(str(r)) if r['city'] else None for r in instances]\n",
    )
    assert records.ask(signature(AREA, CITY, columns=("area", "city")), inputs) == {"predictions": [29, None]}
    sys.path.remove(str(other))


def test_answers_in_columns_are_several_outputs(folder: Path) -> None:
    """A DataFrame or a dict of columns is one output each; numbers of a column that was not declared stay what they are."""
    text = "import pandas as pd\ndef load(p): ...\ndef predict(model, rows):\n    return pd.DataFrame({'label': ['a', 'b'], 'score': [1, 0.5]})\n"
    assert Made(folder, text).ask(signature(RAW), raw(1, 2)) == {"label": ["a", "b"], "score": [1.0, 0.5]}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("{'a': rows}", {"predictions": [{"a": 1}, {"a": 2}]}),
        ("__import__('pandas').DataFrame({'a': rows})", {"predictions": [{"a": 1}, {"a": 2}]}),
        ("(row + 1 for row in rows)", {"predictions": [2, 3]}),
        ("tuple({'n': row} for row in rows)", {"predictions": [{"n": 1}, {"n": 2}]}),
    ],
)
def test_one_column_is_an_object_a_row(folder: Path, given: str, wanted: dict[str, Any]) -> None:
    """As several columns are; iterators are rows."""
    made = Made(folder, f"def load(path):\n    return 7\ndef predict(m, rows):\n    return {given}\n")
    assert made.ask(signature(RAW), raw(1, 2)) == wanted


@pytest.mark.parametrize("given", ["4.5", "'ab'", "{'a': 4.5}", "{'a': 'xy'}", "{0: 1.5, 1: 2.5}", "([1, 2], [3, 4])"])
def test_an_answer_without_an_entry_for_each_row_is_refused(folder: Path, given: str) -> None:
    """Also where its length happens to be the number of rows, as of a text or of two lists for two rows."""
    made = Made(folder, f"def load(path):\n    return 7\ndef predict(m, rows):\n    return {given}\n")
    with pytest.raises(WrongAnswerError):
        made.ask(signature(RAW), raw(1, 2))


def test_preprocess_may_use_the_model(folder: Path) -> None:
    """So that what it refuses there, such as an unknown category, is the client's fault."""
    text = "def load(path):\n    return {'b': 5}\ndef preprocess(model, instances):\n    return [model[row] for row in instances]\n"
    made = Made(folder, f"{text}def predict(model, instances):\n    return instances\n")
    assert made.ask(signature(RAW), raw("b")) == {"predictions": [5]}
    with pytest.raises(made.predictor.InputError):
        made.ask(signature(RAW), raw("c"))


def test_an_own_load_is_wrapped_for_the_formats_predict(folder: Path) -> None:
    """A model that the user's load gives is asked by the format's loader; her own predict gets the model without wrapping."""
    matrix = {"input": np.array([[1.0, 2.0]])}
    loaded = Made(folder, "def load(path):\n    return 10.0\n", make_loader())
    assert loaded.ask(signature(MATRIX, out=PRICE), matrix)["predict"] == [30.0]
    other = folder / "bare"
    other.mkdir()
    sys.path.insert(0, str(other))
    asked = Made(other, "def predict(model, inputs):\n    return inputs['input'][:, 0] * model\n", make_loader())
    assert asked.ask(signature(MATRIX, out=PRICE), matrix) == {"price": [2.0]}
    sys.path.remove(str(other))


def test_names_are_bound_into_main(tmp_path: Path) -> None:
    """A pickle of `__main__.Cleaner` loads in a process whose `__main__` is another script, also by `__mp_main__`."""
    (tmp_path / "code" / "src").mkdir(parents=True)
    (tmp_path / "code" / "src" / "loader.py").write_text("class Cleaner:\n    kind = 'mine'\n")
    (tmp_path / "loader.py").write_text("class Cleaner:\n    kind = 'ours'\n")
    script = f"""import sys, pickle
sys.path.insert(0, {str(tmp_path)!r})
sys.path.insert(1, {str(Path(__file__).parents[3])!r})
import loader
from pathlib import Path
from mlpack.runtime.models.loading import add_user_code
for _ in range(2):
    add_user_code(Path({str(tmp_path)!r}), {{"paths": ["code", "code/src"], "main": {{"Cleaner": "loader"}}}})
for module in (b"__main__", b"__mp_main__", b"loader", b"src.loader"):
    print(pickle.loads(b"c" + module + b"\\nCleaner\\n.").kind)
print(sum('/code' in path for path in sys.path))
add_user_code(Path({str(tmp_path)!r}), {{}})
"""
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run([sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=False, cwd="/")
    assert (done.stderr, done.stdout.split()) == ("", ["mine"] * 4 + ["2"])


def test_a_users_package_hides_the_files_of_the_loaders_folder(tmp_path: Path) -> None:
    """A package `loader` of the user's is whole: none of its modules is the one of that name in the format's loader."""
    for folder, kind in ((tmp_path, "ours"), (tmp_path / "code", "mine")):
        (folder / "loader").mkdir(parents=True)
        (folder / "loader" / "__init__.py").write_text("from .calls import Cleaner\n")
        (folder / "loader" / "calls.py").write_text(f"class Cleaner:\n    kind = {kind!r}\n")
    script = f"""import sys
sys.path[:0] = [{str(tmp_path)!r}, {str(Path(__file__).parents[3])!r}]
import loader
from pathlib import Path
from mlpack.runtime.models.loading import add_user_code
add_user_code(Path({str(tmp_path)!r}), {{"paths": ["code"], "main": {{"Cleaner": "loader.calls"}}}})
print(loader.Cleaner.kind, Cleaner.kind)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.split()) == ("", ["ours", "mine"])
