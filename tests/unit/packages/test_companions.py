"""Packages that are compiled against each other: torch and torchvision of one build, tensorflow-text of one series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo, Requirement
from mlpack.errors import ResolveError
from mlpack.packages.distributions import Distribution
from mlpack.packages.settings import PackageSettings
from tests.built_in import distributions
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, binary, serve, write_folder

__all__ = ["lock_of"]  # a fixture is found by its name in the module

PAIRS = {"2.4.0": "0.19.0", "2.5.0": "0.20.0", "2.5.1": "0.20.1"}


def of_torch(
    label: str = "", needs: tuple[str, ...] = (), uploaded: str = "2023-03-01T10:00:00Z"
) -> tuple[Release, ...]:
    """Torch, torchvision and torchaudio with the same label, as their authors publish them."""
    return tuple(
        release
        for torch, vision in PAIRS.items()
        for release in (
            Release("torch", torch + label, uploaded, needs, binary(11)),
            Release("torchvision", vision + label, uploaded, (f"torch=={torch}",), binary(11)),
            Release("torchaudio", torch + label, uploaded, (f"torch=={torch}",), binary(11)),
        )
    )


CUDNN = Release("nvidia-cudnn-cu12", "9.0", "2023-03-01T10:00:00Z", size=700_000_000)
DETECTOR = Release("detector", "1.0", "2023-03-01T10:00:00Z", ("torchvision", "torch"))
PYPI = (*RELEASES, CUDNN, DETECTOR, *of_torch(needs=("nvidia-cudnn-cu12",)))
CPU = of_torch("+cpu", uploaded="")


def torch_model(version: str | None) -> ModelInfo:
    """A model of torch."""
    requirement = Requirement(module="torch", distribution="torch", version=version, newest=version is None)
    return sklearn_model(version, framework="torch", framework_version=version, requirements=(requirement,))


def known(cpu_index: str) -> tuple[Distribution, ...]:
    """What the formats know, with the CPU builds of torch at this address."""
    return tuple(replace(one, cpu_index=cpu_index) if one.name == "torch" else one for one in distributions())


@pytest.mark.parametrize("version", [*PAIRS, None])
def test_torchvision_is_of_the_build_of_torch(lock_of: Resolve, version: str | None) -> None:
    """With torch from the CPU index, torchvision and torchaudio come from there too, in the version that fits it."""
    with serve(PYPI) as index, serve(CPU, shape="plain") as cpu:
        lock = lock_of(
            torch_model(version), PackageSettings(index_url=index.url), requirements=("torchvision", "torchaudio"),
            distributions=known(cpu.url),
        )  # fmt: skip
    torch, found = version or "2.5.1", versions(lock)
    expected = (f"{torch}+cpu", f"{PAIRS[torch]}+cpu", f"{torch}+cpu")
    assert (found["torch"], found["torchvision"], found["torchaudio"]) == expected
    assert "nvidia-cudnn-cu12" not in found
    assert sorted(lock.pages) == [f"{cpu.url}/{name}/" for name in ("torch", "torchaudio", "torchvision")]
    assert any("torchvision is of the build +cpu" in reason for reason in lock.reasons)


def test_builds_of_the_users_own_folder_come_first(lock_of: Resolve, tmp_path: Path) -> None:
    """A folder with the wheels of both needs no page of the authors."""
    folder = write_folder(tmp_path / "wheels", CPU)
    with serve(PYPI) as index:
        settings = PackageSettings(index_url=index.url, find_links=(str(folder),))
        lock = lock_of(torch_model("2.5.0"), settings, requirements=("torchvision==0.20.0",))
    assert (versions(lock)["torch"], versions(lock)["torchvision"]) == ("2.5.0+cpu", "0.20.0+cpu")
    assert lock.pages == ()


def test_what_another_package_asks_for_is_of_the_build_too(lock_of: Resolve) -> None:
    """A scikit-learn model with a package that requires both: CPU builds, and the date of scikit-learn still decides."""
    with serve(PYPI) as index, serve(CPU, shape="plain") as cpu:
        lock = lock_of(
            sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=("detector",),
            distributions=known(cpu.url),
        )  # fmt: skip
    found = versions(lock)
    assert (found["torch"], found["torchvision"]) == ("2.5.1+cpu", "0.20.1+cpu")
    assert (found["numpy"], lock.cutoff) == ("1.24.2", "2023-03-23T09:57:10Z")
    assert "nvidia-cudnn-cu12" not in found


def test_an_older_build_is_taken_where_the_newest_has_none(lock_of: Resolve, tmp_path: Path) -> None:
    """A folder with CPU builds of one version only, and a package that asks for any: that version, and what fits it."""
    folder = write_folder(tmp_path / "wheels", tuple(one for one in CPU if one.version in ("2.4.0+cpu", "0.19.0+cpu")))
    with serve(PYPI) as index, serve((), shape="plain") as cpu:
        lock = lock_of(
            sklearn_model("1.2.2"), PackageSettings(index_url=index.url, find_links=(str(folder),)),
            requirements=("detector",), distributions=known(cpu.url),
        )  # fmt: skip
    assert (versions(lock)["torch"], versions(lock)["torchvision"]) == ("2.4.0+cpu", "0.19.0+cpu")


def test_a_companion_without_a_build_is_refused_with_the_command_that_fetches_it(
    lock_of: Resolve, tmp_path: Path
) -> None:
    """Torch +cpu at hand, torchvision of PyPI alone: no image whose import fails, but the wheel to add."""
    folder = write_folder(tmp_path / "wheels", tuple(one for one in CPU if one.name == "torch"))
    with serve(PYPI) as index, serve((), shape="plain") as cpu:
        settings = PackageSettings(index_url=index.url, find_links=(str(folder),))
        with pytest.raises(ResolveError, match=r"no build of torchvision 0\.19\.0 without CUDA") as caught:
            lock_of(torch_model("2.4.0"), settings, requirements=("torchvision",), distributions=known(cpu.url))
    assert f"pip download --no-deps --index-url {cpu.url} torchvision==0.19.0" in caught.value.hint


def test_with_gpu_all_are_the_builds_with_cuda(lock_of: Resolve, tmp_path: Path) -> None:
    """With --gpu none is +cpu, though such wheels lie at hand."""
    folder = write_folder(tmp_path / "wheels", CPU)
    with serve(PYPI) as index:
        settings = PackageSettings(index_url=index.url, find_links=(str(folder),))
        lock = lock_of(torch_model("2.4.0"), settings, requirements=("torchvision",), gpu=True)
    assert (versions(lock)["torch"], versions(lock)["torchvision"]) == ("2.4.0", "0.19.0")


def test_tensorflow_text_is_of_the_series_of_tensorflow(lock_of: Resolve) -> None:
    """It names tensorflow, which tensorflow-cpu replaces, so its own metadata no longer bind it."""
    releases = (
        *RELEASES,
        *(Release(name, "2.15.0", "2025-05-02T10:00:00Z", (), binary(11)) for name in ("tensorflow", "tensorflow-cpu")),
        *(
            Release("tensorflow-text", f"{line}.0", "2025-05-02T10:00:00Z", (f"tensorflow=={line}.*",), binary(11))
            for line in ("2.15", "2.16")
        ),
    )
    requirement = Requirement(module="tensorflow", distribution="tensorflow", version="2.15.0")
    info = sklearn_model("2.15.0", framework="tensorflow", requirements=(requirement,))
    with serve(releases) as index:
        lock = lock_of(info, PackageSettings(index_url=index.url), requirements=("tensorflow-text",))
    assert (versions(lock)["tensorflow-cpu"], versions(lock)["tensorflow-text"]) == ("2.15.0", "2.15.0")


@pytest.mark.parametrize(
    ("name", "size", "is_cuda"),
    [
        ("nvidia-ml-py", 50_000, False),  # calls the driver; ultralytics and monitoring tools require it
        ("nvidia-ml-py", None, False),
        ("cuda-pathfinder", None, False),
        ("cuda-bindings", 12_000_000, False),
        ("nvidia-cublas-cu12", 594_000_000, True),
        ("nvidia-cublas-cu12", None, True),
        ("nvidia-cuda-runtime-cu11", None, True),
        ("nvidia-something-new", 90_000_000, True),
        ("triton", 170_000_000, True),
        ("pandas", 90_000_000, False),
    ],
)
def test_cuda_is_judged_by_name_and_size(lock_of: Resolve, name: str, size: int | None, is_cuda: bool) -> None:
    """Libraries of CUDA are refused, with their size; a program that only calls the driver is not."""
    releases = (*(one for one in RELEASES if one.name != name), Release(name, "9.0", "2023-01-01T10:00:00Z", size=size))
    with serve(releases) as index:
        settings = PackageSettings(index_url=index.url)
        if not is_cuda:
            assert versions(lock_of(sklearn_model("1.2.2"), settings, requirements=(name,)))[name] == "9.0"
            return
        with pytest.raises(ResolveError, match="would install CUDA libraries") as caught:
            lock_of(sklearn_model("1.2.2"), settings, requirements=(name,))
    assert ("MB)" in caught.value.message) == (size is not None)
