"""The whole line on the examples: a model file becomes a tested image in a registry, through the real command."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from mlpack.engines.docker import DockerEngine
from mlpack.registries.referrers import attachments
from tests.integration.cli import PATIENCE_S, ask, assert_same, mlpack, predictions, refused, running, served, told
from tests.integration.conftest import ROOT, Name, Packed, containers_of, packed_example

pytestmark = pytest.mark.docker

CHECKS = {
    "ready", "predict", "dtype_shape_classes", "expected", "method_predict_proba", "repeatable", "batch_equals_singles", "mixed_batch",
    "bad_json", "wrong_shape", "wrong_dtype", "unknown_route", "wrong_method", "too_large", "logs_are_json", "sigterm",
}  # fmt: skip


@pytest.fixture(scope="module")
def tested(iris: Packed) -> dict[str, Any]:
    """What `mlpack test` says of the image that was built last in iris' folder."""
    return told("test", "--junit", "reports/junit.xml", "--receipt", "kept.json", cwd=iris.folder)


@pytest.fixture(scope="module")
def houses(fresh_name: Name, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """examples/houses, trained and built."""
    return packed_example("houses", tmp_path_factory.mktemp("houses"), fresh_name("houses"))


# iris -----------------------------------------------------------------------------------------------


def test_inspect_tells_what_iris_is(iris: Packed) -> None:
    """A model of scikit-learn alone is safe, named, and its columns and classes are known, without being loaded."""
    found = told("inspect", "model.pkl", "--digest", "--fail-on", "unknown", cwd=iris.folder)
    assert (found["framework"], found["task"], found["safety"]["verdict"]) == ("scikit-learn", "classifier", "safe")
    assert found["root_class"] == "sklearn.pipeline.Pipeline"
    assert found["classes"] == ["setosa", "versicolor", "virginica"]
    assert found["feature_names"][0] == "sepal length (cm)"
    assert found["size"] == (iris.folder / "model.pkl").stat().st_size
    people = mlpack("inspect", "model.pkl", cwd=iris.folder)
    assert people.code == 0
    assert {"scikit-learn", "safe:", "virginica", "predict_proba"} <= set(people.stdout.replace(",", " ").split())


def test_build_tags_and_builds_once(iris: Packed, engine: DockerEngine) -> None:
    """A build is tagged by content and `latest`, its size is the engine's, and the same input builds nothing again."""
    content, latest = iris.built["tags"]
    assert content.startswith(f"{iris.name}:")
    assert len(content.partition(":")[2]) == 12
    assert latest == f"{iris.name}:latest"
    image = engine.find(content)
    assert image is not None
    assert (image.id, image.size) == (iris.built["id"], iris.built["size"])
    assert iris.built["cached"] is False
    assert isinstance(iris.built["seconds"], float)
    again = told("build", "model.pkl", "--name", iris.name, cwd=iris.folder)
    assert (again["id"], again["tags"], again["cached"]) == (iris.image, iris.built["tags"], True)
    people = mlpack("build", "--name", iris.name, cwd=iris.folder)
    assert people.code == 0
    assert content in people.stdout
    assert "nothing had changed" in people.stdout


def test_every_check_passes_on_iris(iris: Packed, tested: dict[str, Any]) -> None:
    """`mlpack test` checks each promise by name, measures, and writes the receipt where it says and where it was asked to."""
    assert tested["ok"] is True
    assert {check["name"] for check in tested["checks"]} >= CHECKS
    assert all(check["ok"] is True and check["seconds"] >= 0 for check in tested["checks"])
    assert 0 < tested["cold_start_ms"] < 60_000
    assert 0 < tested["latency_ms"]["p50"] <= tested["latency_ms"]["p99"]
    assert 10 < tested["peak_memory_mb"] < 2048
    assert tested["image_size"] == iris.built["size"]
    receipt = Path(tested["receipt"])
    assert receipt == iris.folder / ".mlpack" / "receipts" / f"{iris.image.removeprefix('sha256:')}.json"
    proof = json.loads(receipt.read_text())
    assert (proof["image"], proof["platform"][:6], proof["report"]["ok"]) == (iris.image, "linux/", True)
    assert (iris.folder / "kept.json").read_text() == receipt.read_text()


def test_junit_holds_every_check(iris: Packed, tested: dict[str, Any]) -> None:
    """The JUnit file has one test case for each check, and no failure."""
    suite = ET.parse(iris.folder / "reports" / "junit.xml").getroot()
    assert [case.get("name") for case in suite] == [check["name"] for check in tested["checks"]]
    assert (suite.get("tests"), suite.get("failures")) == (str(len(tested["checks"])), "0")
    assert not suite.findall(".//failure")


@pytest.mark.usefixtures("tested")
def test_push_names_the_registrys_digest(iris: Packed, registry: str) -> None:
    """A tested image goes to a registry with a password; the digest is the registry's own; the receipt hangs on it."""
    repository = f"{registry}/line/{iris.name}"
    released = told("push", "--to", repository, cwd=iris.folder)
    content = iris.built["tags"][0].partition(":")[2]
    assert released["tags"] == [f"{repository}:{content}"]
    assert released["reference"] == f"{repository}@{released['digest']}"
    assert released["digest"] == digest_at(registry, f"line/{iris.name}", content)
    (receipt,) = attachments(released["reference"], "application/vnd.mlpack.receipt.v1+json")
    assert json.loads(receipt)["image"] == iris.image
    people = mlpack("push", iris.image, "--to", f"{repository}:chosen", cwd=iris.folder)
    assert people.code == 0, people
    assert people.stdout == f"{released['reference']}\n"
    assert digest_at(registry, f"line/{iris.name}", "chosen") == released["digest"]


def test_push_wants_a_receipt(iris: Packed, registry: str, tmp_path: Path) -> None:
    """An image that was not tested here stays; --no-verify pushes it, and says so; a receipt handed over is as good."""
    target = f"{registry}/line/{iris.name}:unproven"
    document = refused(6, "not_verified", "push", iris.image, "--to", target, cwd=tmp_path)
    assert "mlpack test" in document["error"]["hint"]
    assert digest_at(registry, f"line/{iris.name}", "unproven") is None
    plain = mlpack("push", iris.image, "--to", target, cwd=tmp_path)
    assert (plain.code, plain.stdout) == (6, "")
    assert "has not been tested" in plain.stderr
    forced = mlpack("push", iris.image, "--to", target, "--no-verify", "--json", cwd=tmp_path)
    assert forced.code == 0, forced
    assert "--no-verify" in forced.stderr
    assert forced.document()["digest"] == digest_at(registry, f"line/{iris.name}", "unproven")
    assert forced.document()["verified"] is False


@pytest.mark.usefixtures("tested")
def test_push_takes_a_receipt_from_elsewhere(iris: Packed, registry: str, tmp_path: Path) -> None:
    """A receipt made in another folder lets exactly its own image through, and no other."""
    target = f"{registry}/line/{iris.name}:carried"
    kept = iris.folder / "kept.json"
    told("push", iris.image, "--to", target, "--receipt", kept, cwd=tmp_path)
    forged = tmp_path / "forged.json"
    forged.write_text(kept.read_text().replace(iris.image, f"sha256:{'0' * 64}"))
    refused(6, "not_verified", "push", iris.image, "--to", target, "--receipt", forged, cwd=tmp_path)
    failed = json.loads(kept.read_text())
    failed["report"]["checks"][0]["ok"] = False
    forged.write_text(json.dumps(failed))
    refused(6, "not_verified", "push", iris.image, "--to", target, "--receipt", forged, cwd=tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_run_prints_a_line_that_works_when_pasted(iris: Packed, engine: DockerEngine, end: signal.Signals) -> None:
    """`mlpack run` prints a curl line with the real columns; the shell gets predictions; Ctrl-C leaves no container."""
    with running(cwd=iris.folder) as process:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("curl ")), None)
        assert line, process.communicate()
        assert "sepal length (cm)" in line
        answer = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        ).stdout
        (species,) = json.loads(answer)["predictions"]
        assert species in {"setosa", "versicolor", "virginica"}
        assert containers_of(engine, iris.image)
        process.send_signal(end)
        assert process.wait(PATIENCE_S) == 130
    assert containers_of(engine, iris.image) == set()


# houses ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_houses_go_the_whole_line(houses: Packed, registry: str) -> None:
    """A ColumnTransformer on mixed named columns: inspected, tested against the values of its training, and pushed."""
    found = told("inspect", "model.joblib", cwd=houses.folder)
    assert found["signatures"][0]["layout"] == "columns"
    types = {spec["name"]: spec["dtype"] for spec in found["signatures"][0]["inputs"]}
    assert list(types) == ["area_m2", "rooms", "district", "heating", "age_years", "garden"]
    assert (types["area_m2"], types["district"]) == ("FP64", "BYTES")
    assert set(found["signatures"][0]["categories"]["district"]) == {"centre", "harbour", "hills", "north"}
    tested = told("test", cwd=houses.folder)
    assert "20 equal" in next(check["detail"] for check in tested["checks"] if check["name"] == "expected")
    released = told("push", "--to", f"{registry}/line/{houses.name}:1", cwd=houses.folder)
    assert released["digest"] == digest_at(registry, f"line/{houses.name}", "1")


@pytest.mark.slow
def test_houses_answer_as_at_training(houses: Packed) -> None:
    """Records in any order of rows and of columns, one row alone, and gaps get the values that training computed."""
    request = json.loads((houses.folder / "request.json").read_text())["instances"]
    expected = json.loads((houses.folder / "expected.json").read_text())["predictions"]
    gaps = [{**request[0], "area_m2": None}, {**request[1], "heating": None}, {**request[2], "garden": True}]
    filled = values_of(houses.folder / "model.joblib", gaps)
    with served(cwd=houses.folder) as url:
        assert_same(predictions(url, request), expected)
        assert_same(predictions(url, request[::-1]), expected[::-1])
        turned = [dict(reversed(record.items())) for record in request]
        assert_same(predictions(url, turned), expected)
        assert_same(predictions(url, [list(record.values()) for record in request]), expected)
        assert_same(ask(url, {"features": request[3]})["predictions"], expected[3:4])
        assert_same(predictions(url, gaps), filled)
        unheard = predictions(url, [{**request[0], "district": "the moon"}])
        assert unheard != expected[:1], "an unknown district is encoded as none"
        wrong = ask(url, {"instances": [{**request[0], "rooms": "many"}]}, status=400)
        assert "rooms" in wrong["error"]["message"]
        short = ask(url, {"instances": [{"area_m2": 80.0}]}, status=400)
        assert "rooms" in json.dumps(short["error"])


# helpers --------------------------------------------------------------------------------------------


def values_of(model: Path, records: list[dict[str, Any]]) -> list[Any]:
    """What the model says of the records in the environment that trained it."""
    question, answer = model.with_name("question.json"), model.with_name("answer.json")
    question.write_text(json.dumps({"rows": records, "methods": ["predict"]}))
    program = ROOT / "tests" / "integration" / "models" / "answer.py"
    subprocess.run([sys.executable, program, model, question, answer], check=True)
    values: list[Any] = json.loads(answer.read_text())["predict"]
    return values


def digest_at(registry: str, repository: str, tag: str) -> str | None:
    """The manifest's digest as the registry itself tells it to whoever knows the password; None when there is none."""
    config = json.loads((Path(os.environ["DOCKER_CONFIG"]) / "config.json").read_text())
    auth = config["auths"][registry]["auth"]
    assert ":" in base64.b64decode(auth).decode()
    request = urllib.request.Request(f"http://{registry}/v2/{repository}/manifests/{tag}", method="HEAD")
    request.add_header("Authorization", f"Basic {auth}")
    request.add_header(
        "Accept", "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 404:
            raise
        return None
