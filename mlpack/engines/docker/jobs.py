"""A container that runs a command to its end, and gives back the files of one folder."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator

from mlpack.artifacts.image import Image
from mlpack.engines.base import Exit, JobResult, Limits
from mlpack.engines.docker.address import Address
from mlpack.engines.docker.client import Client, told
from mlpack.engines.docker.containers import stopped_container
from mlpack.errors import EngineError

LARGEST_OUTPUT = 16 * 1024**2  # bytes, of one file while it is written and of all together


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
    """Run the command in place of the image's entrypoint; the container is removed on every way out. See Runner.job."""
    with stopped_container(client, address, image, limits=limits, command=command, largest_file=LARGEST_OUTPUT) as name:
        began = time.monotonic()
        with told(address, "the start of the job"):
            client.start(name)
        while True:
            with told(address, "a look at the job"):
                state = client.inspect_container(name)["State"]
            if not state["Running"]:
                break
            if time.monotonic() - began > timeout_s:
                raise EngineError(
                    f"the job did not end in {timeout_s:.0f} s", hint="Give it less to do.", detail=_log(client, name)
                )
            time.sleep(0.05)
        seconds = time.monotonic() - began
        with told(address, "the reading of the job's files"):
            ended = Exit(code=int(state["ExitCode"]), oom_killed=bool(state["OOMKilled"]), seconds=seconds)
            return JobResult(exit=ended, log=_log(client, name), files=dict(_files(client, name, outputs)))


def _log(client: Client, name: str) -> str:
    text: bytes = client.logs(name, stdout=True, stderr=True)
    return text.decode("utf-8", "replace")


def _files(client: Client, name: str, folder: str) -> Iterator[tuple[str, bytes]]:
    """The regular files below the folder, by their names relative to it; nothing where it is not there."""
    from docker.errors import NotFound

    try:
        chunks, _ = client.get_archive(name, folder)
    except NotFound:
        return
    data, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > 2 * LARGEST_OUTPUT:
            raise EngineError(f"the job wrote more than {LARGEST_OUTPUT} bytes to {folder}", hint="Let it write less.")
        data.append(chunk)
    with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name.partition("/")[2], content.read()
