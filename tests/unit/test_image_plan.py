"""The plan of an image: all that the Dockerfile says, as data."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.image_plan import Copy, ImagePlan, InstallDebianPackages, MakeLocales
from mlpack.artifacts.prepared import UserCode
from mlpack.config import Settings
from mlpack.engines.base import EngineFacts
from mlpack.errors import UsageError
from mlpack.pipeline.build import refuse_own_dockerfile
from tests.unit.locks import make_lock, render_lock

LOADER = Path(__file__).parents[2] / "mlpack" / "formats" / "lightgbm" / "loader.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that stands for a model."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x04N.")
    return path


def plan_of(bundle: Bundle) -> ImagePlan:
    """The bundle's plan, which must be there."""
    assert bundle.plan is not None
    return bundle.plan


def text_of(bundle: Bundle, name: str = "Dockerfile") -> str:
    """A file of the bundle."""
    return next((file.content or b"").decode() for file in bundle.files if file.name == name)


def test_every_file_of_the_image_has_its_place(model: Path) -> None:
    """Each file of the bundle that is not for the build alone is in the plan once, with owner and mode, in layer order."""
    code = UserCode(files=(BundleFile.of_bytes("code/clean.py", b"", mode=0o600),))
    bundle = render_lock(make_lock(model), loader=LOADER, code=code)
    files = plan_of(bundle).files
    unplaced = {file.name for file in bundle.files} - {file.name for file in files}
    assert unplaced == {
        ".dockerignore", "Dockerfile", "Dockerfile.classic", "get_uv.py", "installer.lock", "requirements.lock",
        "system_libraries.py",
    }  # fmt: skip
    assert len({file.path for file in files}) == len(files)
    placed = {file.path: (file.owner, file.mode) for file in files}
    assert placed["/app/code/clean.py"] == ("0:0", 0o600)
    assert placed["/app/serve.py"] == ("0:0", 0o644)
    first = list(dict.fromkeys(file.path.split("/")[2] for file in files))
    assert first == ["mlpack", "code", "model", "model.json", "loader.py", "serve.py"]


def test_the_plan_says_what_the_dockerfile_says(model: Path) -> None:
    """Bases, copies, environment, user, port, health check, entrypoint and labels are the same in both."""
    bundle = render_lock(make_lock(model), loader=LOADER, serve=Settings(port=9000), version="1.4.0")
    plan, text = plan_of(bundle), text_of(bundle)
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == [stage.base for stage in plan.stages]
    assert plan.bases == (f"python:3.11-slim@sha256:{'a' * 64}",)
    steps = [step for stage in plan.stages for step in stage.steps if isinstance(step, Copy)]
    assert re.findall(r"^COPY (?:--from=(\S+) )?(.+) (\S+)$", text, re.MULTILINE) == [
        (step.origin, " ".join(step.sources), step.target) for step in steps
    ]
    (environment,) = re.findall(r"^ENV (.+)$", text, re.MULTILINE)
    assert environment.split() == [f"{name}={value}" for name, value in plan.environment]
    assert ("PORT", "9000") in plan.environment
    assert f"\nUSER {plan.user}\n" in text
    assert f"\nEXPOSE {plan.port}\n" in text
    assert f"\nENTRYPOINT {json.dumps(plan.entrypoint)}\n" in text
    assert f"--retries=3 CMD {json.dumps(plan.health_check.command)}\n" in text
    (labelled,) = re.findall(r"^LABEL ((?:.+\n?)+?)#", text, re.MULTILINE)
    assert re.findall(r"^\s*([a-z.-]+)=", labelled, re.MULTILINE) == [name for name, _ in plan.labels]
    assert dict(plan.labels)["dev.mlpack.card.digest"].startswith("sha256:")


def test_what_is_copied_is_sent(model: Path) -> None:
    """`docker build` by hand sends only what .dockerignore lets through: every file that a step copies."""
    code = UserCode(files=(BundleFile.of_bytes("code/clean.py", b""),))
    lock = make_lock(model, gpu_code=("xgboost/lib/libxgboost.so",), strip=("uvloop",))
    bundle = render_lock(lock, loader=LOADER, code=code)
    sent = {line[1:] for line in text_of(bundle, ".dockerignore").splitlines() if line.startswith("!")}
    steps = [step for stage in plan_of(bundle).stages for step in stage.steps if isinstance(step, Copy)]
    copied = {name.rstrip("/") for step in steps if not step.origin for name in step.sources}
    assert sent == {*copied, "build"}


def test_the_plan_of_the_same_input_is_the_same(model: Path, tmp_path: Path) -> None:
    """It is a value: equal for equal input, in one order, and it can be a key."""
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "model.pkl"
    other.write_bytes(model.read_bytes())
    one, two = (plan_of(render_lock(make_lock(path), loader=LOADER)) for path in (model, other))
    assert one == two
    assert hash(one) == hash(two)
    assert one != plan_of(render_lock(make_lock(model, platform="linux/arm64"), loader=LOADER))


def test_what_only_some_images_have(model: Path) -> None:
    """Debian packages, locales, CUDA's variables and user code are steps and values of those images alone."""
    lock = make_lock(model, apt=("libgomp1",), gpu=True)
    info = replace(lock.info, locales=("en_US.UTF-8", "de_DE@euro"))
    plan = plan_of(render_lock(replace(lock, prepared=replace(lock.prepared, info=info))))
    kinds = {step.kind: step for stage in plan.stages for step in stage.steps}
    assert kinds["install-debian-packages"] == InstallDebianPackages(
        names=("libgomp1",), listed="/opt/debian-packages.txt"
    )
    locales = kinds["make-locales"]
    assert isinstance(locales, MakeLocales)
    assert [(one.language, one.charset) for one in locales.locales] == [("en_US", "UTF-8"), ("de_DE@euro", "UTF-8")]
    assert dict(plan.environment)["NVIDIA_VISIBLE_DEVICES"] == "all"
    plain = plan_of(render_lock(make_lock(model)))
    assert {step.kind for stage in plain.stages for step in stage.steps} == {
        "copy", "install-packages", "find-libraries", "install-debian-packages", "compile-library", "compile-folder",
    }  # fmt: skip


def test_what_serving_never_loads_is_removed_where_it_is_installed(model: Path) -> None:
    """In the step that installs it, so that no layer has it; patterns are relative to the folder of the packages."""
    bundle = render_lock(make_lock(model, unused_files=("tensorflow/include", "torch/bin/test_*"), test_folders=()))
    (install,) = re.findall(
        r"^RUN .*(?:.*\\\n)+.*uv pip install(?:.*\\\n)+.*compileall.*$", text_of(bundle), re.MULTILINE
    )
    assert "(cd /opt/venv/lib/python3*/site-packages; rm -rf tensorflow/include torch/bin/test_*); \\\n" in install
    assert "rm -rf" not in text_of(render_lock(make_lock(model, test_folders=()))).partition("\nFROM ")[0]


def test_code_for_gpus_is_removed_where_it_is_installed(model: Path) -> None:
    """By a program that is in the bundle of such an image alone."""
    bundle = render_lock(make_lock(model, gpu_code=("xgboost/lib/libxgboost.so",)))
    words = "(cd /opt/venv/lib/python3*/site-packages; python3 /build/gpu_code.py xgboost/lib/libxgboost.so); \\\n"
    assert words in text_of(bundle)
    assert "def remove_gpu_code" in text_of(bundle, "gpu_code.py")
    assert "COPY get_uv.py system_libraries.py installer.lock requirements.lock gpu_code.py /build/\n" in text_of(
        bundle
    )
    assert "gpu_code.py" not in {file.name for file in render_lock(make_lock(model)).files}


def test_shared_objects_are_stripped_where_they_are_installed(model: Path) -> None:
    """After the code for GPUs is removed, which is found by the sections that go too; by a program of such an image alone."""
    text = text_of(render_lock(make_lock(model, gpu_code=("a.so",), strip=("numpy.libs", "uvloop"))))
    words = "(cd /opt/venv/lib/python3*/site-packages; python3 /build/strip_symbols.py numpy.libs uvloop); \\\n"
    assert text.index("gpu_code.py a.so") < text.index(words) < text.index("compileall")
    bundle = render_lock(make_lock(model, strip=("uvloop",)))
    assert "def strip(" in text_of(bundle, "strip_symbols.py")
    assert "COPY get_uv.py system_libraries.py installer.lock requirements.lock strip_symbols.py /build/\n" in text_of(
        bundle
    )
    assert "strip_symbols.py" not in {file.name for file in render_lock(make_lock(model)).files}


def test_a_coordinator_has_bytecode_of_what_it_imports(model: Path) -> None:
    """Of nothing else, unless a package is installed that the runtime does not need itself: your own code may import it."""
    hashes = " \\\n    --hash=sha256:" + "0" * 64 + "\n"
    own = f"aiohttp==3.14.5{hashes}numpy==2.4.6{hashes}uvloop==0.23.0{hashes}"
    info = replace(make_lock(model).info, runtime_part="ensembles")
    for requirements, lean in ((own, True), (f"{own}scipy==1.17.1{hashes}", False)):
        lock = make_lock(model, info=info, requirements=requirements)
        bundle = render_lock(lock, code=UserCode(files=(BundleFile.of_bytes("code/reduce.py", b""),)))
        kinds = {
            step.kind for stage in plan_of(bundle).stages for step in stage.steps if step.kind.startswith("compile")
        }
        assert kinds == ({"compile-imports"} if lean else {"compile-library", "compile-folder"})
        assert ("-m compileall" in text_of(bundle)) is not lean
        assert ("import mlpack.runtime, runpy, uvloop;" in text_of(bundle)) is lean
    model_image = plan_of(render_lock(make_lock(model, requirements=own)))
    assert "compile-library" in {step.kind for step in model_image.stages[-1].steps}


def test_debian_packages_leave_nothing_of_apt(model: Path) -> None:
    """Lists, caches and logs go in the step that makes them, on bases that keep them too; with none there is no network."""
    for apt, words in ((), "set -- $(cat "), (("curl", "jq"), "set -- curl jq $(cat "):
        text = text_of(render_lock(make_lock(model, apt=apt)))
        (step,) = re.findall(r"^RUN set -- (?:.*\\\n)+.*$", text, re.MULTILINE)
        assert step.startswith(f"RUN {words}/opt/debian-packages.txt); if [ $# -gt 0 ]; then")
        assert step.index("apt-get clean") < step.index("rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin")


def test_a_dockerfile_of_the_users_own_has_no_plan(model: Path, tmp_path: Path) -> None:
    """Other templates of the user's own change a file's content, and the plan holds."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "serve.py.j2").write_text('{% include "mlpack/serve.py.j2" %}\n# of my own\n')
    bundle = render_lock(make_lock(model), templates=own)
    assert bundle.plan is not None
    assert text_of(bundle, "serve.py").endswith("# of my own\n")
    (own / "Dockerfile.j2").write_text('{% extends "mlpack/Dockerfile.j2" %}{% block extra %}ENV A=1\n{% endblock %}')
    assert render_lock(make_lock(model), templates=own).plan is None


def test_an_engine_that_builds_by_the_plan_refuses_such_a_dockerfile() -> None:
    """The message names the engine, and the remedy both ways out."""

    class ByPlan:
        builds_dockerfiles = False

        def facts(self) -> EngineFacts:
            return EngineFacts(name="Toy", version="1", platform="linux/amd64")

    refuse_own_dockerfile(ByPlan(), own=False)  # type: ignore[arg-type]  # all that is used of a builder
    with pytest.raises(UsageError, match="the engine Toy cannot build from a Dockerfile") as refused:
        refuse_own_dockerfile(ByPlan(), own=True)  # type: ignore[arg-type]  # all that is used of a builder
    assert "--engine docker" in refused.value.hint


def test_names_that_templates_of_users_know(model: Path, tmp_path: Path) -> None:
    """A template of the user's own finds the names that it always had."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "Dockerfile.j2").write_text(
        "FROM {{ base }}\n# {{ name }} {{ summary }} {{ version }} {{ mlpack_version }} {{ apt }} {{ locales }} {{ gpu }} {{ port }}\n"
        "RUN {{ mounts }}{{ pip_cache }}{{ uv_cache }}{{ buildkit }}\nLABEL {% for key, value in labels %}{{ key }}={{ value|docker }} {% endfor %}"
    )
    assert text_of(render_lock(make_lock(model), templates=own)).startswith(
        f"FROM python:3.11-slim@sha256:{'a' * 64}\n"
    )
