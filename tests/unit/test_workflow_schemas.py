"""The workflows of `mlpack init --ci`, and compose.yaml, held against the schemas of those who will read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main
from click.testing import CliRunner

from mlpack.artifacts.report import Report
from mlpack.cli.options import Ci
from mlpack.scaffold.workflows import write_workflow
from mlpack.targets.compose.file import Wanted, write_file

# The schemas that lie in check-jsonschema: nothing is fetched.
SCHEMAS: Mapping[Ci | None, tuple[tuple[str, ...], ...]] = {
    Ci.github: (("vendor.github-workflows",), ("custom.github-workflows-require-timeout",)),
    Ci.gitlab: (("vendor.gitlab-ci", "--data-transform", "gitlab-ci"),),
    Ci.cloudbuild: (("vendor.cloudbuild",),),
    None: (("vendor.compose-spec",),),
}
AWKWARD = """models/it's "#1": 50 % & {more} [v2].pkl"""


def refusals(ci: Ci | None, *files: Path) -> str:
    """What a provider's schemas say against the files, "" for nothing."""
    told = ""
    if ci is Ci.gitlab:
        files = (*files, *map(extended, files))
    for name, *words in SCHEMAS[ci]:
        done = CliRunner().invoke(main, ["--builtin-schema", name, *words, *map(str, files)])
        assert done.exit_code in {0, 1}, done.output
        told += done.output if done.exit_code else ""
    return told


def extended(file: Path) -> Path:
    """GitLab's file with what each job extends laid into it: no schema looks into the hidden job itself."""
    held = yaml.safe_load(file.read_text())
    for name, job in held.items():
        if isinstance(job, dict) and "extends" in job:
            held[name] = {**held[job["extends"]], **{key: value for key, value in job.items() if key != "extends"}}
    whole = file.with_name(f"whole{file.name}")
    whole.write_text(yaml.safe_dump(held))
    return whole


def written(folder: Path, ci: Ci, model: str, monkeypatch: pytest.MonkeyPatch, config: str = "") -> Path:
    """The workflow for a model in a repository of its own, which may have an mlpack.yaml beside it."""
    (folder / model).parent.mkdir(parents=True)
    (folder / model).write_bytes(b"a model")
    if config:
        (folder / model).with_name("mlpack.yaml").write_text(config)
    monkeypatch.chdir(folder)
    return write_workflow(ci.value, Path(model), folder, force=False)


@pytest.mark.parametrize("ci", Ci)
def test_a_workflow_is_what_its_ci_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: Ci) -> None:
    """Each variant: a plain one, one with settings in a folder, and one of a name with all that YAML and shells mind."""
    files = [
        written(tmp_path / "plain", ci, "model.pkl", monkeypatch),
        written(tmp_path / "settings", ci, "models/model.pkl", monkeypatch, "name: churn\n"),
        written(tmp_path / "awkward", ci, AWKWARD, monkeypatch),
    ]
    assert refusals(ci, *files) == ""
    assert "--config models/mlpack.yaml" in files[1].read_text()
    held = yaml.safe_load(files[2].read_text())
    assert AWKWARD in (held.get("env") or held.get("variables") or held["substitutions"]).values()


@pytest.mark.parametrize(
    ("ci", "right", "wrong"),
    [
        (Ci.github, "runs-on:", "runs_on:"),
        (Ci.github, "workflow_dispatch:", "workflow-dispatch:"),
        (Ci.github, "    timeout-minutes: 30\n", ""),
        (Ci.gitlab, "before_script:", "before-script:"),
        (Ci.gitlab, "when: always", "when: ever"),
        (Ci.gitlab, "build:\n", "image:\n"),
        (Ci.cloudbuild, "  script:", "  scripts:"),
        (Ci.cloudbuild, "CLOUD_LOGGING_ONLY", "CLOUD_LOGGING"),
    ],
    ids=str,
)
def test_a_broken_workflow_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: Ci, right: str, wrong: str
) -> None:
    """A misspelt key, a word that is none, a job under a name that its CI has taken: the schemas tell, so the test above can fail."""
    file = written(tmp_path / "plain", ci, "model.pkl", monkeypatch)
    broken, times = re.subn(rf"(?m)(^|(?<=\s)){re.escape(right)}", wrong, file.read_text())
    assert times
    file.write_text(broken)
    assert file.name in refusals(ci, file)


def test_a_compose_file_is_what_the_specification_says(tmp_path: Path) -> None:
    """compose.yaml with all its settings; and a misspelt one is found out."""
    wanted = Wanted(
        service="iris",
        project="mlpack-iris",
        image=f"sha256:{'0' * 64}",
        port=8080,
        memory=None,
        cpu=0.5,
        env={"PRICE": "5$", "EMPTY": "", "YES": "no"},
        report=Report(checks=(), cold_start_ms=2000.0, peak_memory_mb=130.0),
    )
    file = tmp_path / "compose.yaml"
    file.write_text(write_file(wanted, None))
    assert refusals(None, file) == ""
    file.write_text(file.read_text().replace("mem_limit:", "memory_limit:"))
    assert "memory_limit" in refusals(None, file)
