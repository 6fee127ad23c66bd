"""Command lines that built a model before: kept by the model's digest, shown, and never applied."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.model_files import digest_of, model_files
from mlpack.errors import ModelError
from mlpack.pipeline.tools import Tools
from mlpack.workspace import Workspace


def note_if_built(info: ModelInfo, tools: Tools, command: str) -> None:
    """Show the command line that built the same file before, for a model that needs something now.

    The file is hashed only if one of its size was built.
    """
    workspace = tools.workspace
    if any(size == info.size for _, size in workspace.commands().values()):
        try:
            digest = digest_of(tuple(model_files(info, None)))
        except ModelError:  # it was removed meanwhile
            return
        _note(workspace, tools, digest, command)


def note_build(bundle: Bundle, tools: Tools, command: str) -> None:
    """Keep the command line of a build that succeeded, and show the last one if it was another."""
    model: dict[str, Any] = bundle.card["model"]
    _note(tools.workspace, tools, model["sha256"], command)
    tools.workspace.note_command(model["sha256"], bundle.lock.info.size, command)


def _note(workspace: Workspace, tools: Tools, digest: str, command: str) -> None:
    earlier, _ = workspace.commands().get(digest, ("", 0))
    if earlier and earlier != command:
        tools.reporter.note(f"This file was built before with: {earlier}")
