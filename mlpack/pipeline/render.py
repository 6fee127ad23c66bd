"""From Lock to Bundle: the folder that an image is built from, the same bytes on any host."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.model_files import OnBytes, model_files, model_root
from mlpack.errors import ModelError
from mlpack.readers.bundle_files import bytes_of
from mlpack.templating import render as fill
from mlpack.version import __version__

if TYPE_CHECKING:
    from mlpack.config import Config, Settings

_RUNTIME = Path(__file__).resolve().parent.parent / "runtime"


def render(
    lock: Lock,
    *,
    config: Config,
    loader: Path | None,
    private: tuple[BundleFile, ...] = (),
    on_bytes: OnBytes | None = None,
) -> Bundle:
    """The bundle of a locked model; `loader` is the format's image half, None when the user's predictor does everything.

    `private` files serve the build alone. Raises TemplateError, and ModelError when the file changed or is gone.
    """
    model = tuple(model_files(lock.info, on_bytes))
    name = bundle_name(config, lock.info)
    card = _card(lock, config, name, model)
    card_file = _file("model.json", (json.dumps(card, indent=2, ensure_ascii=True) + "\n").encode())
    values = _values(lock, config, card, card_file, has_loader=loader is not None)
    code = lock.prepared.code
    files = [
        *_dockerfiles(values, config),
        _file(".dockerignore", fill("dockerignore.j2", values, folder=config.templates).encode()),
        _file("get_uv.py", fill("get_uv.py.j2", values, folder=config.templates).encode()),
        _file("installer.lock", lock.installer.encode()),
        _file("requirements.lock", lock.requirements.encode()),
        *runtime_files(),
        card_file,
        *model,
        *([_file("loader.py", loader.read_bytes())] if loader else []),
        *(code.files if code else ()),
        _file("serve.py", fill("serve.py.j2", values, folder=config.templates).encode()),
    ]
    files.sort(key=lambda file: file.name)
    digest = _digest_of(files, lock.platform)
    return Bundle(
        lock=lock,
        name=name,
        version=config.version,
        files=tuple(files),
        private=private,
        digest=digest,
        card=card,
        labels={labels.BUNDLE: digest},
    )


def write(bundle: Bundle, folder: Path, *, buildkit: bool) -> None:
    """Puts the bundle into a folder that `docker build` takes: one Dockerfile, with BuildKit's mounts when asked for."""
    unwanted = "Dockerfile.classic" if buildkit else "Dockerfile"
    for file in (*bundle.files, *bundle.private):
        if file.name == unwanted:
            continue
        write_file(file, folder / ("Dockerfile" if file.name == "Dockerfile.classic" else file.name))


def write_file(file: BundleFile, target: Path) -> None:
    """Writes one file of a bundle."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for chunk in bytes_of(file):
            out.write(chunk)
    target.chmod(file.mode)


def bundle_name(config: Config, info: ModelInfo) -> str:
    """The name of the image: the configured one as a repository name, else the model file's."""
    return (slug(config.name) if config.name else model_name(info.path)) or "model"


def service_name(config: Config, path: Path) -> str:
    """The name of a model's service: as configured, else by its path."""
    return slug(config.name) if config.name else model_name(path)


def model_name(path: Path) -> str:
    """A name for an image: the file's stem, or its folder's where the stem says nothing; lower-case, safe in a reference."""
    generic = {
        "model",
        "clf",
        "pipeline",
        "saved_model",
        "estimator",
        "classifier",
        "regressor",
        "final",
        "best",
        "pipe",
    }
    stem = path.name.split(".")[0] if path.is_file() else path.name
    if slug(stem) in generic or not slug(stem):
        stem = path.resolve().parent.name
    return slug(stem) or "model"


def slug(text: str) -> str:
    """The text as a repository name component (distribution spec): `[a-z0-9]+(-[a-z0-9]+)*`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:100].rstrip("-")


_file = BundleFile.of_bytes


def runtime_files(folder: Path = _RUNTIME) -> Iterator[BundleFile]:
    """The serving runtime as plain files: modules and folders named `assets`. `mlpack` is an empty package in the image."""
    yield _file("mlpack/__init__.py", b"")
    for source in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = source.relative_to(folder)
        if source.suffix == ".py" or "assets" in name.parent.parts:
            yield _file(f"mlpack/runtime/{name.as_posix()}", source.read_bytes())


def _card(lock: Lock, config: Config, name: str, model: tuple[BundleFile, ...]) -> dict[str, Any]:
    """The ModelCard: what the runtime, `mlpack test` and people read of the model."""
    if not model:
        raise ModelError(f"{lock.info.path} holds no file", hint="Name the model file or its folder.")
    info, prepared = lock.info, lock.prepared
    root = model_root(info)
    whole = model[0].sha256 if len(model) == 1 else _digest_of(list(model), "").removeprefix("sha256:")
    return {
        "schema": 1,
        "name": name,
        "version": config.version,
        "mlpack": __version__,
        "python": lock.python,
        "platform": lock.platform,
        "lock": "sha256:" + hashlib.sha256(lock.requirements.encode()).hexdigest(),
        "model": {
            "file": root,
            "name": info.path.name,
            "sha256": whole,
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


def _values(
    lock: Lock, config: Config, card: dict[str, Any], card_file: BundleFile, *, has_loader: bool
) -> dict[str, Any]:
    info, code = lock.info, lock.prepared.code
    what = info.root_class.rpartition(".")[2] or info.format
    engine = " ".join(part for part in (info.framework, info.framework_version) if part)
    summary = f"{what}{f' of {engine}' if engine else ''}, from {info.path.name}"
    return {
        "name": card["name"],
        "version": config.version,
        "summary": summary,
        "mlpack_version": __version__,
        "base": lock.base + (f"@{lock.base_digest}" if lock.base_digest else ""),
        "apt": list(lock.apt),
        "locales": [(name, *_language(name)) for name in info.locales],
        "gpu": lock.gpu,
        "port": config.serve.port,
        "settings": list(_settings(config.serve)),
        "workers": config.serve.workers,
        "signature": card["signatures"][0]["name"] if card["signatures"] else None,
        "signatures": ", ".join(signature["name"] for signature in card["signatures"]),
        "loader_note": info.format,
        "loader": has_loader,
        "code": code is not None,
        "main": sorted(code.main) if code else [],
        "predictor": code.predictor if code else None,
        "labels": list(_labels(lock, card, card_file, summary).items()),
        "card": card,
    }


def _language(locale: str) -> tuple[str, str]:
    """The language's description and the character set that localedef makes a locale of: en_US.UTF-8 is of en_US and UTF-8.

    Programs that convert texts by a locale without a character set mean UTF-8 too.
    """
    name, _, modifier = locale.partition("@")
    language, _, charset = name.partition(".")
    return language + (f"@{modifier}" if modifier else ""), charset or "UTF-8"


def _settings(settings: Settings) -> Iterator[tuple[str, str, bool, str]]:
    """Each setting of the server for the reader of serve.py: name, value as Python, whether it was set, what it does."""
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
        yield section, f"{section.title()}({', '.join(given)})", True, "as mlpack.yaml says"


def _labels(lock: Lock, card: dict[str, Any], card_file: BundleFile, summary: str) -> dict[str, str]:
    """OCI's own annotations, ours, and the one that lets SageMaker choose the port."""
    brief = {
        key: card[key] for key in ("name", "version", "framework", "framework_version", "root_class", "task", "python")
    }
    brief["signatures"] = [signature["name"] for signature in card["signatures"]]
    text = json.dumps(brief, ensure_ascii=True)
    return {
        "org.opencontainers.image.title": card["name"],
        "org.opencontainers.image.version": card["version"] or card["model"]["sha256"][:12],
        "org.opencontainers.image.description": summary,
        "org.opencontainers.image.base.name": lock.base,
        labels.VERSION: __version__,
        labels.LOCK: card["lock"],
        labels.CARD_DIGEST: f"sha256:{card_file.sha256}",
        labels.CARD: text if len(text) <= 4096 else json.dumps({"name": card["name"]}, ensure_ascii=True),
        "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true",
    }


def _dockerfiles(values: dict[str, Any], config: Config) -> Iterator[BundleFile]:
    """The Dockerfile with BuildKit's mounts, and the same for builders that have none."""
    mount = "--mount=type=bind,source=build,target=/run/mlpack --mount=type=cache,target=/root/.cache "
    for name, buildkit in (("Dockerfile", True), ("Dockerfile.classic", False)):
        mounts = {
            "buildkit": buildkit,
            "mounts": mount if buildkit else "",
            "pip_cache": "" if buildkit else " --no-cache-dir",
            "uv_cache": " --link-mode=copy" if buildkit else " --no-cache",
        }
        yield _file(name, fill("Dockerfile.j2", {**values, **mounts}, folder=config.templates).encode())


def _digest_of(files: Iterable[BundleFile], platform: str) -> str:
    """`sha256:...` over mode, content and name of each file, in order, and the platform."""
    lines = [f"{file.mode:o} {file.sha256} {file.name}" for file in files]
    return "sha256:" + hashlib.sha256("\n".join([platform, *lines]).encode()).hexdigest()
