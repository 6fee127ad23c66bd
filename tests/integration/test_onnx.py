"""ONNX goes the line: plain, gzipped, zipped, with data files beside it, with a language's rules; answers are onnxruntime's own."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from mlpack.checks.contracts import CONTRACTS
from tests.formats import onnx_models as made
from tests.integration.cli import ask, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@contextmanager
def asked(folder: Path, file: str, name: str) -> Iterator[str]:
    """The service of the file's image, which passes its own test first."""
    told("build", file, "--name", name, cwd=folder)
    assert told("test", cwd=folder)["ok"] is True
    with served(cwd=folder) as url:
        yield url


def rows_of(url: str, rows: list[Any]) -> Any:
    return ask(url, {"instances": rows})["predictions"]


def test_columns_of_numbers_and_texts(tmp_path: Path, fresh_name: Name) -> None:
    """A plain file: sixty records, missing, extreme and unheard-of values among them, are answered as onnxruntime answers them."""
    path = tmp_path / "passengers.onnx"
    path.write_bytes(made.passengers().SerializeToString())
    chance = np.random.default_rng(1)
    records: list[dict[str, Any]] = [
        {
            "age": float(np.float32(chance.uniform(0, 90))),
            "fare": float(np.float32(chance.lognormal(3, 2))),
            "sex": str(chance.choice(["male", "female", "", "♀ Ünknown"])),
            "port": str(chance.choice(["S", "C", "Q", "nowhere"])),
        }
        for _ in range(56)
    ]
    odd = {"age": 1.0, "fare": 1.0, "sex": "male", "port": "S"}
    records += [{**odd, "age": None}, {**odd, "fare": 3e38}, {**odd, "age": -3e38}, {**odd, "fare": 1e-45}]
    feed = {
        name: np.array(
            [[np.nan if row[name] is None else row[name]] for row in records],
            object if name in ("sex", "port") else np.float32,
        )
        for name in ("age", "fare", "sex", "port")
    }
    labels, tables = onnxruntime.InferenceSession(path).run(None, feed)
    with asked(tmp_path, path.name, fresh_name("onnx-columns")) as url:
        told("test", "--contract", ",".join(CONTRACTS), cwd=tmp_path)  # columns of numbers and texts, two outputs
        found = rows_of(url, records)
        for answer, label, table in zip(found, labels.tolist(), tables, strict=True):
            assert answer["output_label"] == label
            expected = np.array(list(table.values()), np.float32)
            given = np.array([np.nan if one is None else one for one in answer["output_probability"]], np.float32)
            np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-7)
        refusal = ask(url, {"instances": [{**odd, "sex": None}]}, status=400)
        assert "sex" in refusal["error"]["message"]


@pytest.mark.parametrize("packing", ["gzip", "zip", "beside"])
def test_packed_and_in_parts(tmp_path: Path, fresh_name: Name, packing: str) -> None:
    """Gzipped; in a zip with its data file; with its data file beside it: fifty rows are answered as onnxruntime answers them."""
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(made.wide().SerializeToString())
    path = tmp_path / "made" / "net.onnx"
    path.parent.mkdir()
    made.write_external(made.wide(), path)
    file = "made/net.onnx"
    if packing == "gzip":
        file = "net.onnx.gz"
        (tmp_path / file).write_bytes(gzip.compress(plain.read_bytes()))
    elif packing == "zip":
        file = "net.zip"
        with zipfile.ZipFile(tmp_path / file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "net/net.onnx")
            archive.write(path.with_name("weights.bin"), "net/weights.bin")
    rows = np.random.default_rng(5).normal(size=(50, 500)).astype(np.float32)
    rows[1], rows[2, 0], rows[3] = 0, np.nan, 1e30
    (expected,) = onnxruntime.InferenceSession(plain).run(None, {"x": rows})
    body = [[None if np.isnan(one) else one for one in row] for row in rows.tolist()]
    with asked(tmp_path, file, fresh_name(f"onnx-{packing}")) as url:
        found = np.array([[np.nan if one is None else one for one in row] for row in rows_of(url, body)], np.float32)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


def test_a_language_s_rules(tmp_path: Path, fresh_name: Name) -> None:
    """Texts are upper-cased by the rules of a language, which a slim image lacks and this one has."""
    path = tmp_path / "words.onnx"
    path.write_bytes(made.words().SerializeToString())
    words = ["straße", "ÉTÉ", "naïve ☃", "abc", *[f"wört {place}" for place in range(50)]]
    with asked(tmp_path, path.name, fresh_name("onnx-words")) as url:
        assert rows_of(url, words) == [word.replace("ß", "\0").upper().replace("\0", "ß") for word in words]


def test_one_row_at_a_time(tmp_path: Path, fresh_name: Name) -> None:
    """A graph that takes a batch of exactly one answers fifty rows all the same."""
    path = tmp_path / "one.onnx"
    onnx.save(made.doubling([1, 2, 3]), path)
    rows = np.random.default_rng(2).normal(size=(50, 2, 3)).astype(np.float32)
    with asked(tmp_path, path.name, fresh_name("onnx-one")) as url:
        np.testing.assert_array_equal(np.array(rows_of(url, rows.tolist()), np.float32), rows * 2)


def test_operators_of_onnxruntime_extensions(tmp_path: Path, fresh_name: Name) -> None:
    """Custom operators of the domain ai.onnx.contrib: the package that has them is in the image."""
    path = tmp_path / "shouting.onnx"
    path.write_bytes(made.shouting().SerializeToString())
    words = ["abc", "", "Two Words", *[f"word {place}" for place in range(50)]]
    with asked(tmp_path, path.name, fresh_name("onnx-extensions")) as url:
        assert rows_of(url, words) == [{"loud": word.upper(), "length": len(word)} for word in words]
