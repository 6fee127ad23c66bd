"""The options that a target declares: those of another package are on the command line like those of the built-in ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.cli.target_command import help_of, offered_options
from mlpack.targets.cloudrun import CloudRun
from mlpack.targets.compose import Compose

TOY = Path(__file__).parents[2] / "standins" / "toy_package"  # as if pip had installed it


def mlpack(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlpack", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(TOY), "DOCKER_HOST": "tcp://127.0.0.1:1", "COLUMNS": "120", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("target", [CloudRun, Compose])
def test_each_option_sets_one_of_the_settings(target: type[CloudRun | Compose]) -> None:
    """A flag leads to a key of the target's section in mlpack.yaml."""
    assert {option.key for option in target.options} <= set(target.settings.model_fields)
    flags = [option.flag for option in target.options]
    assert len(set(flags)) == len(flags)


def test_one_flag_of_two_targets_names_both() -> None:
    """Without `--target` the help of an option says which targets take it, and what it means for each."""
    offered = {one.option.flag: one for one in offered_options(None, among=("cloudrun", "compose"))}
    assert help_of(offered["--env"]).startswith("cloudrun, compose: ")
    assert "compose: Memory limit" in help_of(offered["--memory"])
    assert list(offered["--region"].helps) == ["cloudrun"]
    [alone] = [one for one in offered_options("compose") if one.option.flag == "--memory"]
    assert help_of(alone).startswith("Memory limit")


@pytest.mark.parametrize(
    ("words", "shown", "hidden"),
    [
        (["deploy"], ["--colour", "--platform-url", "--region", "--memory"], []),
        (["deploy", "--target", "toy"], ["--colour", "--platform-url", "--service"], ["--region", "--memory"]),
        (["deploy", "--target=cloudrun"], ["--region", "--memory"], ["--colour"]),
        (["status"], ["--platform-url", "--region"], ["--colour", "--memory"]),
        (["rollback", "--target", "toy"], ["--platform-url"], ["--colour", "--region"]),
    ],
    ids=" ".join,
)
def test_help_shows_the_options_of_the_target(
    tmp_path: Path, words: list[str], shown: list[str], hidden: list[str]
) -> None:
    """Those of all targets, or of the chosen one; commands that manage a service show only what locates it."""
    done = mlpack(*words, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(f"  {flag} " in done.stdout for flag in shown)
    assert not any(f"  {flag} " in done.stdout for flag in hidden)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["deploy", "--target", "compose", "--colour", "red"], "usage", "--colour is an option of the target toy, not of compose"),
        (["deploy", "--target", "toy", "--region", "x"], "usage", "--region is an option of the target cloudrun, not of toy"),
        (["status", "--target", "toy", "--colour", "red"], "usage", "No such option: --colour"),
        (["deploy", "--target", "toy", "--colur", "red"], "usage", "--colour"),
        (["deploy", "model.pkl", "--target", "toy"], "usage", "needs the address of its platform"),
        (["deploy", "model.pkl", "--target", "toy", "--platform-url", "http://127.0.0.1:1"], "usage", "from a registry"),
        (["deploy", "model.pkl", "--target", "compose", "--memory", "1g", "--cpu", "many"], "config", "`--cpu`"),
        (["deploy", "model.pkl", "--target", "compose", "--env", "A"], "usage", "--env: 'A' is not NAME=VALUE"),
        (["deploy", "model.pkl", "--target", "compose", "--set", "prot=1"], "config", "no setting `prot`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_mistakes_are_reported_before_anything_is_built(
    tmp_path: Path, words: list[str], code: str, message: str
) -> None:
    """Exit 2 with a remedy: there is neither an engine nor a readable model here."""
    (tmp_path / "model.pkl").write_bytes(b"no model")
    done = mlpack(*words, *(["--yes"] if words[0] == "deploy" else []), "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, code), done
    assert message in error["message"]
    assert error["hint"]


def test_a_target_without_a_registry_names_the_setting(tmp_path: Path) -> None:
    """The remedy is the repository of mlpack.yaml; with one, the model itself is read next."""
    (tmp_path / "model.pkl").write_bytes(b"no model")
    words = ("deploy", "model.pkl", "--target", "toy", "--platform-url", "http://127.0.0.1:1", "--yes", "--json")
    error = json.loads(mlpack(*words, cwd=tmp_path).stdout)["error"]
    assert "image: {repository:" in error["hint"]
    (tmp_path / "mlpack.yaml").write_text("image: {repository: 'registry.example.com/ml/iris'}\n")
    assert json.loads(mlpack(*words, cwd=tmp_path).stdout)["error"]["exit"] == 3
    (tmp_path / "mlpack.yaml").write_text("image: {repository: 'registry.example.com/ML iris'}\n")
    assert json.loads(mlpack(*words, cwd=tmp_path).stdout)["error"]["code"] == "usage"


def test_an_option_must_be_of_the_configured_target(tmp_path: Path) -> None:
    """The target of mlpack.yaml counts as one of the command line does."""
    (tmp_path / "mlpack.yaml").write_text("name: iris\ndeploy: {target: toy}\n")
    done = mlpack("status", "--region", "europe-west1", "--json", cwd=tmp_path)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "usage")
    assert error["message"] == "--region is an option of the target cloudrun, not of toy"
    done = mlpack("status", "--platform-url", "http://127.0.0.1:1", "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (8, "deploy_unreachable")
    done = mlpack("deploy", "iris", "--colour", "blue", "--dry-run", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["error"]["code"] == "engine_unavailable"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mlpack deploy --target ", {"cloudrun", "compose", "toy"}),
        ("mlpack deploy --target toy --col", {"--colour"}),
        ("mlpack deploy --target moon --y", {"--yes"}),
        ("mlpack status --plat", {"--platform-url"}),
    ],
)
def test_the_shell_completes_targets_and_their_options(tmp_path: Path, words: str, expected: set[str]) -> None:
    """Names after --target, options after a dash; an unknown target is no error in an unfinished line."""
    number = str(len(words.split(" ")) - 1)
    done = mlpack(cwd=tmp_path, _MLPACK_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=number)
    assert set(done.stdout.split()) == expected, done


def test_a_broken_target_of_another_package_is_in_the_way_of_no_other(tmp_path: Path) -> None:
    """It cannot be imported: the commands of the other targets work, and it is named when it is chosen."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpack.targets]\nbroken = no_such_module:Target\n")
    assert "--region" in mlpack("deploy", "--help", cwd=tmp_path, PYTHONPATH=str(tmp_path)).stdout
    done = mlpack("status", "--target", "broken", "--json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert "no_such_module" in done.stdout
