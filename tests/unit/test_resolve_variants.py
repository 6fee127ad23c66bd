"""CPU builds by default: no CUDA unless it is asked for, from the sources that have them, and said where none has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo, Requirement
from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage
from mlpack.packages.distributions import COMMON
from mlpack.packages.settings import PackageSettings
from mlpack.packages.solve import Solution
from mlpack.packages.target import Target
from mlpack.pipeline.image_contents import unused_files
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, binary, serve, write_folder

__all__ = ["lock_of"]  # a fixture is found by its name in the module

CUDA = Release("nvidia-cudnn", "9.0", "2025-05-01T10:00:00Z")
NCCL = Release("nvidia-nccl-cu12", "2.29", "2025-05-01T10:00:00Z")
INDEX = (
    *RELEASES, CUDA, NCCL,
    Release("torch", "2.4.0", "2025-05-02T10:00:00Z", ("nvidia-cudnn",), binary(11)),
    Release("torch", "2.5.0", "2025-06-02T10:00:00Z", ("nvidia-cudnn",), binary(11)),
    Release("tensorflow", "2.15.0", "2025-05-02T10:00:00Z", ("libclang",), binary(11)),
    Release("tensorflow-cpu", "2.15.0", "2025-05-02T10:00:00Z", ("libclang",), binary(11)),
    Release("libclang", "18.1.1", "2025-01-02T10:00:00Z"),
    Release("tensorflow", "2.9.0", "2025-05-02T10:00:00Z", ("protobuf",), binary(11)),
    Release("protobuf", "3.19.4", "2025-01-02T10:00:00Z"),
    Release("protobuf", "4.21.0", "2025-05-02T10:00:00Z"),
    Release("tf-keras", "2.15.0", "2025-05-02T10:00:00Z", ("tensorflow",)),
    Release("xgboost", "1.7.6", "2023-06-02T10:00:00Z", (), binary(11)),
    Release("xgboost", "3.2.0", "2025-06-02T10:00:00Z", ("nvidia-nccl-cu12",), binary(11)),
    Release("xgboost", "3.3.0", "2025-08-02T10:00:00Z", ("nvidia-nccl-cu12",), binary(11)),
    Release("xgboost-cpu", "3.2.0", "2025-06-02T10:00:00Z", (), binary(11)),
)  # fmt: skip
TORCH_CPU = (Release("torch", "2.4.0+cpu", "", (), binary(11)),)


def asking(name: str, version: str | None, *extra: Requirement) -> ModelInfo:
    """A model of a framework of that name; without a version the newest reads it."""
    requirement = Requirement(module=name, distribution=name, version=version, newest=version is None)
    return sklearn_model(version, framework=name, framework_version=version, requirements=(requirement, *extra))


def test_torch_is_the_build_without_cuda_of_the_users_own_folder(lock_of: Resolve, tmp_path: Path) -> None:
    """The recorded version, or the newest that is there, as +cpu; nothing of nvidia's comes along."""
    folder = write_folder(tmp_path / "wheels", TORCH_CPU)
    with serve(INDEX) as index:
        settings = PackageSettings(index_url=index.url, find_links=(str(folder),))
        for version in ("2.4.0", None):
            lock = lock_of(asking("torch", version), settings)
            assert versions(lock)["torch"] == "2.4.0+cpu"
            assert "nvidia-cudnn" not in versions(lock)
        assert any("does not record the version of torch" in reason for reason in lock.reasons)


def test_torch_without_a_cpu_build_is_refused_with_the_way_out(lock_of: Resolve, tmp_path: Path) -> None:
    """Only a CUDA build in a closed source: exit 4, and both remedies; never gigabytes by surprise."""
    with pytest.raises(ResolveError, match=r"no build of torch 2\.5\.0 without CUDA") as caught:
        lock_of(
            asking("torch", "2.5.0"), PackageSettings(no_index=True, find_links=(str(write_folder(tmp_path, INDEX)),))
        )
    assert "PIP_FIND_LINKS" in caught.value.hint
    assert "--gpu" in caught.value.hint


def test_gpu_takes_the_build_with_cuda(lock_of: Resolve, tmp_path: Path) -> None:
    """The same model with --gpu: PyPI's own build, though a CPU wheel lies at hand."""
    folder = write_folder(tmp_path / "wheels", TORCH_CPU)
    with serve(INDEX) as index:
        lock = lock_of(
            asking("torch", "2.4.0"), PackageSettings(index_url=index.url, find_links=(str(folder),)), gpu=True
        )
    assert versions(lock)["torch"] == "2.4.0"
    assert versions(lock)["nvidia-cudnn"] == "9.0"
    assert lock.gpu


def test_tensorflow_is_the_cpu_distribution_and_the_other_never_lands_over_it(lock_of: Resolve) -> None:
    """tf-keras asks for tensorflow: tensorflow-cpu alone is there."""
    companion = Requirement(module="tf_keras", distribution="tf-keras", version="2.15.0")
    with serve(INDEX) as index:
        lock = lock_of(asking("tensorflow", "2.15.0", companion), PackageSettings(index_url=index.url))
    found = versions(lock)
    assert (found["tensorflow-cpu"], found["tf-keras"]) == ("2.15.0", "2.15.0")
    assert "tensorflow" not in found


def test_what_serving_never_loads_is_left_out(lock_of: Resolve) -> None:
    """A compiler's library is not installed and headers are removed, unless the user names it or wants everything."""
    with serve(INDEX) as index:
        settings, info = PackageSettings(index_url=index.url), asking("tensorflow", "2.15.0")
        slim = lock_of(info, settings)
        named = lock_of(info, settings, requirements=("libclang",))
        full = lock_of(info, settings, slim=False)
        assert "libclang" not in versions(slim)
        assert versions(named)["libclang"] == versions(full)["libclang"] == "18.1.1"
        assert "tensorflow/include" in slim.unused_files
        assert {"tensorflow", "numpy", "numpy.libs"} <= set(slim.strip)
        assert "torch/lib" not in slim.strip
        assert lock_of(info, settings, gpu=True).strip == ()
        assert (full.unused_files, full.test_folders, full.strip) == ((), (), ())
        assert {"sympy", "sklearn"} <= set(slim.test_folders)
        assert "tensorflow/include" not in lock_of(sklearn_model("1.2.2"), settings).unused_files


@pytest.mark.parametrize(
    ("name", "version", "found"), [("numpy", "1.26.4", False), ("numpy", "2.0.0", True), ("scipy", "2.0", False)]
)
def test_what_newer_releases_never_load(name: str, version: str, found: bool) -> None:
    """A folder that older releases import, such as numpy.distutils, is left out of the newer ones alone."""
    solution = Solution(
        target=Target(python="3.11", platform="linux/amd64"),
        packages=(LockedPackage(name=name, version=version, wheels=()),),
        installer=(),
        cutoff=None,
        reasons=(),
    )
    unused = unused_files(COMMON, solution)
    assert ("numpy/distutils" in unused) is found
    assert ("numpy/*.pyi" in unused) is (name == "numpy")


def test_code_for_gpus_is_left_out_where_there_is_no_other_build(lock_of: Resolve) -> None:
    """XGBoost before 2.1.1 has one build for both; not with --gpu, nor of the CPU distribution."""
    with serve(INDEX) as index:
        settings = PackageSettings(index_url=index.url)
        assert lock_of(asking("xgboost", "1.7.6"), settings).gpu_code == ("xgboost/lib/libxgboost.so",)
        assert lock_of(asking("xgboost", "1.7.6"), settings, gpu=True).gpu_code == ()
        assert lock_of(asking("xgboost", "1.7.6"), settings, slim=False).gpu_code == ()
        assert lock_of(asking("xgboost", "3.2.0"), settings).gpu_code == ()


def test_what_tensorflow_forgot_to_bound_is_bounded(lock_of: Resolve) -> None:
    """TensorFlow before 2.10 cannot import protobuf 4, and its metadata do not say so."""
    with serve(INDEX) as index:
        lock = lock_of(asking("tensorflow", "2.9.0"), PackageSettings(index_url=index.url))
    assert versions(lock)["protobuf"] == "3.19.4"


@pytest.mark.parametrize(
    ("version", "found"),
    [("3.2.0", ("xgboost-cpu", "3.2.0")), ("3.3.0", ("xgboost", "3.3.0")), ("1.7.6", ("xgboost", "1.7.6")), (None, ("xgboost-cpu", "3.2.0"))],
)  # fmt: skip
def test_xgboost_comes_without_nccl(lock_of: Resolve, version: str | None, found: tuple[str, str]) -> None:
    """The CPU distribution where it has the version, else the plain one without what it never loads."""
    with serve(INDEX) as index:
        lock = lock_of(asking("xgboost", version), PackageSettings(index_url=index.url))
    assert found in versions(lock).items()
    assert "nvidia-nccl-cu12" not in versions(lock)


def test_cuda_by_the_back_door_is_refused(lock_of: Resolve) -> None:
    """A requirement of the user's that pulls CUDA in is told by name, before anything is built."""
    with serve(INDEX) as index, pytest.raises(ResolveError, match="CUDA libraries: nvidia-cudnn"):
        lock_of(sklearn_model("1.2.2"), PackageSettings(index_url=index.url), requirements=("nvidia-cudnn",))


def test_what_had_no_wheel_then_is_todays(lock_of: Resolve) -> None:
    """A companion that was a source package at the framework's time, and has a wheel now, is taken and told."""
    releases = (
        *RELEASES,
        Release("old-kind", "1.0", "2023-03-01T10:00:00Z", ("colours>=1",), binary(11)),
        Release("colours", "1.0", "2022-01-01T10:00:00Z", (), ("sdist",)),
        Release("colours", "2.0", "2024-01-01T10:00:00Z"),
    )
    with serve(releases) as index:
        lock = lock_of(asking("old-kind", "1.0"), PackageSettings(index_url=index.url))
    assert versions(lock)["colours"] == "2.0"
    assert any("No wheel from that time: colours" in reason for reason in lock.reasons)


def test_the_reason_names_what_wrote_the_file(lock_of: Resolve) -> None:
    """A file of Keras 2 records its version; tf-keras reads it, and no reason says that a version is missing."""
    keras = Requirement(module="keras", distribution="tf-keras", newest=True, reads="Keras 2.5.0")
    info = sklearn_model(None, framework="keras", framework_version=None, requirements=(keras,))
    with serve(INDEX) as index:
        lock = lock_of(info, PackageSettings(index_url=index.url))
    reasons = " ".join(lock.reasons)
    assert "Keras 2.5.0 wrote the file: the newest tf-keras" in reasons
    assert "does not record the version of tf-keras" not in reasons
