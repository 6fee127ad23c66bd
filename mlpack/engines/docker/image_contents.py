"""The sizes of an image's layers and of the packages in it."""

from __future__ import annotations

import csv
import tarfile
from contextlib import closing
from typing import Any

from mlpack.artifacts.image_plan import VENV
from mlpack.engines.docker.archives import ChunkStream
from mlpack.engines.docker.client import Client
from mlpack.engines.docker.containers import unstarted

SITE = f"{VENV}/lib"


def layer_sizes(client: Client, image_id: str) -> list[tuple[str, int]]:
    """The layers that hold something, newest first: the instruction that made each, and its bytes."""
    found = []
    for entry in client.history(image_id):
        words = " ".join(str(entry.get("CreatedBy") or "").replace("/bin/sh -c", "").replace("#(nop)", "").split())
        if entry.get("Size"):
            found.append((words.removesuffix("# buildkit").strip(), int(entry["Size"])))
    return found


def package_sizes(client: Client, image_id: str) -> list[tuple[str, int]]:
    """The distributions in the image's environment (`name version`) and the bytes that their files take, largest first.

    Read out of a container that is never started; a file that no distribution's RECORD names counts for its folder's owner.
    """
    from docker.errors import NotFound

    try:
        with unstarted(client, image_id) as container:
            chunks, _ = client.get_archive(container, SITE)
            with closing(chunks):
                return _by_package(ChunkStream(chunks))
    except NotFound:
        return []


def _by_package(stream: Any) -> list[tuple[str, int]]:
    sizes: dict[str, int] = {}
    owners: dict[str, str] = {}
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            _, _, name = member.name.partition("site-packages/")
            if not member.isfile() or not name:
                continue
            sizes[name] = member.size
            folder, _, last = name.partition("/")
            if last == "RECORD" and folder.endswith(".dist-info"):
                file = tar.extractfile(member)
                text = file.read().decode("utf-8", "replace") if file else ""
                # The folder's name is escaped (`scikit_learn-1.5.0`); people and lock files write scikit-learn.
                distribution, _, version = folder.removesuffix(".dist-info").partition("-")
                title = f"{distribution.replace('_', '-')} {version}"
                owners.update({row[0].split("/")[0]: title for row in csv.reader(text.splitlines()) if row})
    totals: dict[str, int] = {}
    for name, size in sizes.items():
        owner = owners.get(name.split("/")[0], "other")
        totals[owner] = totals.get(owner, 0) + size
    return sorted(totals.items(), key=lambda item: -item[1])
