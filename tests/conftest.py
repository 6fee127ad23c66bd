"""What holds for every test."""

from __future__ import annotations

import signal

import pytest

from tests import shared

LONGEST_ID = 24
# Files by how long their tests take: what comes last must be short, so that no worker ends long after the others.
LONGEST = (
    "test_tensorflow_images",
    "test_torch_images",
    "test_deploy_cloudrun",
    "test_ensembles",
    "test_secrets",
    "test_interrupted",
    "test_old_models",
    "test_real_models",
    "test_boosters",
    "test_building",
    "test_kinds",
    "test_wild",
    "test_workflows",
    "test_resolve_network",
    "test_breaking",
    "test_own_code",
    "test_deploy_compose",
    "test_networks",
    "test_corpus",
    "test_big_files",
    "test_python39",
    "test_onnx",
    "test_around",
    "test_hostile_models",
    "test_line",
    "test_process",
    "test_cli",
    "test_inspect_command",
    "test_readme",
    "test_conformance",
    "test_life",
    "test_platforms",
)

# A shell that starts the tests in the background makes them ignore Ctrl-C, and every command that they start too. Ours
# must hear it: several tests send it. A handler here means that what is started begins with the usual behaviour.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the workers, or runs the tests itself, has the folder that they share."""
    if not hasattr(config, "workerinput"):
        config.add_cleanup(shared.open_folder())


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Names long bytes by their argument: an archive holds the time, and all workers must give a test the same name."""
    del config
    return argname if isinstance(val, bytes) and len(val) > LONGEST_ID else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first. A file stays in one worker (--dist=loadfile), which makes what its tests share."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
