"""Damaged and hostile models of the boosters, of MLflow and of what is only named: an answer or an error of our own, and soon."""

from __future__ import annotations

import gzip
import json
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import pytest
import xgboost
import yaml

from mlpack.errors import MlpackError
from mlpack.formats.catboost import CatBoostFormat
from mlpack.formats.lightgbm import LightGBMFormat
from mlpack.formats.mlflow import MLflowFormat
from mlpack.formats.named import NamedFormat
from mlpack.formats.xgboost import XGBoostFormat
from mlpack.pipeline.inspect import document, inspect
from tests.formats.booster_models import mixed
from tests.formats.test_named import COREML, FASTTEXT, GGUF, GRAPHDEF, PMML
from tests.messages import field

FORMATS = [XGBoostFormat(), LightGBMFormat(), CatBoostFormat(), MLflowFormat(), NamedFormat()]
ODD: list[Any] = [
    None, True, -1, 0, 1.5, 10**9, 2**63, 10**400, float("nan"), float("inf"), "", "\u00b9", "1\u00b9", "\u0663", "9" * 5000, "\ud800",
    "\n::error::", [], [[]], {}, {"name": 1}, [None], [1, "a"], {"a": []}, [{"values": [1], "offsets": [0, 9, 0]}],
]  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small models as their libraries write them, by file name."""
    folder = tmp_path_factory.mktemp("samples")
    table = mixed(word="w")
    target = (table["n"] > 0).astype(int)
    boosted = xgboost.XGBClassifier(n_estimators=2, max_depth=2, enable_categorical=True).fit(table, target)
    for name in ("xgb.json", "xgb.ubj"):
        boosted.save_model(folder / name)
    small = {"verbose": -1, "num_leaves": 3, "objective": "binary"}
    lightgbm.train(small, lightgbm.Dataset(table, target), 2).save_model(folder / "lgb.txt")
    few = {"iterations": 2, "depth": 2, "verbose": 0, "allow_writing_files": False}
    cat = catboost.CatBoostClassifier(**few, cat_features=["i"]).fit(table[["n", "i"]].astype({"i": int}), target)
    for name, form in (("cat.cbm", "cbm"), ("cat.json", "json")):
        cat.save_model(str(folder / name), format=form)
    binary = b"binf" + struct.pack("<fIiiiIII", 0.5, 4, 0, 0, 0, 1, 7, 1).ljust(136, b"\0")
    binary += b"".join(struct.pack("<Q", len(text)) + text for text in (b"binary:logistic", b"gbtree")) + bytes(100)
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    others = {
        "old.model": binary,
        "m.gguf": GGUF,
        "m.ftz": FASTTEXT,
        "m.pb": GRAPHDEF,
        "m.mlmodel": COREML,
        "m.pmml": PMML,
    }
    return found | others


def answered(path: Path) -> bool:
    """Whether a model is told of (and what is told can be written), else refused by an error of ours."""
    try:
        info = inspect(path, formats=FORMATS)
    except MlpackError:
        return False
    json.dumps(document(info, None), allow_nan=False)
    assert repr(info)
    return True


def changed(rng: random.Random, data: bytes) -> bytes:
    """The bytes with some changed, lost, doubled, or cut."""
    found = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        if not found:
            return b"x"
        place = rng.randrange(min(len(found), rng.choice([100, 1000, 10**6])))
        how = rng.randrange(5)
        if how == 0:
            found[place] = rng.randrange(256)
        elif how == 1:
            del found[place : place + rng.randrange(1, 20)]
        elif how == 2:
            found[place:place] = found[place : place + rng.randrange(1, 50)]
        elif how == 3:
            found[place : place + 4] = rng.choice(
                [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"1\xc2\xb9", b"-1e9"]
            )
        else:
            del found[rng.randrange(len(found)) :]
    return bytes(found)


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container and key in a JSON value, but for long lists of which the first few count."""
    items = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))[:4]
        if isinstance(value, list)
        else []
    )
    for key, inner in items:
        found.append((value, key))
        places(inner, found)
    return found


def odd(text: bytes, read: Callable[[bytes], Any]) -> Iterator[Any]:
    """The document with some values replaced by what should not be there, one at a time, or left out."""
    rng = random.Random(1)
    count = len(places(read(text), []))
    for number in range(0, count, count // 60 + 1):
        for value in (*rng.sample(ODD, 3), ...):
            whole = read(text)
            holder, key = places(whole, [])[number]
            if value is ...:
                del holder[key]
            else:
                holder[key] = value
            yield whole


NAMES = [
    "xgb.json",
    "xgb.ubj",
    "lgb.txt",
    "cat.cbm",
    "cat.json",
    "old.model",
    "m.gguf",
    "m.ftz",
    "m.pb",
    "m.mlmodel",
    "m.pmml",
]


@pytest.mark.parametrize("name", NAMES)
def test_changed_bytes_end_with_an_answer(name: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    """Bytes changed anywhere: it is still told of, or refused in our own words."""
    rng = random.Random(name)
    path = tmp_path / name
    path.write_bytes(samples[name])
    assert answered(path)
    for _ in range(120):
        path.write_bytes(changed(rng, samples[name]))
        answered(path)


@pytest.mark.parametrize("name", ["xgb.json", "cat.json"])
def test_odd_values_end_with_an_answer(name: str, samples: dict[str, bytes], tmp_path: Path) -> None:
    """Each value of another type, out of any range, or not there at all."""
    path = tmp_path / name
    for whole in odd(samples[name], json.loads):
        path.write_text(json.dumps(whole))
        answered(path)


def test_odd_values_of_an_mlmodel_end_with_an_answer(samples: dict[str, bytes], tmp_path: Path) -> None:
    """The same for the YAML of an MLflow folder."""
    given = {
        "flavors": {"xgboost": {"data": "m.ubj", "xgb_version": "3.0.0"}, "python_function": {"loader_module": "x"}},
        "mlflow_version": "3.1.0",
        "saved_input_example_info": {"artifact_path": "example.json"},
        "signature": {
            "inputs": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}, "name": "a"}],
            "outputs": [{"type": "double", "name": "b"}],
        },
    }
    (tmp_path / "m.ubj").write_bytes(samples["xgb.ubj"])
    (tmp_path / "example.json").write_text('{"columns": ["a"], "data": [[NaN]]}')
    for whole in odd(json.dumps(given).encode(), json.loads):
        (tmp_path / "MLmodel").write_text(yaml.safe_dump(whole, allow_unicode=True).replace("\\uD800", "?"))
        answered(tmp_path)


def xgb(**changes: Any) -> bytes:
    learner: dict[str, Any] = {
        "attributes": {}, "feature_names": [], "feature_types": [],
        "gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "0"}, "trees": []}, "name": "gbtree"},
        "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"},
        "objective": {"name": "multi:softprob"},
    }  # fmt: skip
    for key, value in changes.items():
        holder = learner["learner_model_param"] if key.startswith("num_") else learner
        holder[key] = value
    return json.dumps({"learner": learner, "version": [2, 1, 0]}).encode()


def lgb(names: bytes = b"a b", **changes: Any) -> bytes:
    lines = {
        "version": "v4",
        "num_class": 1,
        "num_tree_per_iteration": 1,
        "max_feature_idx": names.count(b" "),
        **changes,
    }
    told = "".join(f"{key}={value}\n" for key, value in lines.items()).encode()
    return b"tree\n" + told + b"objective=binary\nfeature_names=" + names + b"\nfeature_infos=[0:1]\n\nend of trees\n"


def many(count: int) -> bytes:
    return b" ".join(b"%x" % number for number in range(count))


LISTS = b'{"learner":{"attributes":%b,"learner_model_param":{}},"version":[2,1,0]}'
BOMB = "".join(
    f"{name}: &{name} [{', '.join([before] * 9)}]\n" for before, name in zip("xabcdefghi", "abcdefghij", strict=True)
)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "features.json": lambda: xgb(num_feature="300000000"),
    "classes.json": lambda: xgb(num_class="300000000", attributes={"scikit_learn": '{"type": "classifier"}'}),
    "targets.json": lambda: xgb(num_target="300000000"),
    "less.json": lambda: xgb(num_feature="-5"),
    "lists.json": lambda: LISTS % (b"[" + b"[]," * (10 << 20) + b"0]"),
    "nested.json": lambda: LISTS % (b"[" * (8 << 20)),
    "texts.json": lambda: LISTS.replace(b"attributes", b"other") % (b"[" + b'[""],' * (10 << 20) + b"0]"),
    "keys.json": lambda: b'{"learner":{' + b'"a":1,' * (10 << 20) + b'"b":1},"version":[1]}',
    "twice.json": lambda: xgb().replace(b'"attributes": {}', b'"attributes": {}, "attributes": {}'),
    "many.ubj": lambda: b"{L" + struct.pack(">q", 7) + b"learner{U\x01a[" + b"[]" * (20 << 20) + b"]}}",
    "typed.ubj": lambda: b"{L" + struct.pack(">q", 7) + b"learner{U\x0aattributes[$D#L" + struct.pack(">q", 1 << 60) + b"}}",
    "feature-index.txt": lambda: lgb(max_feature_idx=300000000),
    "classes.txt": lambda: lgb(num_class=300000000),
    "names.txt": lambda: lgb(many((1 << 20) + 1)),
    "one-letter-names.txt": lambda: lgb(b"a " * (5 << 20)),
    "trees.txt": lambda: lgb(tree_sizes="1 " * (4 << 20)).replace(b"end of trees", b"\nTree=0\n"),
    "twice.txt": lambda: lgb().replace(b"num_class", b"num_class=2\nnum_class"),
    "nodes.pb": lambda: field(1, field(1, b"a") + field(2, b"Op")) * (5 << 20),
    "inputs.mlmodel": lambda: COREML[:2] + field(2, field(1, field(1, b"a")) * (5 << 20)) + COREML[-6:],
    "bomb/MLmodel": lambda: BOMB.replace("x", "'x'").encode() + b"mlflow_version: *j\nflavors: {sklearn: {pickled_model: *j}}\n",
    "merged/MLmodel": lambda: b"a: &a {x: 1}\nb: &b {<<: [" + b", ".join([b"*a"] * 200_000) + b"]}\nflavors: *b\n",
    "self/MLmodel": lambda: b"flavors: &a {b: *a}\n",
    "number/MLmodel": lambda: b"flavors: " + b"1:" * 500_000 + b"1\n",
}  # fmt: skip
LONG = ("texts.json", "keys.json", "many.ubj", "nodes.pb")  # what is read up to the bound of its parts
RUN = """
import pathlib, re, sys, time
from mlpack.cli.app import run
for name in sys.argv[1:]:
    began = time.process_time()
    code = run(["inspect", name, "--quiet"])
    seconds = time.process_time() - began
    highest = re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())
    print(name, code, seconds, highest[1])
"""


@pytest.mark.parametrize(
    "names",
    [[one for one in HOSTILE if one not in LONG], *(pytest.param([one], marks=pytest.mark.slow) for one in LONG)],
)
def test_counts_take_no_memory(names: list[str], tmp_path: Path) -> None:
    """What a file says of its size is held against what it has: refused in seconds, whatever it says and repeats."""
    targets = []
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(HOSTILE[name]())
        targets.append(path.parent if path.name == "MLmodel" else path)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *targets], capture_output=True, text=True, check=True, timeout=600
    )
    for line in done.stdout.splitlines():
        _, code, seconds, kilobytes = line.rsplit(" ", 3)
        assert code == "3", line + done.stderr
        assert float(seconds) < 10, line
        assert int(kilobytes) < 500_000, line
    assert len(done.stdout.splitlines()) == len(names)


@pytest.mark.parametrize("name", ["wide.txt", "wide.json"])
def test_a_wide_model_is_a_model(name: str, tmp_path: Path) -> None:
    """A hundred thousand named columns are inspected like four."""
    names = many(100_000)
    told = [f"c{one.decode()}" for one in names.split()]
    data = lgb(names) if name.endswith("txt") else xgb(num_feature="100000", feature_names=told, num_class="3")
    (tmp_path / name).write_bytes(data)
    info = inspect(tmp_path / name, formats=FORMATS)
    assert info.n_features_in == len(info.feature_names) == 100_000


def test_a_compressed_file_is_no_way_around(tmp_path: Path) -> None:
    """The same bounds hold for what a small file unpacks to."""
    path = tmp_path / "m.txt.gz"
    path.write_bytes(gzip.compress(lgb(b"a " * (2 << 20)), 1))
    assert not answered(path)
