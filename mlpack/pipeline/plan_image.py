"""The plan of a model's image: which files go where, in which layers, and how the container starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mlpack.artifacts import labels
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.image_plan import (
    APP,
    MODEL_FOLDER,
    USER,
    VENV,
    BuildWheels,
    CompileFolder,
    CompileImports,
    CompileLibrary,
    Copy,
    FindLibraries,
    HealthCheck,
    ImagePlan,
    InstallDebianPackages,
    InstallPackages,
    Locale,
    MakeLocales,
    PlacedFile,
    Stage,
    Step,
)
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.packages.distributions import COMMON
from mlpack.version import __version__

_BUILD = "/build"
_SDISTS, _WHEELS = "/sdists", "/wheels"  # in the stage that builds source packages
_LOCALES = "/opt/locale"
_LISTED = "/opt/debian-packages.txt"
_LIBRARIES, _GPU_CODE, _STRIP = "system_libraries.py", "gpu_code.py", "strip_symbols.py"
_INSTALLER = ("get_uv.py", _LIBRARIES, "installer.lock", "requirements.lock")
_LOADER = "loader/"  # of a format whose loader is a folder
_SERVER = ("loader.py", "serve.py")
_PYTHON = f"{VENV}/bin/python"
_AT_START = (
    "runpy",
    "uvloop",
)  # modules that the runtime's modules do not import, but the start and the health check do
_LONGEST_CARD = 4096  # characters of the label


def plan_image(
    lock: Lock, card: dict[str, Any], card_file: BundleFile, files: Sequence[BundleFile], *, port: int, note: str = ""
) -> ImagePlan:
    """The plan of the image with these files of the bundle, sorted by name.

    `port` is the service's default port; `note` is the format's comment about how its models are served.
    """
    info = lock.info
    base = lock.base + (f"@{lock.base_digest}" if lock.base_digest else "")
    locales = tuple(locale_of(name) for name in info.locales)
    summary = summary_of(info)
    environment = [
        ("PATH", f"{VENV}/bin:$PATH"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("HOME", "/tmp"),  # noqa: S108 - in the container
        ("PORT", str(port)),
    ]
    if lock.gpu:
        environment += [("NVIDIA_VISIBLE_DEVICES", "all"), ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")]
    return ImagePlan(
        name=str(card["name"]),
        summary=summary,
        mlpack_version=__version__,
        platform=lock.platform,
        stages=(
            *([Stage(name="sdists", base=base, steps=tuple(_build_wheels(lock)))] if lock.sdists else ()),
            Stage(name="deps", base=base, steps=tuple(_install(lock, locales))),
            Stage(name="image", base=base, steps=tuple(_assemble(lock, files, locales))),
        ),
        environment=tuple(environment),
        working_folder=APP,
        user=USER,
        port=port,
        health_check=HealthCheck(command=(_PYTHON, "-m", "mlpack.runtime.healthcheck")),
        entrypoint=(_PYTHON, f"{APP}/serve.py"),
        labels=tuple(_labels(lock, card, card_file, summary)),
        note=tuple(note.splitlines()),
    )


def summary_of(info: ModelInfo) -> str:
    """The model in one line: Pipeline of scikit-learn 1.9.1, from model.pkl."""
    what = info.root_class.rpartition(".")[2] or info.format
    framework = " ".join(part for part in (info.framework, info.framework_version) if part)
    return f"{what}{f' of {framework}' if framework else ''}, from {info.path.name}"


def _build_wheels(lock: Lock) -> Iterator[Step]:
    """The stage that builds source packages: it runs their code, and has neither an index nor a login."""
    yield Copy(content="sdists", sources=("sdists.lock",), target=f"{_SDISTS}/")
    yield BuildWheels(
        files=f"{_SDISTS}/files",
        lock=f"{_SDISTS}/sdists.lock",
        sources=tuple(build.source.filename for build in lock.sdists),
        wheels=_WHEELS,
        compiles=any(build.compiles for build in lock.sdists),
    )


def _install(lock: Lock, locales: tuple[Locale, ...]) -> Iterator[Step]:
    """The stage that installs packages: neither its tools nor large files that serving never loads are in the image."""
    programs = (*_INSTALLER, *((_GPU_CODE,) if lock.gpu_code else ()), *((_STRIP,) if lock.strip else ()))
    yield Copy(content="installer", sources=programs, target=f"{_BUILD}/")
    if lock.sdists:
        yield Copy(content="wheels", sources=(f"{_WHEELS}/",), target=f"{_BUILD}{_WHEELS}/", origin="sdists")
    yield InstallPackages(
        folder=_BUILD,
        installer="installer.lock",
        requirements="requirements.lock",
        venv=VENV,
        without_tests=lock.test_folders,
        built=f"{_BUILD}{_WHEELS}" if lock.sdists else "",
        unused=lock.unused_files,
        gpu_code=lock.gpu_code,
        gpu_script=f"{_BUILD}/{_GPU_CODE}" if lock.gpu_code else "",
        strip=lock.strip,
        strip_script=f"{_BUILD}/{_STRIP}" if lock.strip else "",
        compiled=not _only_runtime(lock),
    )
    yield FindLibraries(script=f"{_BUILD}/{_LIBRARIES}", venv=VENV, listed=_LISTED)
    if locales:
        yield MakeLocales(locales=locales, folder=_LOCALES)


def _assemble(lock: Lock, files: Sequence[BundleFile], locales: tuple[Locale, ...]) -> Iterator[Step]:
    """The final stage: layers that change rarely come first."""
    if not _only_runtime(lock):
        yield CompileLibrary()
    yield Copy(content="libraries", sources=(_LISTED,), target=_LISTED, origin="deps")
    yield InstallDebianPackages(names=lock.apt, listed=_LISTED)
    if locales:
        yield Copy(content="locales", sources=(f"{_LOCALES}/",), target="/usr/lib/locale/", origin="deps")
    yield Copy(content="packages", sources=(VENV,), target=VENV, origin="deps")
    yield _folder("runtime", "mlpack/", files)
    if _only_runtime(lock):
        yield CompileImports(package="mlpack.runtime", modules=_AT_START)
    else:
        yield CompileFolder(folder=f"{APP}/mlpack")
    if lock.prepared.code is not None:
        yield _folder("code", "code/", files)
    yield _folder("model", MODEL_FOLDER, files)
    yield _files("card", ("model.json",), files)
    if any(file.name.startswith(_LOADER) for file in files):
        yield _folder("server", _LOADER, files)
    yield _files("server", _SERVER, files)


def _only_runtime(lock: Lock) -> bool:
    """Whether the image has only what the serving runtime itself imports: no framework, and no package of the user's."""
    installed = {line.partition("==")[0] for line in lock.requirements.splitlines() if "==" in line}
    return bool(lock.info.runtime_part) and not lock.sdists and installed <= {one.name for one in COMMON}


def _files(content: Any, names: Sequence[str], files: Sequence[BundleFile]) -> Copy:
    placed = tuple(_placed(file) for file in files if file.name in names)
    return Copy(content=content, sources=tuple(file.name for file in placed), target=f"{APP}/", files=placed)


def _folder(content: Any, name: str, files: Sequence[BundleFile]) -> Copy:
    placed = tuple(_placed(file) for file in files if file.name.startswith(name))
    return Copy(content=content, sources=(name,), target=f"{APP}/{name}", files=placed)


def _placed(file: BundleFile) -> PlacedFile:
    return PlacedFile(name=file.name, path=f"{APP}/{file.name}", mode=file.mode)


def locale_of(name: str) -> Locale:
    """Parse a locale name like en_US.UTF-8@modifier; the default character set is UTF-8."""
    whole, _, modifier = name.partition("@")
    language, _, charset = whole.partition(".")
    return Locale(name=name, language=language + (f"@{modifier}" if modifier else ""), charset=charset or "UTF-8")


def _labels(lock: Lock, card: dict[str, Any], card_file: BundleFile, summary: str) -> Iterator[tuple[str, str]]:
    """OCI annotations, mlpack's labels, and the label that lets SageMaker choose the port."""
    brief = {
        key: card[key] for key in ("name", "version", "framework", "framework_version", "root_class", "task", "python")
    }
    brief["signatures"] = [signature["name"] for signature in card["signatures"]]
    text = json.dumps(brief, ensure_ascii=True)
    yield "org.opencontainers.image.title", card["name"]
    yield "org.opencontainers.image.version", card["version"] or card["model"]["sha256"][:12]
    yield "org.opencontainers.image.description", summary
    yield "org.opencontainers.image.base.name", lock.base
    yield labels.VERSION, __version__
    yield labels.LOCK, card["lock"]
    yield labels.CARD_DIGEST, f"sha256:{card_file.sha256}"
    yield labels.CARD, text if len(text) <= _LONGEST_CARD else json.dumps({"name": card["name"]}, ensure_ascii=True)
    yield "com.amazonaws.sagemaker.capabilities.accept-bind-to-port", "true"
