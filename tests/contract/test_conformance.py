"""`mlpack test --contract` on a URL: ours pass, another's server that is right passes, and a wrong one fails what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.checks.conformance import ModelFacts, check_url
from mlpack.checks.contracts import CONTRACTS, contract
from tests.contract.served import Server, assemble, started
from tests.standins.other_server import other_server

EVERY = ",".join(CONTRACTS)
OTHERS = "v2,tfs,kserve,vertex,sagemaker,mlflow,cloudrun"


def checked(url: str, contracts: str, *words: str, code: int = 0) -> dict[str, Any]:
    """The command's document, after it ended with that code."""
    command = [sys.executable, "-m", "mlpack", "test", url, "--contract", contracts, "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def failed(document: dict[str, Any]) -> set[str]:
    return {check["name"] for check in document["checks"] if not check["ok"]}


@pytest.mark.parametrize("name", ["iris", "houses", "spam", "pair"])
def test_ours_keep_every_contract(name: str, request: pytest.FixtureRequest) -> None:
    """Every check of all nine contracts passes, for a matrix, mixed columns, texts and named tensors."""
    server: Server = request.getfixturevalue(name)
    document = checked(f"http://127.0.0.1:{server.port}", EVERY)
    assert document["ok"]
    assert failed(document) == set()
    names = {check["name"] for check in document["checks"]}
    for spoken in CONTRACTS:
        assert sum(one.startswith(f"{spoken}_") for one in names) >= 3, spoken
    assert "contracts_agree" in names


COUNTING = """
import numpy as np

def load(path, options, guard):
    return None

def predict(model, signature, inputs):
    return {"predict": np.array([flag + len(code) for flag, code in zip(*inputs.values())], dtype=float)}
"""


def test_rows_as_pandas_takes_them_keep_every_contract(tmp_path: Path) -> None:
    """Booleans for numbers and whole numbers for texts are asked by each contract as its own data types have them."""
    told = Signature(
        name="predict",
        method="predict",
        inputs=(
            TensorSpec(name="flag", dtype="FP64", shape=(-1,)),
            TensorSpec(name="code", dtype="BYTES", shape=(-1,)),
        ),
        outputs=(TensorSpec(name="predict", dtype="FP64", shape=(-1,)),),
        layout="columns",
        columns=("flag", "code"),
        categories={"flag": (False, True)},
        trained_columns=("id", "flag", "code"),
        not_null=("code",),
        whole_as_text=("code",),
        batchable=True,
    )
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"instances": [{"flag": True, "code": 123}, {"flag": 0, "code": "ab"}]}))
    folder = assemble(tmp_path / "app", model=b"x", signatures=(told,), loader=COUNTING)
    with started(folder) as server:
        answer = server.predict({"instances": [{"id": None, "flag": True, "code": 123}, {"flag": 0, "code": "ab"}]})
        assert answer.json() == {"predictions": [4.0, 2.0]}
        assert failed(checked(f"http://127.0.0.1:{server.port}", EVERY, "--request", str(request))) == set()


def test_texts_of_any_kind_keep_every_contract(spam: Server, tmp_path: Path) -> None:
    """Quotes, commas and line ends in a text are asked as each contract writes them, CSV among them where it has a word for it."""
    request = tmp_path / "request.json"
    for texts, sayable in (
        (['win "money",\r\nor\tlunch \\', "see you"], True),
        (["", "a"], False),
        (["\0", "a"], False),
    ):
        request.write_text(json.dumps({"instances": texts}))
        document = checked(f"http://127.0.0.1:{spam.port}", EVERY, "--request", str(request))
        assert ("sagemaker_csv" in {check["name"] for check in document["checks"]}) is sayable, texts


def test_a_server_of_others_that_is_right_passes() -> None:
    """Its name, version and inputs are asked of itself; nothing of ours is needed."""
    with other_server() as url:
        document = checked(url, OTHERS)
    assert document["ok"]
    told = {check["name"]: check["detail"] for check in document["checks"]}
    assert told["v2_model"] == "adder, 2 rows"
    assert "bytes, equal to the JSON answer" in told["v2_binary"]


@pytest.mark.parametrize(
    ("flaw", "broken"),
    [
        ("no_id", {"v2_id_echo"}),
        ("version_500", {"v2_unknown_version", "tfs_unknown_version"}),
        ("version_word", {"tfs_status"}),
        ("both_keys", {"tfs_both_keys"}),
        ("big_endian", {"v2_binary"}),
        ("other_numbers", {"contracts_agree"}),
        ("any_type", {"sagemaker_unknown_type", "mlflow_content_type"}),
        ("error_form", {
            "v2_unknown_version", "v2_unknown_model", "v2_bad_json", "v2_bad_input", "tfs_unknown_version",
            "tfs_unknown_model", "tfs_both_keys", "tfs_bad_json", "kserve_unknown_model", "kserve_bad_input",
        }),
    ],
)  # fmt: skip
def test_a_server_that_is_wrong_fails_exactly_there(flaw: str, broken: set[str]) -> None:
    """One flaw, and only the checks of that promise fail; the exit code is 6."""
    with other_server(flaw) as url:
        document = checked(url, OTHERS, code=6)
    assert failed(document) == broken
    assert document["error"]["code"] == "check_failed"


def test_a_server_that_answers_nonsense_fails_and_nothing_else_does() -> None:
    """Whatever stands in an answer, of any type and size, is a failed check; what is told can be written."""
    asked = [contract(name) for name in CONTRACTS]
    with other_server("nonsense") as url:
        reports = [check_url(url, asked, ModelFacts()) for _ in range(12)]
    for report in reports:
        assert [one for one in report.checks if not one.ok]
        assert "".join(one.detail for one in report.checks).encode()
    details = [one.detail for report in reports for one in report.checks]
    assert any("not have the contract's form" in one for one in details)


def test_contracts_that_it_does_not_speak_fail(tmp_path: Path) -> None:
    """What is not there fails; a request of the user's own is what is asked; JUnit gets every check."""
    request = tmp_path / "request.json"
    request.write_text('{"instances": [[1, 2], [3, 4], [5, 6]]}')
    junit = tmp_path / "report.xml"
    with other_server() as url:
        document = checked(url, "tfs,azure", "--request", str(request), "--junit", str(junit), code=6)
    assert {"azure_live", "azure_data"} <= failed(document)
    assert not any(name.startswith("tfs") for name in failed(document))
    assert next(one for one in document["checks"] if one["name"] == "tfs_predict")["detail"] == "[3, 7, 11]"
    assert junit.read_text().count("<testcase") == len(document["checks"])


def test_nobody_there_is_one_failed_check() -> None:
    """A URL that nothing answers at ends at once, with 6."""
    document = checked("http://127.0.0.1:9", "v2", code=6)
    assert failed(document) == {"answers"}


@pytest.mark.parametrize(
    "words", [("--contract", "v3"), ("--contract", ","), ("--port", "80"), ("--contract", "v2", "--record"),
              ("--contract", "v2", "--engine", "process")],
)  # fmt: skip
def test_words_that_do_not_fit_are_usage(words: tuple[str, ...]) -> None:
    """Unknown contracts, and options that belong elsewhere, are told with exit 2."""
    command = [sys.executable, "-m", "mlpack", "test", "http://127.0.0.1:9", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
