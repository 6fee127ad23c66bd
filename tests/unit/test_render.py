"""Rendering: the same bytes on any host, and names of the user's that cannot break out of any language."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.bundle import Bundle
from mlpack.config import Settings
from mlpack.errors import ModelError, TemplateError
from mlpack.pipeline.render import model_name, slug, write
from tests.unit.locks import make_lock, render_lock

GOLDEN = Path(__file__).parents[1] / "golden"
LOADER = Path(__file__).parents[2] / "mlpack" / "formats" / "lightgbm" / "loader.py"
HOSTILE = [
    "name with spaces & ünïcode $(touch x).pkl",
    "-rf.pkl",
    'quo"te.pkl',
    "back\\slash.pkl",
    "new\nRUN touch pwned\n.pkl",
    "${HOME}.pkl",
    '""".pkl',
    "{{ 7*7 }}.pkl",
    "`id`.pkl",
]


def bundle_of(path: Path, **changes: Any) -> Bundle:
    path.write_bytes(b"\x80\x04N.")
    return render_lock(make_lock(path), **{"loader": LOADER, **changes})


def text_of(bundle: Bundle, name: str) -> str:
    content = next(file.content for file in bundle.files if file.name == name)
    assert content is not None
    return content.decode()


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.classic", "serve.py", "model.json", ".dockerignore"])
def test_rendering_is_what_the_golden_file_says(tmp_path: Path, name: str) -> None:
    """What is rendered changes only when somebody means it to (MLPACK_UPDATE_GOLDEN=1 writes the files anew)."""
    golden = GOLDEN / "iris" / name.removeprefix(".")
    text = text_of(bundle_of(tmp_path / "model.pkl", version="1.4.0"), name)
    if os.environ.get("MLPACK_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_the_cuda_variant_is_what_the_golden_file_says(tmp_path: Path) -> None:
    """With --gpu the image asks NVIDIA's runtime for the driver, and nothing else changes; rendered, never run here."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    lock = replace(make_lock(path), gpu=True)
    text = text_of(render_lock(lock, loader=LOADER, version="1.4.0"), "Dockerfile")
    golden = GOLDEN / "gpu" / "Dockerfile"
    if os.environ.get("MLPACK_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()
    plain = (GOLDEN / "iris" / "Dockerfile").read_text().splitlines()
    assert [line for line in text.splitlines() if line not in plain and not line.startswith("      dev.mlpack.")] == [
        "# Settings of NVIDIA's container runtime, which adds the libraries of the host's driver.",
        "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ]


def test_the_same_input_gives_the_same_digest_anywhere(tmp_path: Path) -> None:
    """Neither the folder, nor the file's time, nor the order of listing enters the bundle."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = bundle_of(tmp_path / "a" / "model.pkl"), bundle_of(tmp_path / "b" / "model.pkl")
    os.utime(tmp_path / "b" / "model.pkl", (1, 1))
    assert one.digest == two.digest == bundle_of(tmp_path / "b" / "model.pkl").digest


def test_each_input_moves_the_digest(tmp_path: Path) -> None:
    """One byte more in the model, another lock, setting, template or version is another bundle."""
    path = tmp_path / "model.pkl"
    first = bundle_of(path)
    digests = {first.digest}
    path.write_bytes(b"\x80\x04K\x01.")
    digests.add(render_lock(make_lock(path), loader=LOADER).digest)
    path.write_bytes(b"\x80\x04N.")
    digests.add(render_lock(make_lock(path, requirements="numpy==1.0\n"), loader=LOADER).digest)
    digests.add(render_lock(make_lock(path, platform="linux/arm64"), loader=LOADER).digest)
    digests.add(bundle_of(path, version="2").digest)
    digests.add(bundle_of(path, serve=Settings(max_rows=5)).digest)
    own = tmp_path / "templates"
    own.mkdir()
    (own / "Dockerfile.j2").write_text('{% extends "mlpack/Dockerfile.j2" %}{% block extra %}ENV A=1\n{% endblock %}')
    digests.add(bundle_of(path, templates=own).digest)
    assert len(digests) == 7


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_data(tmp_path: Path, name: str) -> None:
    """A file's name never becomes an instruction, an expression or a path in what is rendered."""
    bundle = bundle_of(tmp_path / name, version="1")
    dockerfile = text_of(bundle, "Dockerfile")
    keywords = {line.split(" ")[0] for line in dockerfile.splitlines() if line and not line.startswith((" ", "#"))}
    assert keywords == {"FROM", "COPY", "RUN", "ENV", "WORKDIR", "LABEL", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert dockerfile.count("\nRUN ") == 5
    tree = ast.parse(text_of(bundle, "serve.py"))
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert calls == {"Path", "str", "Settings", "SystemExit", "limit_threads", "serve"}
    assert json.loads(text_of(bundle, "model.json"))["model"]["name"] == name
    assert all(
        set(file.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")
        for file in bundle.files
    )


def test_settings_that_were_given_stand_without_a_comment_mark(tmp_path: Path) -> None:
    """serve.py names every setting, and sets those that mlpack.yaml sets."""
    text = text_of(bundle_of(tmp_path / "model.pkl", serve=Settings(max_rows=7, max_body="1MiB")), "serve.py")
    assert "\n    max_rows=7," in text
    assert "\n    max_body='1MiB'," in text
    assert all(f"# {name}=" in text or f"\n    {name}=" in text for name, _, _ in Settings.describe())


@pytest.mark.parametrize("buildkit", [False, True])
def test_the_linter_finds_nothing(tmp_path: Path, buildkit: bool) -> None:
    """Hadolint is silent on the Dockerfile, with BuildKit's mounts and without."""
    write(bundle_of(tmp_path / "model.pkl"), tmp_path / "out", buildkit=buildkit)
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([linter, tmp_path / "out" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_written_folder_is_whole(tmp_path: Path) -> None:
    """`write` gives one Dockerfile and every file that it copies."""
    write(bundle_of(tmp_path / "model.pkl"), tmp_path / "out", buildkit=False)
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"Dockerfile", "serve.py", "loader.py", "model.json", "model/model.pkl", "requirements.lock"} <= names
    assert "Dockerfile.classic" not in names
    assert "--mount" not in (tmp_path / "out" / "Dockerfile").read_text()


def test_a_loader_of_several_files(tmp_path: Path) -> None:
    """A format's folder `loader/` goes whole into the image in place of loader.py, without what Python made of it."""
    folder = tmp_path / "loader"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "calls.pyc").write_bytes(b"")
    (folder / "__init__.py").write_text("from .calls import load, predict\n")
    (folder / "calls.py").write_text("def load(): ...\ndef predict(): ...\n")
    bundle = bundle_of(tmp_path / "model.pkl", loader=folder)
    assert [file.name for file in bundle.files if "loader" in file.name] == ["loader/__init__.py", "loader/calls.py"]
    dockerfile = text_of(bundle, "Dockerfile")
    assert "\nCOPY loader/ /app/loader/\nCOPY serve.py /app/\n" in dockerfile
    assert "loader.py" not in dockerfile
    assert "!loader\n" in text_of(bundle, ".dockerignore")
    assert "\nimport loader " in text_of(bundle, "serve.py")


def test_a_formats_note_is_a_comment_of_the_dockerfile(tmp_path: Path) -> None:
    """Each line of it above the loader; a line cannot become an instruction."""
    text = text_of(bundle_of(tmp_path / "model.pkl", note="One line.\nRUN \x85 another\r"), "Dockerfile")
    assert "\n# One line.\n# RUN\n# another\nCOPY loader.py serve.py /app/\n" in text


def test_no_test_folder_is_removed_where_no_format_names_one(tmp_path: Path) -> None:
    """Without names there is no pattern that would match every package."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    bundle = render_lock(make_lock(path, test_folders=()), loader=LOADER)
    assert "find /opt/venv" not in text_of(bundle, "Dockerfile")


def test_a_template_may_not_use_unknown_names(tmp_path: Path) -> None:
    """A misspelt name in a user's template is an error with its line, not an empty string."""
    own = tmp_path / "templates"
    own.mkdir()
    (own / "serve.py.j2").write_text("first line\n{{ nonsense }}\n")
    with pytest.raises(TemplateError, match="nonsense"):
        bundle_of(tmp_path / "model.pkl", templates=own)


def test_a_model_that_went_away_is_told(tmp_path: Path) -> None:
    """A file removed between reading and packing is named."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    lock = make_lock(path)
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.pkl"):
        render_lock(lock, loader=LOADER)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("churn.pkl", "churn"),
        ("Churn Model v2.joblib", "churn-model-v2"),
        ("acme/model.pkl", "acme"),
        ("acme/clf.pkl.gz", "acme"),
        ("ünï/***.pkl", "n"),
        ("-rf.pkl", "rf"),
        ("model_v0.3.0.pkl", "model-v0-3-0"),
        ("churn-2.1.joblib.gz", "churn-2-1"),
        ("yolov8n.1280.onnx", "yolov8n-1280"),
        ("rates.2024-05", "rates-2024-05"),
        ("acme/clf.tar.gz", "acme"),
    ],
)
def test_names(tmp_path: Path, path: str, name: str) -> None:
    """An image is called after its file, or after the folder where the file's name says nothing."""
    file = tmp_path / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x")
    assert model_name(file) == name
    assert slug(name) == name


@pytest.mark.parametrize("python", ["3.10", "3.12"])
def test_pythons_without_a_stand_in_are_rendered(tmp_path: Path, python: str) -> None:
    """Pythons that no image here has (they are locked in tests, and not run) get a Dockerfile of their own base."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    lock = make_lock(path, python=python, base=f"python:{python}-slim")
    bundle = render_lock(lock, loader=LOADER)
    for name in ("Dockerfile", "Dockerfile.classic"):
        bases = [line for line in text_of(bundle, name).splitlines() if line.startswith("FROM ")]
        assert bases
        assert all(line.startswith(f"FROM python:{python}-slim@sha256:") for line in bases)
    assert bundle.card["python"] == python
