"""A container that runs a command to its end and gives back the files of one folder."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from contextlib import closing

from mlpack.artifacts.image import Image
from mlpack.engines.base import LARGEST_OUTPUT, Exit, JobResult, Limits
from mlpack.engines.docker.address import Address
from mlpack.engines.docker.archives import ChunkStream
from mlpack.engines.docker.client import Client, engine_errors
from mlpack.engines.docker.containers import start_errors, stopped_container
from mlpack.errors import EngineError

_POLL_S = 0.05


def run_job(
    client: Client,
    address: Address,
    image: Image,
    *,
    limits: Limits,
    command: tuple[str, ...],
    outputs: str,
    timeout_s: float,
) -> JobResult:
    """Run the command instead of the image's entrypoint; the container is removed on every way out. See Runner.job."""
    with stopped_container(client, address, image, limits=limits, command=command, largest_file=LARGEST_OUTPUT) as name:
        began = time.monotonic()
        with start_errors(address, image, 0):
            client.start(name)
        while True:
            with engine_errors(address, "reading the state of the job"):
                state = client.inspect_container(name)["State"]
            seconds = time.monotonic() - began
            if not state["Running"]:
                break
            if seconds > timeout_s:
                raise EngineError(
                    f"the job did not end within {timeout_s:g} s", hint="Give it less work.", detail=_log(client, name)
                )
            time.sleep(_POLL_S)
        with engine_errors(address, "reading the files of the job"):
            ended = Exit(code=int(state["ExitCode"]), oom_killed=bool(state["OOMKilled"]), seconds=seconds)
            return JobResult(exit=ended, log=_log(client, name), files=dict(_files(client, name, outputs)))


def _log(client: Client, name: str) -> str:
    text: bytes = client.logs(name, stdout=True, stderr=True)
    return text.decode("utf-8", "replace")


def _files(client: Client, name: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """The regular files below the folder by their names in it, no links; nothing where there is no such folder.

    They are read as the engine sends them, so no more than the limit is ever in memory.
    """
    from docker.errors import NotFound

    try:
        chunks, _ = client.get_archive(name, folder)
    except NotFound:
        return
    size = 0
    with closing(chunks), tarfile.open(fileobj=ChunkStream(chunks), mode="r|") as archive:
        for member in archive:
            # An empty file or a link costs a header; a job could make as many as it likes.
            size += tarfile.BLOCKSIZE + (member.size if member.isreg() else 0)
            if size > LARGEST_OUTPUT:
                raise EngineError(
                    f"the job wrote more than {LARGEST_OUTPUT // 1024**2} MiB to {folder}", hint="Let it write less."
                )
            _, slash, inner = member.name.partition("/")  # the first part is the folder's own name
            content = archive.extractfile(member) if slash and member.isreg() else None
            if content is not None:
                yield inner, content.read()
