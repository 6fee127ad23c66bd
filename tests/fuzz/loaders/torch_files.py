"""torch's readers: its archive reader, which has its own idea of a zip, and torch.load with names only recorded."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from tests.fuzz.loaders.events import Events
from tests.fuzz.loaders.groups import Loader
from tests.fuzz.loaders.pickles import recording_pickle
from tests.fuzz.loaders.standins import Names, preload


def loaders(events: Events) -> dict[str, Loader]:
    """`torch` loads, `torch.records` gives each record's digest by its name without the archive's own."""
    import torch

    names = Names(events, torch=True)
    recording = recording_pickle(names)
    preload()
    for legacy in (False, True):  # so that all is imported before the first file is watched
        torch.save({"a": torch.ones(2)}, warm := io.BytesIO(), _use_new_zipfile_serialization=not legacy)
        warm.seek(0)
        torch.load(warm, weights_only=False)

    def load(path: str, request: dict[str, Any]) -> None:  # noqa: ARG001 - a loader's interface
        torch.load(path, pickle_module=recording, weights_only=False, map_location="cpu")

    def records(path: str, request: dict[str, Any]) -> dict[str, str]:  # noqa: ARG001 - a loader's interface
        reader = torch._C.PyTorchFileReader(path)
        return {name: hashlib.sha256(reader.get_record(name)).hexdigest() for name in reader.get_all_records()}

    return {"torch": load, "torch.records": records}
