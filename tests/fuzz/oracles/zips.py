"""Archives: inspection's reader, Python's zipfile and torch's reader must see the same members with the same bytes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from mlpack.readers.archives.zips import open_member, read_directory
from mlpack.readers.limits import Budget, CutOffError, Limits
from tests.fuzz.cases import Failure, Input, Outcome
from tests.fuzz.generators import archives
from tests.fuzz.inspection import Seen, Watch, pickles
from tests.fuzz.loaders.client import Loaders, Reached
from tests.fuzz.oracles.reaching import broken_promises

_UNREAD = ""  # in place of the digest of a member that cannot be read


class Zips:
    """Archives of torch, numpy and others."""

    groups: tuple[str, ...] = ("pickles", "torch")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def make(self, rng: random.Random) -> Input:
        """An archive."""
        return archives.make(rng)

    def check(self, path: Path, loaders: Mapping[str, Loaders], rng: random.Random) -> Outcome:  # noqa: ARG002 - all loaders run
        """Inspect it, read it with each reader, compare members and names."""
        seen = self._watch.run(lambda: _seen(path))
        reached = loaders["pickles"].run(path, ["numpy", "members", "zipfile"])
        if "torch" in loaders:
            reached += loaders["torch"].run(path, ["torch", "torch.records"])
        failures = [*seen.failures, *broken_promises(seen, reached)]
        if seen.accepted and seen.facts is not None:
            for one in reached:
                if one.status == "loaded" and one.found is not None:
                    failures += _differences(seen.facts, one)
        return Outcome(
            verdict=seen.verdict, loaded=any(one.status == "loaded" for one in reached), failures=tuple(failures)
        )


def _seen(path: Path) -> Seen:
    seen = pickles(path)
    return replace(seen, facts=_members(path)) if seen.accepted else seen


def _members(path: Path) -> dict[str, str] | None:
    """Each member's digest as inspection's reader sees it; None for a file that it does not take for a zip."""
    size, found = path.stat().st_size, {}
    with path.open("rb") as file:
        if file.read(4) not in (b"PK\3\4", b"PK\5\6"):
            return None
        for member in read_directory(file, size, Limits().members).members:
            digest = hashlib.sha256()
            try:
                source = open_member(file, member, Budget(Limits(), size))
                while data := source.read(1 << 16):
                    digest.update(data)
            except CutOffError:
                found[member.name] = _UNREAD
            else:
                found[member.name] = digest.hexdigest()
    return found


def _differences(own: Mapping[str, str], one: Reached) -> Iterator[Failure]:
    """What another reader finds that inspection's does not, or with other bytes."""
    plain = {name.partition("/")[2]: digest for name, digest in own.items()} if one.loader == "torch.records" else own
    for name, digest in one.found.items():
        if name not in plain:
            about, detail = "a member that inspection did not see", f"{name!a} is not among {sorted(plain)!a}"
        elif plain[name] != digest:
            about, detail = "a member with other bytes", f"{name!a} has other bytes"
        else:
            continue
        yield Failure(promise="different", loader=one.loader, about=about, detail=f"by {one.loader}: {detail}")
