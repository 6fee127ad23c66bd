"""From Lock to Bundle: the folder that an image is built from, with the same bytes on any host."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import CLASSIC_DOCKERFILE, DOCKERFILE, Bundle
from mlpack.artifacts.bundle_file import BundleFile, files_digest
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.model_files import OnBytes, digest_of, model_files, model_root
from mlpack.errors import ModelError
from mlpack.formats.base import installed_formats
from mlpack.pipeline.plan_image import locale_of, plan_image, summary_of
from mlpack.readers import gpu_code, strip_symbols, system_libraries
from mlpack.readers.bundle_files import bytes_of
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.streams import COMPRESSED_SUFFIXES
from mlpack.templating import render as fill
from mlpack.templating import render_dockerfile
from mlpack.version import __version__

if TYPE_CHECKING:
    from mlpack.artifacts.model_reference import ModelReference
    from mlpack.config import Config, Settings

_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".npz", ".npy")
_RUNTIME = Path(__file__).resolve().parent.parent / "runtime"
_OPTIONAL_PARTS = frozenset({"ensembles"})


def render(
    lock: Lock,
    *,
    config: Config,
    loader: Path | None,
    note: str = "",
    private: tuple[BundleFile, ...] = (),
    on_bytes: OnBytes | None = None,
) -> Bundle:
    """Return the bundle of a locked model.

    `loader` is the format's loader, a file or a folder, None if the user's predictor replaces it; `note` is the format's
    comment in the Dockerfile; `private` files are used by the build only. Raises TemplateError, and ModelError if the file
    was changed or removed.
    """
    model = tuple(model_files(lock.info, on_bytes))
    name = bundle_name(config, lock.info)
    card = _card(lock, config, name, model)
    card_file = _file("model.json", (json.dumps(card, indent=2, ensure_ascii=True) + "\n").encode())
    values = _values(lock, config, card, loader=loader)
    code = lock.prepared.code
    files = [
        _file(".dockerignore", fill("dockerignore.j2", values, folder=config.templates).encode()),
        _file("get_uv.py", fill("get_uv.py.j2", values, folder=config.templates).encode()),
        _file("installer.lock", lock.installer.encode()),
        _file("requirements.lock", lock.requirements.encode()),
        *([_file("sdists.lock", lock.sdists_text.encode())] if lock.sdists else ()),
        _file("system_libraries.py", Path(system_libraries.__file__).read_bytes()),
        *([_file("gpu_code.py", Path(gpu_code.__file__).read_bytes())] if lock.gpu_code else []),
        *([_file("strip_symbols.py", Path(strip_symbols.__file__).read_bytes())] if lock.strip else []),
        *runtime_files(parts=(lock.info.runtime_part,)),
        card_file,
        *model,
        *_loader_files(loader),
        *(code.files if code else ()),
        _file("serve.py", fill("serve.py.j2", values, folder=config.templates).encode()),
    ]
    files.sort(key=lambda file: file.name)
    plan = plan_image(lock, card, card_file, files, port=config.serve.port, note=note)
    for dockerfile, buildkit in ((DOCKERFILE, True), (CLASSIC_DOCKERFILE, False)):
        text = render_dockerfile(plan, {**values, "labels": plan.labels}, buildkit=buildkit, folder=config.templates)
        files.append(_file(dockerfile, text.encode()))
    files.sort(key=lambda file: file.name)
    digest = files_digest(files, lock.platform)
    return Bundle(
        lock=lock,
        name=name,
        version=config.version,
        files=tuple(files),
        private=private,
        digest=digest,
        card=card,
        labels={labels.BUNDLE: digest},
        plan=None if has_own_dockerfile(config) else plan,
    )


def has_own_dockerfile(config: Config) -> bool:
    """Whether the Dockerfile comes from the user's own template, which may differ from the image plan."""
    return config.templates is not None and (config.templates / "Dockerfile.j2").is_file()


def write(bundle: Bundle, folder: Path, *, buildkit: bool) -> None:
    """Write the bundle as a folder for `docker build`, with one Dockerfile, which uses BuildKit's mounts if `buildkit`."""
    unwanted = CLASSIC_DOCKERFILE if buildkit else DOCKERFILE
    for file in (*bundle.files, *bundle.private):
        if file.name == unwanted:
            continue
        write_file(file, folder / (DOCKERFILE if file.name == CLASSIC_DOCKERFILE else file.name))


def write_file(file: BundleFile, target: Path) -> None:
    """Write one file of a bundle."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for chunk in bytes_of(file):
            out.write(chunk)
    target.chmod(file.mode)


def bundle_name(config: Config, info: ModelInfo) -> str:
    """The name of the image: the configured one as a repository name, else the model file's."""
    return (slug(config.name) if config.name else model_name(info.path)) or "model"


def service_name(config: Config, model: ModelReference) -> str:
    """The name of a model's service: as configured, else by its path or reference."""
    return slug(config.name) if config.name else model_name(model)


# Names of files that say nothing about the model.
_GENERIC = frozenset(
    {"model", "clf", "pipeline", "saved_model", "estimator", "classifier", "regressor", "final", "best", "pipe"}
)


def model_name(model: ModelReference) -> str:
    """A name for an image: the file's stem, or its folder's name if the stem is generic; valid in a reference."""
    path = model if isinstance(model, Path) else Path("/" + model.partition("?")[0].partition(":")[2].strip("/"))
    stem = _stem(path.name) if path.is_file() or path is not model else path.name
    if slug(stem) in _GENERIC or not slug(stem):
        stem = path.resolve().parent.name
    return slug(stem) or "model"


def _stem(name: str) -> str:
    """A file's name without the suffixes of formats, pickles, archives and compression: other dots belong to the name."""
    formats = installed_formats().values()
    known = {
        *PICKLES, *COMPRESSED_SUFFIXES, *_ARCHIVES,
        *(suffix for one in formats for suffix in (*one.suffixes, *one.suffixes_in_archives)),
        *(suffix for one in formats for listed in one.pickle_suffixes.values() for suffix in listed),
    }  # fmt: skip
    while (suffix := Path(name).suffix).lower() in known:
        name = name.removesuffix(suffix)
    return name


def slug(text: str) -> str:
    """The text as a repository name component (distribution spec): `[a-z0-9]+(-[a-z0-9]+)*`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:100].rstrip("-")


_file = BundleFile.of_bytes


def runtime_files(folder: Path = _RUNTIME, *, parts: Collection[str] = ()) -> Iterator[BundleFile]:
    """The serving runtime as plain files: modules and folders named `assets`. `mlpack` is an empty package in the image.

    `parts` are the optional parts, folders of the runtime, that the image uses.
    """
    yield _file("mlpack/__init__.py", b"")
    for source in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = source.relative_to(folder).as_posix()
        if name.split("/")[0] in _OPTIONAL_PARTS.difference(parts):
            continue
        if name.endswith(".py") or "assets" in name.split("/")[:-1]:
            yield _file(f"mlpack/runtime/{name}", source.read_bytes())


def _loader_files(loader: Path | None) -> Iterator[BundleFile]:
    """The format's loader: `loader.py`, or the Python files of its folder as `loader/`."""
    if loader is None:
        return
    if loader.is_file():
        yield _file("loader.py", loader.read_bytes())
        return
    for source in sorted(loader.rglob("*.py")):
        yield _file(f"loader/{source.relative_to(loader).as_posix()}", source.read_bytes())


def _card(lock: Lock, config: Config, name: str, model: tuple[BundleFile, ...]) -> dict[str, Any]:
    """The ModelCard, which describes the model to the runtime, to `mlpack test` and to people."""
    if not model:
        raise ModelError(f"{lock.info.path} contains no file", hint="Name the model file or its folder.")
    info, prepared = lock.info, lock.prepared
    root = model_root(info)
    return {
        "schema": 1,
        "name": name,
        "version": config.version,
        "mlpack": __version__,
        "python": lock.python,
        "platform": lock.platform,
        "lock": "sha256:" + hashlib.sha256((lock.requirements + lock.sdists_text).encode()).hexdigest(),
        "model": {
            "file": root,
            "name": info.path.name,
            "sha256": digest_of(model),
            "size": sum(file.size for file in model),
        },
        "limits": {"max_rows": config.serve.max_rows, "max_body": config.serve.max_body_bytes},
        "options": {**({"entry": info.entry} if info.entry else {}), **info.options, **prepared.options},
        "sample": prepared.sample,
        **({"code": prepared.code.to_json()} if prepared.code else {}),
        **_ordered(info, config.signature),
    }


def _ordered(info: ModelInfo, first: str | None) -> dict[str, Any]:
    data = info.to_json()
    if first is not None:
        data["signatures"].sort(key=lambda signature: signature["name"] != first)
    return data


def _values(lock: Lock, config: Config, card: dict[str, Any], *, loader: Path | None) -> dict[str, Any]:
    """The variables for templates."""
    info, code = lock.info, lock.prepared.code
    return {
        "name": card["name"],
        "version": config.version,
        "summary": summary_of(info),
        "mlpack_version": __version__,
        "base": lock.base + (f"@{lock.base_digest}" if lock.base_digest else ""),
        "apt": list(lock.apt),
        "sdists": [build.name for build in lock.sdists],
        "locales": [(one.name, one.language, one.charset) for one in map(locale_of, info.locales)],
        "gpu": lock.gpu,
        "gpu_code": bool(lock.gpu_code),
        "strip": bool(lock.strip),
        "port": config.serve.port,
        "settings": list(_settings(config.serve)),
        "workers": config.serve.workers,
        "signature": card["signatures"][0]["name"] if card["signatures"] else None,
        "signatures": ", ".join(signature["name"] for signature in card["signatures"]),
        "loader_note": info.format,
        "loader": loader is not None,
        "part": info.runtime_part,
        "loader_folder": loader is not None and loader.is_dir(),
        "code": code is not None,
        "main": sorted(code.main) if code else [],
        "predictor": code.predictor if code else None,
        "card": card,
    }


def _settings(settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """Each setting of the server, for serve.py: name, value as Python, whether it was set, explanation."""
    nested: dict[str, list[str]] = {}
    for name, default, explanation in settings.describe():
        section, _, inner = name.rpartition(".")
        value = getattr(getattr(settings, section) if section else settings, inner)
        if not section:
            yield name, ascii(value), value != default, explanation
        elif value != default:
            nested.setdefault(section, []).append(f"{inner}={value!a}")
        else:
            yield name, ascii(value), False, explanation
    for section, given in nested.items():
        yield section, f"{section.title()}({', '.join(given)})", True, "set in mlpack.yaml"
