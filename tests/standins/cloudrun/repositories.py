"""Artifact Registry's control plane: repositories, where their registry answers, their clean-up policies."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from google.protobuf import empty_pb2

from .errors import ApiError
from .messages import REGISTRY, OperationMetadata, copied
from .operations import Operations

STANDARD = REGISTRY.Repository.Mode.STANDARD_REPOSITORY.value
SETTABLE = ("description", "labels", "cleanup_policies", "cleanup_policy_dry_run", "docker_config")


class Repositories:
    """All repositories by name; `registry` is the host and port of the data plane."""

    def __init__(self, lock: threading.RLock, operations: Operations, registry: str) -> None:
        self._lock, self._operations, self._registry = lock, operations, registry
        self._all: dict[str, Any] = {}

    def handlers(self) -> dict[str, Callable[[Any], Any]]:
        """The calls by name."""
        return {
            "ArtifactRegistry.CreateRepository": self.create,
            "ArtifactRegistry.GetRepository": self.get,
            "ArtifactRegistry.ListRepositories": self.list,
            "ArtifactRegistry.UpdateRepository": self.update,
            "ArtifactRegistry.DeleteRepository": self.delete,
        }

    def create(self, request: Any) -> Any:
        """A new repository."""
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", request.repository_id):
            raise ApiError("INVALID_ARGUMENT", f"Invalid repository id '{request.repository_id}'.")
        if request.repository.format_ != REGISTRY.Repository.Format.DOCKER.value:
            raise ApiError("INVALID_ARGUMENT", "Only repositories of format DOCKER are known to the stand-in.")
        repository = copied(request.repository)
        repository.name = f"{request.parent}/repositories/{request.repository_id}"
        repository.mode = repository.mode or STANDARD
        repository.registry_uri = f"{self._registry}/{_path(repository.name)}"
        repository.create_time.GetCurrentTime()
        repository.update_time.GetCurrentTime()
        with self._lock:
            if repository.name in self._all:
                raise ApiError("ALREADY_EXISTS", "the repository already exists")
            self._all[repository.name] = repository
        metadata = OperationMetadata()
        return self._operations.start(request.parent, metadata, lambda: repository)

    def get(self, request: Any) -> Any:
        """A repository."""
        with self._lock:
            return copied(self._find(request.name))

    def list(self, request: Any) -> Any:
        """The repositories of a location (`-`: of all)."""
        prefix = request.parent.removesuffix("/locations/-") + "/"
        answer = REGISTRY.ListRepositoriesResponse.pb()()
        with self._lock:
            for name, repository in sorted(self._all.items()):
                if name.startswith(prefix):
                    answer.repositories.append(repository)
        return answer

    def update(self, request: Any) -> Any:
        """The masked fields replaced."""
        with self._lock:
            repository = self._find(request.repository.name)
            paths = [path for path in request.update_mask.paths if path != "name"] or list(SETTABLE)
            if wrong := [path for path in paths if path.partition(".")[0] not in SETTABLE]:
                raise ApiError("INVALID_ARGUMENT", f"update_mask: {wrong[0]} cannot be updated")
            mask = type(request.update_mask)(paths=paths)
            mask.MergeMessage(request.repository, repository, replace_message_field=True, replace_repeated_field=True)
            repository.update_time.GetCurrentTime()
            return copied(repository)

    def delete(self, request: Any) -> Any:
        """A repository, without what is in it."""
        with self._lock:
            self._find(request.name)
            del self._all[request.name]
        parent = request.name.partition("/repositories/")[0]
        metadata = OperationMetadata()
        return self._operations.start(parent, metadata, empty_pb2.Empty)

    def holds(self, path: str) -> bool:
        """Whether an image path, as the registry sees it, lies in a repository that is there."""
        with self._lock:
            return any(path.startswith(f"{_path(name)}/") for name in self._all)

    def named(self, parent: str) -> str:
        """The registry's path of a repository's resource name; NOT_FOUND where there is none."""
        with self._lock:
            return _path(self._find(parent).name)

    def _find(self, name: str) -> Any:
        if name not in self._all:
            raise ApiError("NOT_FOUND", f'Repository "{name}" not found')
        return self._all[name]


def _path(name: str) -> str:
    """PROJECT/REPOSITORY; a project `a.example:b` becomes `a.example/b`."""
    _, project, _, _, _, repository = name.split("/")
    return f"{project.replace(':', '/')}/{repository}"
