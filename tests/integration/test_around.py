"""Around the line: terminals, quiet, completion, init, clean, image, and templates of the user's own."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack.config import load_config
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
from tests.integration.cli import mlpack, refused, running, told
from tests.integration.conftest import BASE, MakeBundle, Name, Packed
from tests.integration.terminals import on_terminal

ROWS = np.arange(12.0).reshape(6, 2)
LABELS = ["lo", "lo", "lo", "hi", "hi", "hi"]
COLOURS = re.compile(r"\x1b\[[\d;]*m")
CURSOR = re.compile(r"\x1b\[[\d;?]*[A-LN-Za-ln-z]")
OWN_CODE = """\
import joblib, numpy
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline


class Cleaner(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return numpy.nan_to_num(X)


if __name__ == "__main__":
    rows = numpy.arange(12.0).reshape(6, 2)
    joblib.dump(make_pipeline(Cleaner(), LinearRegression()).fit(rows, rows[:, 0]), "model.joblib")
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a model in it, model.joblib."""
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS), tmp_path / "model.joblib")
    return tmp_path


# terminals ------------------------------------------------------------------------------------------


def test_a_narrow_terminal_breaks_no_word(model: Path) -> None:
    """At 40 columns lines end between words, and a name that is longer stays whole, so that it can be copied."""
    wide = mlpack("inspect", "model.joblib", "--digest", cwd=model)
    shown = on_terminal("inspect", "model.joblib", "--digest", cwd=model, columns=40)
    assert shown.code == 0
    assert set(wide.stdout.split()) <= set(shown.text.split())
    (digest,) = re.findall(r"sha256:\w{64}", wide.stdout)
    answer = shown.text[shown.text.index("file  ") :].splitlines()
    assert all(len(line) <= 40 or digest in line for line in answer), answer
    assert any(line.strip().endswith(digest) for line in answer)


def test_colours_follow_the_terminal_and_the_users_word(model: Path) -> None:
    """Colours on a terminal; none with NO_COLOR; a dumb terminal gets no codes at all, and a pipe never a spinner."""
    words = ("inspect", "model.joblib")
    assert COLOURS.search(on_terminal(*words, cwd=model).raw)
    assert not COLOURS.search(on_terminal(*words, cwd=model, env={"NO_COLOR": "1"}).raw.replace("\x1b[0m", ""))
    assert "\x1b" not in on_terminal(*words, cwd=model, env={"TERM": "dumb"}).raw
    piped = mlpack(*words, cwd=model, env={"FORCE_COLOR": "1"})
    assert not CURSOR.search(piped.stdout + piped.stderr)


def test_a_pipe_gets_a_line_a_fact(model: Path) -> None:
    """Off a terminal nothing is folded or cut, whatever COLUMNS says: `grep` and `cut` see whole facts."""
    joblib.dump(
        {f"a_rather_long_key_number_{n}": LinearRegression().fit(ROWS, ROWS[:, 0]) for n in range(3)},
        model / "b.joblib",
    )
    lines = mlpack("inspect", "model.joblib", cwd=model, env={"COLUMNS": "20"}).stdout.splitlines()
    assert any(line.startswith("steps ") and line.endswith("(LogisticRegression)") for line in lines)
    held = mlpack("inspect", "b.joblib", cwd=model, env={"COLUMNS": "20"}).stdout
    assert re.search(r"^\W*a_rather_long_key_number_2\W.*LinearRegression", held, re.MULTILINE), held


# quiet ----------------------------------------------------------------------------------------------


def test_quiet_inspect_is_one_word(model: Path) -> None:
    """`-q` leaves the verdict; a failure is told all the same."""
    done = mlpack("inspect", "model.joblib", "-q", cwd=model)
    assert (done.code, done.stdout, done.stderr) == (0, "safe\n", "")
    failed = mlpack("inspect", "nothing.pkl", "--quiet", cwd=model)
    assert (failed.code, failed.stdout) == (3, "")
    assert failed.stderr.startswith("error: ")


@pytest.mark.docker
def test_quiet_leaves_what_a_script_needs(iris: Packed, registry: str, tmp_path: Path) -> None:
    """build: the tag; test: nothing; push: the reference; render: the folder; run: the address."""
    built = mlpack("build", "--name", iris.name, "-q", cwd=iris.folder)
    assert (built.code, built.stdout, built.stderr) == (0, f"{iris.built['tags'][0]}\n", "")
    tested = mlpack("test", "-q", cwd=iris.folder)
    assert (tested.code, tested.stdout, tested.stderr) == (0, "", "")
    pushed = mlpack("push", "--to", f"{registry}/quiet/{iris.name}", "-q", cwd=iris.folder)
    assert re.fullmatch(rf"{registry}/quiet/{iris.name}@sha256:\w{{64}}\n", pushed.stdout), pushed
    assert pushed.stderr == ""
    rendered = mlpack("render", "-q", "-o", tmp_path / "out", cwd=iris.folder)
    assert (rendered.code, rendered.stdout, rendered.stderr) == (0, f"{tmp_path / 'out'}\n", "")
    with running("-q", cwd=iris.folder) as process:
        assert process.stdout is not None
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", process.stdout.readline())


# completion -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "offered"), [("mlpack bu", "build"), ("mlpack build --max-s", "--max-size")])
def test_bash_completes(tmp_path: Path, typed: str, offered: str) -> None:
    """The script that mlpack writes for bash, taken by bash, completes commands and options."""
    words = " ".join(f"'{word}'" for word in typed.split())
    program = (
        f'eval "$(_MLPACK_COMPLETE=source_bash mlpack)"; COMP_WORDS=({words}); COMP_CWORD={len(typed.split()) - 1}; '
        '_mlpack_completion mlpack; echo "${COMPREPLY[@]}"; complete -p mlpack'
    )
    done = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, env=with_mlpack(), capture_output=True, text=True, check=True
    )
    completed, registered = done.stdout.splitlines()
    assert completed == offered
    assert registered.endswith(" mlpack")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered(tmp_path: Path, shell: str) -> None:
    """zsh and fish get a script for `mlpack`, and the answers that their scripts ask for."""
    script = asked_by_shell(tmp_path, {"_MLPACK_COMPLETE": f"source_{shell}"})
    assert "mlpack" in script
    assert f"_MLPACK_COMPLETE=complete_{shell}" in script
    asked = {"_TYPER_COMPLETE_ARGS": "mlpack cl", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "clean" in asked_by_shell(tmp_path, {"_MLPACK_COMPLETE": f"complete_{shell}", **asked})
    if shutil.which("fish") and shell == "fish":
        found = subprocess.run(
            ["fish", "-c", f"{script}\ncomplete -C 'mlpack cl'"],
            env=with_mlpack(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "clean" in found.stdout


# init -----------------------------------------------------------------------------------------------


def test_init_writes_what_mlpack_takes(model: Path) -> None:
    """The file names the model, loads, explains itself, and is never written over unasked."""
    written = Path(told("init", "model.joblib", "--json", cwd=model)["file"])
    config = load_config(model / written)
    assert config.model == model / "model.joblib"
    assert all(f"# {key}" in written_text(model) for key in ("python:", "requirements:", "build:", "serve:", "sample:"))
    before = written_text(model)
    assert "--force" in refused(2, "usage", "init", "model.joblib", cwd=model)["error"]["hint"]
    assert written_text(model) == before
    (model / "mlpack.yaml").write_text("nonsense: 1\n")
    told("init", "model.joblib", "--force", cwd=model)
    assert written_text(model) == before


def test_init_says_what_only_the_user_knows(tmp_path: Path) -> None:
    """A file without a version gets the line that is missing, as a comment that says so."""
    text = pickle.dumps(LinearRegression().fit(ROWS, ROWS[:, 0]))
    # Scikit-learn before 0.18 wrote no version: the attribute that holds it, under a name that says nothing.
    (tmp_path / "old.pkl").write_bytes(text.replace(b"_sklearn_version", b"_something_else_"))
    assert told("inspect", "old.pkl", cwd=tmp_path)["framework_version"] is None
    told("init", "old.pkl", cwd=tmp_path)
    refused(3, "missing_version", "render", "old.pkl", "-o", "out", cwd=tmp_path)
    assert "# framework: scikit-learn==X.Y.Z     # required" in written_text(tmp_path)
    assert load_config(tmp_path / "mlpack.yaml").framework is None


@pytest.mark.docker
@pytest.mark.slow
def test_what_init_wrote_builds(fresh_name: Name, tmp_path: Path) -> None:
    """A bundle's entry is chosen in the file, and the script that defines its own class is included by it."""
    (tmp_path / "bundle").mkdir()
    joblib.dump({"model": LinearRegression().fit(ROWS, ROWS[:, 0]), "made": "today"}, tmp_path / "bundle" / "b.joblib")
    told("init", "bundle/b.joblib", cwd=tmp_path)
    assert load_config(tmp_path / "bundle" / "mlpack.yaml").entry == "model"
    told("build", "--name", fresh_name("bundle"), cwd=tmp_path / "bundle")
    own = tmp_path / "own"
    own.mkdir()
    (own / "train.py").write_text(OWN_CODE)
    subprocess.run([sys.executable, "train.py"], cwd=own, check=True)
    told("init", "model.joblib", cwd=own)
    assert load_config(own / "mlpack.yaml").include == (own / "train.py",)
    told("build", "--name", fresh_name("own"), cwd=own)
    assert told("test", cwd=own)["ok"] is True


# clean ----------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_clean_removes_what_was_named(
    engine: DockerEngine, bundle_of: MakeBundle, fresh_name: Name, tmp_path: Path
) -> None:
    """Sizes first; nothing without a yes; then the named images alone, and only those that mlpack built."""
    one, two, other = (fresh_name(f"team/{word}") for word in ("one", "two", "foreign"))
    for name in (one, two):
        engine.build(
            bundle_of(f"FROM {BASE}\nRUN true", unique=True), tags=(f"{name}:1", f"{name}:2"), on_progress=unheard
        )
    base = engine.find(BASE)
    assert base is not None
    engine.tag(base, (f"{other}:1",))
    listed = mlpack("clean", one, cwd=tmp_path)
    assert listed.code == 2
    assert re.search(rf"^\d.* MB\s+image\s+{one}:[12]$", listed.stdout, re.MULTILINE), listed
    no = on_terminal("clean", one, cwd=tmp_path, typed="n\n")
    assert no.code == 130
    assert "Remove 1 items, at most" in no.text
    assert "not confirmed" in no.text
    assert "interrupted" in on_terminal("clean", one, cwd=tmp_path, typed="\x04").text
    assert engine.find(f"{one}:1") is not None
    removed = told("clean", one.rpartition("/")[2], other, "--yes", cwd=tmp_path)["removed"]
    assert [(item["kind"], item["name"].rpartition(":")[0]) for item in removed] == [("image", one)]
    assert [engine.find(f"{one}:{tag}") for tag in "12"] == [None, None]
    assert engine.find(f"{two}:1") is not None
    assert engine.find(f"{other}:1") is not None


@pytest.mark.docker
def test_clean_leaves_what_runs(iris: Packed, engine: DockerEngine, tmp_path: Path) -> None:
    """An image that a container uses stays with all its names, with a warning."""
    image = engine.find(iris.image)
    assert image is not None
    with engine.run(image, limits=Limits(), env={}, port=8080):
        done = mlpack("clean", iris.name, "--yes", "--json", cwd=tmp_path)
    assert (done.code, done.document()["removed"]) == (0, [])
    assert f"{iris.name}:" in done.stderr
    assert "is not removed" in done.stderr
    after = engine.find(iris.image)
    assert after is not None
    assert sorted(after.tags) == sorted(image.tags)


def test_clean_empties_cache_and_folder(tmp_path: Path) -> None:
    """The cache and this folder's notes go, each when asked for; what is beside them stays."""
    cache, notes = tmp_path / "cache", tmp_path / "work" / ".mlpack"
    for folder in (cache / "locks", notes / "receipts"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 2000)
    (tmp_path / "work" / "model.pkl").write_bytes(b"")
    env = {"MLPACK_CACHE": str(cache)}
    removed = told("clean", "--folder", "--yes", cwd=tmp_path / "work", env=env)["removed"]
    assert removed == [{"kind": "folder", "name": str(notes), "size": 2000}]
    assert (cache / "locks" / "file").exists()
    told("clean", "--cache", "--yes", cwd=tmp_path / "work", env=env)
    assert not cache.exists()
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["model.pkl"]


def test_clean_keeps_the_files_of_deployed_services(tmp_path: Path) -> None:
    """Only they know the service: they stay, with a warning, and the rest of .mlpack goes; without them all of it goes."""
    notes = tmp_path / ".mlpack"
    service = notes / "compose" / "churn"
    for folder in (service, notes / "receipts"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 2000)
    (notes / "built.json").write_bytes(b"x" * 500)
    cleaned = mlpack("clean", "--folder", "--yes", "--json", cwd=tmp_path)
    assert json.loads(cleaned.stdout)["removed"] == [{"kind": "folder", "name": str(notes), "size": 2500}]
    assert f"{service} stays: it belongs to a deployed service" in cleaned.stderr
    assert sorted(path.name for path in notes.rglob("*")) == ["churn", "compose", "file"]
    assert told("clean", "--folder", "--yes", cwd=tmp_path)["removed"] == []
    shutil.rmtree(notes / "compose")
    (notes / "receipts").mkdir()
    assert len(told("clean", "--folder", "--yes", cwd=tmp_path)["removed"]) == 1
    assert not notes.exists()


# image ----------------------------------------------------------------------------------------------


@pytest.mark.docker
def test_image_shows_what_takes_the_room(iris: Packed) -> None:
    """Layers that add up to the image, packages by size, and both in tables; --max-size is a gate that keeps the image."""
    found = told("image", cwd=iris.folder)
    assert sum(layer["size"] for layer in found["layers"]) == pytest.approx(found["size"], rel=0.01)
    sizes = {package["name"]: package["size"] for package in found["packages"]}
    assert sizes[f"scikit-learn {sklearn.__version__}"] > 5_000_000
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    people = mlpack("image", "--most", "3", cwd=iris.folder).stdout
    assert f"{len(sizes) - 3} more" in people
    small = refused(6, "image_too_large", "build", "--name", iris.name, "--max-size", "1MB", cwd=iris.folder)
    assert small["id"] == iris.image
    assert "mlpack image" in small["error"]["hint"]
    told("build", "--name", iris.name, "--max-size", "2GB", cwd=iris.folder)


# templates ------------------------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.slow
def test_templates_of_ones_own(model: Path, engine: DockerEngine, fresh_name: Name) -> None:
    """One block of the Dockerfile and the whole of serve.py are the user's; the image is built so, and passes."""
    own = model / "own"
    own.mkdir()
    (own / "Dockerfile.j2").write_text(
        '{% extends "mlpack/Dockerfile.j2" %}\n{% block extra %}\nLABEL team={{ name|docker }}\n{% endblock %}\n'
    )
    (own / "serve.py.j2").write_text('{% include "mlpack/serve.py.j2" %}\n# signed by {{ name|comment }}\n')
    (model / "mlpack.yaml").write_text("model: model.joblib\ntemplates: own\n")
    name = fresh_name("templates")
    image = engine.find(told("build", "--name", name, cwd=model)["id"])
    assert image is not None
    assert image.labels["team"] == name
    assert told("test", cwd=model)["ok"] is True
    told("render", "-o", "out", "--name", name, cwd=model)
    assert (model / "out" / "serve.py").read_text().endswith(f"# signed by {name}\n")
    assert f'LABEL team="{name}"' in (model / "out" / "Dockerfile").read_text()


def test_a_mistake_in_a_template_is_told(model: Path) -> None:
    """Exit 2 with the file, the line, and the block that was meant; nothing is written."""
    (model / "own").mkdir()
    (model / "own" / "Dockerfile.j2").write_text('{% extends "mlpack/Dockerfile.j2" %}\n{% block extr %}{% endblock %}')
    (model / "mlpack.yaml").write_text("templates: own\n")
    error = refused(2, "template", "render", "model.joblib", "-o", "out", cwd=model)["error"]
    assert error["message"].startswith(f"{model / 'own' / 'Dockerfile.j2'}:2: ")
    assert error["hint"] == "Did you mean `extra`?"
    assert not (model / "out").exists()


# helpers --------------------------------------------------------------------------------------------


def unheard(_: Any) -> None:
    """Nobody listens."""


def written_text(folder: Path) -> str:
    return (folder / "mlpack.yaml").read_text()


def with_mlpack() -> dict[str, str]:
    """The environment of a shell that finds the command."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def asked_by_shell(folder: Path, env: Mapping[str, str]) -> str:
    """What the command prints when a shell's completion asks it."""
    return subprocess.run(
        ["mlpack"], cwd=folder, env={**with_mlpack(), **env}, capture_output=True, text=True, check=True
    ).stdout
