"""The command line: quick, helpful, one document with --json, one table of exit codes."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ("inspect", "render", "build", "test", "run", "push", "deploy", "status", "rollback", "traffic", "delete")
ENSEMBLE = tuple(
    f"ensemble {command}"
    for command in ("inspect", "render", "build", "test", "up", "down", "deploy", "status", "rollback", "delete")
)
ABOUT = ("status", "--target", "cloudrun", "--service", "iris", "--project", "demo", "--region", "europe-west1")
HEAVY = {
    "docker",
    "google.auth",
    "google.cloud",
    "grpc",
    "httptools",
    "jinja2",
    "numpy",
    "pandas",
    "requests",
    "rich",
    "sklearn",
    "urllib3",
    "uv",
    "yaml",
}  # typer itself brings pydantic


def mlpack(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80", **env}
    return subprocess.run(
        [sys.executable, "-m", "mlpack", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], *([*command.split(), "--help"] for command in (*COMMANDS, *ENSEMBLE))],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    """--help and --version are quick because what only the work needs is imported by the work."""
    code = f"import sys; sys.argv[1:] = {words!r}\nfrom mlpack.__main__ import main\ntry:\n    main()\nexcept SystemExit: pass\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert done.stdout
    assert not loaded & HEAVY
    assert "typer" not in loaded or words != ["--version"]


def test_a_model_is_not_built_for_a_service_that_cannot_be_reached(tmp_path: Path) -> None:
    """Missing credentials are told before anything else is done: there is neither a model nor an engine here."""
    (tmp_path / "model.pkl").write_bytes(b"no model at all")
    words = (
        "deploy",
        "model.pkl",
        "--target",
        "cloudrun",
        "--project",
        "demo",
        "--region",
        "europe-west1",
        "--yes",
        "--json",
    )
    nothing = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json"), "DOCKER_HOST": "tcp://127.0.0.1:1"}
    done = mlpack(*words, cwd=tmp_path, **nothing)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (8, "deploy_auth")
    assert "gcloud auth application-default login" in error["hint"]


@pytest.mark.parametrize("command", [*COMMANDS, *ENSEMBLE])
def test_every_command_shows_examples(tmp_path: Path, command: str) -> None:
    """`--help` of a command says what it does and how it is called."""
    done = mlpack(*command.split(), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"\n  mlpack {command}" in done.stdout
    assert "--json" in done.stdout


def test_a_ctrl_c_at_the_very_end_changes_nothing(tmp_path: Path) -> None:
    """While the interpreter takes itself apart there is nobody to turn SIGINT into exit 130, and it would kill."""
    late = (
        "import os, signal, sys\nclass Late:\n    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGINT):\n"
        "        kill(pid, number)\nlate = Late()\nsys.argv[1:] = ['doctor', '--help']\nfrom mlpack.__main__ import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", late], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mlpack doctor" in done.stdout


def test_no_words_is_help(tmp_path: Path) -> None:
    """`mlpack` alone shows what it can do."""
    done = mlpack(cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["nope"],
        ["build", "--nope"],
        ["render", "x.pkl"],
        ["inspect", "--fail-on", "maybe", "x"],
        ["push", "--to", "A B"],
        ["deploy", "--target", "cloudrun"],
        ["deploy", "--target", "moon", "--yes"],
        ["rollback", "--target", "cloudrun", "--service", "iris", "--project", "demo"],
        ["status", "--target", "cloudrun", "--service", "iris", "--project", "demo", "--region", "Europe"],
        ["traffic", "--target", "cloudrun", "iris-1=60", "iris-2=60"],
        ["delete", "--target", "compose"],
        ["test"],
        ["inspect"],
    ],
    ids=" ".join,
)
def test_usage_errors(tmp_path: Path, words: list[str]) -> None:
    """Wrong words are exit 2, with one sentence and where to look, as text and as JSON."""
    done = mlpack(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    done = mlpack(*words, "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit"], error["code"]) == (2, 2, "usage")
    assert error["message"]
    assert error["hint"]


def test_a_mistake_in_the_config_is_told(tmp_path: Path) -> None:
    """mlpack.yaml's mistakes have their own code, with file and line."""
    (tmp_path / "mlpack.yaml").write_text("name: x\nserve: {max_row: 1}\n")
    done = mlpack("inspect", "model.pkl", "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "config")
    assert "mlpack.yaml:2" in error["message"]


@pytest.mark.parametrize("command", ["inspect", "build", "render"])
def test_a_missing_model_is_told(tmp_path: Path, command: str) -> None:
    """A path that is not there is exit 3 and one sentence."""
    words = [command, "no such.pkl", *(["-o", "out"] if command == "render" else [])]
    done = mlpack(*words, cwd=tmp_path)
    assert done.returncode == 3
    assert "no such.pkl" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    """A pipe gets no escape codes, whatever TERM says."""
    done = mlpack("inspect", "nothing.pkl", cwd=tmp_path, TERM="xterm-256color")
    assert "\x1b" not in done.stdout + done.stderr


def test_a_dead_engine_is_told(tmp_path: Path) -> None:
    """No engine is exit 5, with what to do."""
    done = mlpack("test", "iris:latest", "--json", cwd=tmp_path, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (5, "engine_unavailable")
    assert error["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("build", "model.pkl"),
        ("push", "iris"),
        ("image", "iris"),
        ("deploy", "--target", "compose", "--yes", "model.pkl"),
    ],
    ids=" ".join,
)
def test_an_engine_without_images_is_refused_at_once(tmp_path: Path, words: tuple[str, ...]) -> None:
    """What needs an image is exit 2 with a local runner, chosen in any way; nothing is inspected or built before."""
    (tmp_path / "mlpack.yaml").write_text("engine: process\n" if words[0] == "push" else "")
    env = {"MLPACK_ENGINE": "process"} if words[0] == "image" else {}
    more = () if words[0] in {"push", "image"} else ("--engine", "process")
    done = mlpack(*words, *more, "--json", cwd=tmp_path, **env)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "usage"), done
    assert "cannot build, run or push images" in error["message"]
    assert "--engine docker" in error["hint"]


def test_the_engine_is_chosen_as_other_keys_are(tmp_path: Path) -> None:
    """The option wins over the variable, the variable over mlpack.yaml; an unknown name lists those that there are."""

    def chosen(*words: str, **env: str) -> str:
        done = mlpack("test", "nothing.pkl", *words, "--json", cwd=tmp_path, DOCKER_HOST="unix:///none.sock", **env)
        return str(json.loads(done.stdout)["error"]["code"])

    assert chosen() == "engine_unavailable"  # docker
    (tmp_path / "mlpack.yaml").write_text("engine: process\n")
    assert chosen() == "unreadable"  # a local runner takes a model's path
    assert chosen(MLPACK_ENGINE="docker") == "engine_unavailable"
    assert chosen("--engine", "process", MLPACK_ENGINE="docker") == "unreadable"
    done = mlpack("build", "model.pkl", "--engine", "podman", "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["hint"]) == (2, "Available engines: docker, process.")


def test_commands_that_can_do_without_images_go_on(tmp_path: Path) -> None:
    """With a local runner `clean` leaves images out, `doctor` looks at its Pythons, and `render` needs none."""
    env = {"MLPACK_ENGINE": "process", "MLPACK_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1"}
    done = mlpack("clean", "--yes", cwd=tmp_path, **env)
    assert done.returncode == 0, done
    assert "images are skipped" in done.stderr
    done = mlpack("doctor", "--json", cwd=tmp_path, **env)
    (engine,) = (check for check in json.loads(done.stdout)["checks"] if check["name"] == "engine")
    assert (engine["state"], "without images; Python 3." in engine["seen"]) == ("ok", True)
    done = mlpack("render", "nothing.pkl", "-o", "out", "--json", cwd=tmp_path, **env)
    assert json.loads(done.stdout)["error"]["code"] == "unreadable"


def test_completion_is_offered(tmp_path: Path) -> None:
    """The shell's completion script comes from the command itself, for the shell that it is run from."""
    command = f"{shlex.quote(sys.executable)} -m mlpack --show-completion; true"  # bash stays the parent
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.search(r"complete .*mlpack", done.stdout), done.stderr


def test_the_cloud_is_asked_only_encrypted(tmp_path: Path) -> None:
    """Plain http to another machine is exit 2: a token would travel in the open."""
    for address in ("http://run.example.com", "ftp://127.0.0.1"):
        done = mlpack(*ABOUT, "--api-endpoint", address, "--json", cwd=tmp_path)
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"]) == (2, "usage")
        assert address in error["message"]


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    """Without Google's libraries every command of the target ends with exit 2 and the install line."""
    code = (
        "import sys; sys.modules['google.cloud.run_v2'] = None; sys.modules['google.auth'] = None\n"
        f"from mlpack.__main__ import main; sys.argv[1:] = {[*ABOUT, '--json']!r}; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["exit"]) == (2, 2)
    assert "mlpack-cli[cloudrun]" in error["hint"]
    assert "Traceback" not in done.stderr


def test_no_google_credentials_is_told(tmp_path: Path) -> None:
    """Exit 8 with its own code and what to run."""
    done = mlpack(
        *ABOUT, "--json", cwd=tmp_path, HOME=str(tmp_path), GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "none.json")
    )
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (8, "deploy_auth")
    assert "application-default" in error["hint"]


CTRL_C_AMID_AN_IMPORT = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "mlpack.pipeline.inspect":
            import rich.console  # nothing is made later that would let Python forget
            exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)")

sys.meta_path.insert(0, Finder())
"""


def test_ctrl_c_amid_an_import_is_an_exit_code(tmp_path: Path) -> None:
    """Python makes dataclasses by executing text; a Ctrl-C that comes just then ends the command as any other does."""
    (tmp_path / "sitecustomize.py").write_text(CTRL_C_AMID_AN_IMPORT)
    done = subprocess.run(
        [sys.executable, "-m", "mlpack", "inspect", "model.pkl", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "interrupted" in done.stdout) == (130, True), done
