"""The kinds of inputs by name."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fuzz.cases import Kind
from tests.fuzz.inspection import Watch

KINDS = ("pickle", "zip", "hdf5", "protobuf")


def kinds_of(names: Iterable[str], watch: Watch) -> dict[str, Kind]:
    """Each kind with the watch over inspection in this process; its libraries are imported only when it is wanted."""
    found: dict[str, Kind] = {}
    for name in names:
        if name == "pickle":
            from tests.fuzz.oracles.pickles import Pickles

            found[name] = Pickles(watch)
        elif name == "zip":
            from tests.fuzz.oracles.zips import Zips

            found[name] = Zips(watch)
        elif name == "hdf5":
            from tests.fuzz.oracles.hdf5 import Hdf5Files

            found[name] = Hdf5Files(watch)
        else:
            from tests.fuzz.oracles.protobufs import Protobufs

            found[name] = Protobufs(watch)
    return found
