"""A folder that serves a model with another project's server: the model's files, and a Dockerfile on that server's image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared
from mlpack.config import Config
from mlpack.discovery.model_files import OnBytes, model_files, model_root
from mlpack.errors import UsageError
from mlpack.formats.base import Format, OtherServer
from mlpack.pipeline.render import bundle_name, write_file
from mlpack.version import __version__


@dataclass(frozen=True, kw_only=True)
class ServerFolder:
    """The folder that was written: its files, sorted by name; a name for the image; the HTTP port of the server."""

    files: tuple[BundleFile, ...]
    image: str
    port: int


def write_for_server(
    prepared: Prepared, server: str, out: Path, *, config: Config, formats: Mapping[str, Format]
) -> ServerFolder:
    """Write the folder for the server that the user named.

    Raises UsageError for an unknown server, a model of another format, and a model with user code.
    """
    known = {one.name: (name, one) for name, format_ in formats.items() for one in format_.other_servers}
    if server not in known:
        raise UsageError(f"unknown server {server!r}", hint=f"--serve-with takes {', '.join(known)}.")
    of_format, other = known[server]
    if prepared.code is not None:
        raise UsageError(
            f"{other.title} cannot run your Python code", hint="Leave --serve-with out to use your own code."
        )
    info = prepared.info
    if info.format != of_format:
        raise UsageError(f"{other.title} takes a {other.takes}; {info.path.name} is {info.format}", hint=other.hint)
    image = bundle_name(config, info)
    files = render_for(
        other, info, name=image, version=config.version, base=config.build.base, templates=config.templates
    )
    for file in files:
        write_file(file, out / file.name)
    return ServerFolder(files=files, image=image, port=other.port)


def render_for(
    server: OtherServer,
    info: ModelInfo,
    *,
    name: str,
    version: str | None = None,
    base: str | None = None,
    templates: Path | None = None,
    on_bytes: OnBytes | None = None,
) -> tuple[BundleFile, ...]:
    """The model and a Dockerfile for another server's image, sorted by name.

    The model's version number in the server is `version` if it is an integer, else 1. Raises ModelError if the model was
    changed or removed, TemplateError.
    """
    root = model_root(info)
    summary = f"{server.takes} of {info.framework} {info.framework_version or ''}".strip()
    values = {
        "name": name,
        "summary": f"{summary}, from {info.path.name}",
        "mlpack_version": __version__,
        "base": base or server.base,
        "root": root,
        "number": version if version and version.isdecimal() else "1",
    }
    files = [
        *model_files(info, on_bytes),
        BundleFile.of_bytes("Dockerfile", server.dockerfile(values, templates).encode()),
        BundleFile.of_bytes(".dockerignore", f"*\n!{root.partition('/')[0]}\n".encode()),
    ]
    return tuple(sorted(files, key=lambda file: file.name))
