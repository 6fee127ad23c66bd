"""What torch writes, from file to answer: each kind in its container gives the values that torch itself gives."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlpack.checks.contracts import CONTRACTS
from mlpack.engines.docker import DockerEngine
from tests.formats.frameworks import made
from tests.integration.cli import predictions, refused, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CODE = ("--include", "network.py")
MAKER = ("--entry", "network:make_model", *CODE, "--sample", "traced.sample.json")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file that the maker makes, the words that build it, and where its question and answers lie."""

    file: str
    words: tuple[str, ...] = ()
    answers: str = ""
    kind: str = "torchscript"
    version: str | None = None
    extra: bool = False  # another case shows the same

    @property
    def stem(self) -> str:
        """What the question and the answers are named after."""
        return self.answers or self.file.rpartition(".")[0]


CASES = (
    Case(file="traced.pt"),
    Case(file="scripted.pt", extra=True),
    Case(file="frozen.pt", extra=True),
    Case(file="both.pt", words=("--sample", "both.sample.json")),
    Case(file="steps.pt"),
    Case(file="scaled.pt", extra=True, words=("--sample", "scaled.sample.json")),
    Case(file="module.pt", words=(*CODE, "--sample", "traced.sample.json"), kind="module"),
    Case(file="module_legacy.pt", extra=True, words=(*CODE, "--sample", "traced.sample.json"), kind="module"),
    Case(file="layers.pt", kind="module"),
    Case(file="held.pt", extra=True, kind="module"),
    Case(file="weights.pt", words=MAKER, kind="state_dict"),
    Case(file="weights_legacy.pth", extra=True, words=MAKER, kind="state_dict"),
    Case(file="checkpoint.ckpt", words=MAKER, kind="checkpoint"),
    Case(file="weights.safetensors", words=MAKER, answers="weights.safetensors", kind="safetensors"),
    Case(file="exported.pt2", kind="exported", version="2.13.0"),
    Case(file="one_row.pt2", extra=True, kind="exported", version="2.13.0"),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the maker's models, with a few rows as a sample."""
    folder = tmp_path_factory.mktemp("torch") / "models"
    shutil.copytree(made("make_torch_models.py", "served"), folder)
    request = json.loads((folder / "traced.request.json").read_text())
    (folder / "traced.sample.json").write_text(json.dumps(request["instances"][:3]))
    return folder


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.file, marks=pytest.mark.extra if case.extra else ()) for case in CASES],
)
def test_the_container_answers_as_torch_does(models: Path, fresh_name: Name, case: Case) -> None:
    """Inspected, built, tested: at least 50 rows, extremes and gaps among them, have torch's own answers."""
    found = told("inspect", case.file, cwd=models)
    assert (found["details"]["kind"], found["framework_version"]) == (case.kind, case.version)
    assert found["safety"]["verdict"] == (
        "unknown" if case.kind == "module" and case.file not in ("layers.pt", "held.pt") else "safe"
    )
    name = fresh_name(case.file.rpartition(".")[0].replace("_", "-"))
    told("build", case.file, "--name", name, *case.words, cwd=models)
    question, answer = f"{case.stem}.request.json", f"{case.stem}.expected.json"
    tested = told("test", name, "--request", question, "--expected", answer, cwd=models)
    checks = {check["name"]: check for check in tested["checks"]}
    assert all(check["ok"] for check in checks.values()), checks
    count = len(json.loads((models / answer).read_text())["predictions"])
    assert count >= 50
    assert f"{count} equal" in checks["expected"]["detail"]


@pytest.fixture(scope="module")
def image(models: Path, fresh_name: Name) -> str:
    """One image of a torch model."""
    name = fresh_name("cpu")
    told("build", "traced.pt", "--name", name, cwd=models)
    return name


def test_the_image_holds_no_cuda(image: str, models: Path, engine: DockerEngine) -> None:
    """torch's CPU build is in it, and neither a package nor a file of CUDA."""
    document = told("image", image, cwd=models)
    packages = {one["name"].lower().partition(" ")[0] for one in document["packages"]}
    assert "torch" in packages
    assert not {name for name in packages if name.startswith(("nvidia", "cuda", "triton", "cupy"))}
    files = _files(engine, image)
    assert any("/torch/lib/libtorch_cpu" in name for name in files)
    strange = ("libcud", "libnccl", "libcublas", "libtorch_cuda", "libnv", "/nvidia/", "/triton/")
    assert not [name for name in files if any(word in name for word in strange)]


def test_the_image_keeps_every_contract(image: str, models: Path) -> None:
    """A torch model of one tensor answers each platform's clients, started as each starts it."""
    told("test", image, "--contract", ",".join(CONTRACTS), cwd=models)


def _files(engine: DockerEngine, image: str) -> list[str]:
    """Every file's path in an image, out of a container that never starts."""
    import tarfile

    client: Any = engine._client
    container = client.create_container(image)
    try:
        stream, _ = client.get_archive(container["Id"], "/opt/venv")
        with tarfile.open(fileobj=_Stream(stream), mode="r|") as archive:  # type: ignore[call-overload]  # a stream needs `read` alone
            return [f"/{member.name}" for member in archive]
    finally:
        client.remove_container(container["Id"])


class _Stream:
    """An iterator of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def read(self, count: int) -> bytes:
        while len(self._left) < count and (chunk := next(self._chunks, b"")):
            self._left += chunk
        data, self._left = self._left[:count], self._left[count:]
        return data


def test_a_stub_that_is_filled_in_serves(models: Path, fresh_name: Name, tmp_path: Path) -> None:
    """`mlpack init` of weights writes a predict.py; with its model filled in, the container answers as torch does."""
    for file in ("checkpoint.ckpt", "network.py", "checkpoint.request.json", "checkpoint.expected.json"):
        (tmp_path / file).write_bytes((models / file).read_bytes())
    assert told("init", "checkpoint.ckpt", cwd=tmp_path)["predictor"] == "predict.py"
    refused_at_test = (tmp_path / "predict.py").read_text()
    assert "first.weight  FP32 8x4" in refused_at_test
    filled = refused_at_test.replace(
        'raise NotImplementedError("return the nn.Module here: import your class, or write it above")',
        "import network\n\n    return network.make_model()",
    )
    (tmp_path / "predict.py").write_text(filled)
    told("build", "checkpoint.ckpt", "--name", fresh_name("stub"), "--include", "network.py", cwd=tmp_path)
    question = json.loads((tmp_path / "checkpoint.request.json").read_text())["instances"]
    wanted = json.loads((tmp_path / "checkpoint.expected.json").read_text())["predictions"]
    with served(cwd=tmp_path) as url:
        found = predictions(url, question)
    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        assert left == pytest.approx(
            [value if value is not None else float("nan") for value in right], nan_ok=True
        ) or (left == right)


def test_weights_alone_are_refused_with_both_ways(models: Path) -> None:
    """A build of weights says what they are, and names --entry and `predictor:`; a maker that is nowhere is asked for."""
    document = refused(3, "model", "build", "weights.pt", cwd=models)
    assert "--entry pkg.mod:make_model" in document["error"]["hint"]
    assert "predictor: predict.py" in document["error"]["hint"]
    words = ("--entry", "nowhere:make_model", "--sample", "traced.sample.json")
    missing = refused(3, "missing_code", "build", "weights.pt", *words, cwd=models)
    assert "nowhere" in missing["error"]["message"]


def test_weights_that_do_not_fit_are_told(models: Path, fresh_name: Name, tmp_path: Path) -> None:
    """Weights of another model than the function makes: the build tries the sample rows in the image, and says it."""
    (tmp_path / "weights.pt").write_bytes((models / "weights.pt").read_bytes())
    wide = (models / "network.py").read_text().replace("return Net()", "return Net(hidden=9)")
    (tmp_path / "network.py").write_text(wide)
    (tmp_path / "traced.sample.json").write_bytes((models / "traced.sample.json").read_bytes())
    name = fresh_name("unfit")
    failed = refused(6, "check_failed", "build", "weights.pt", "--name", name, *MAKER, cwd=tmp_path)
    assert "the weights do not fit the module that network:make_model makes" in failed["error"]["message"]
