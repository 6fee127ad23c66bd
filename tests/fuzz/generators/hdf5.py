"""HDF5 files as h5py writes them in several versions of the format, with names, addresses and messages then changed."""

from __future__ import annotations

import contextlib
import json
import random
import re
import struct
from typing import Any

from tests.fuzz.cases import Input
from tests.fuzz.generators.mutators import mutated

_NAMES = ("model_config", "model_c0nfig", "keras_version", "layer_names", "backend_abcd", "weight_names")


def make(rng: random.Random) -> Input:
    """An HDF5 file."""
    data = _written(rng)
    recipe = "sound"
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        recipe, change = rng.choice(_CHANGES)
        data = change(rng, data)
    return Input(data=data, suffix=".h5", recipe=recipe)


def _written(rng: random.Random) -> bytes:
    import h5py

    # The newer versions have checksums, so that h5py refuses what was changed; the oldest have none.
    versions = [("EARLIEST", "V18"), ("EARLIEST", "V110"), ("EARLIEST", "V110"), ("V110", "V110"), ("LATEST", "LATEST")]
    lowest, highest = (getattr(h5py.h5f, f"LIBVER_{one}") for one in rng.choice(versions))
    access, creation = h5py.h5p.create(h5py.h5p.FILE_ACCESS), h5py.h5p.create(h5py.h5p.FILE_CREATE)
    access.set_fapl_core(backing_store=False)
    access.set_libver_bounds(lowest, highest)
    creation.set_obj_track_times(False)  # the same numbers must give the same bytes
    if rng.random() < 0.05:
        creation.set_userblock(512)
    if rng.random() < 0.2:
        creation.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    with h5py.File(h5py.h5f.create(b"memory.h5", h5py.h5f.ACC_TRUNC, creation, access)) as file:
        _fill(rng, file, 0)
        file.flush()
        return bytes(file.id.get_file_image())


def _group(parent: Any, name: str) -> Any:
    import h5py

    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), None, creation))


def _fill(rng: random.Random, group: Any, depth: int) -> None:
    import h5py

    for name in rng.sample(_NAMES, rng.randint(0, 4 if rng.random() < 0.95 else 6)):
        group.attrs[name] = _attribute(rng)
    if rng.random() < 0.03:
        for number in range(12):  # a dense storage
            group.attrs[f"more{number}"] = number
    for number in range(rng.randint(0, 3)):
        name = f"{rng.choice(['dense', 'layer', 'kernel'])}_{number}"
        way = rng.randrange(12)
        if way < 5 and depth < 2:
            _fill(rng, _group(group, name), depth + 1)
        elif way < 9:
            shape = tuple(rng.randint(0, 4) for _ in range(rng.randint(0, 3)))
            kind = rng.choice(["f4", "f8", "i4", "u1", "f2", "S5"])
            how: dict[str, Any] = {"chunks": True} if shape and 0 not in shape and rng.random() < 0.3 else {}
            if shape and rng.random() < 0.05:
                how = {"external": [("outside.bin", 0, h5py.h5f.UNLIMITED)]}
            group.create_dataset(name, shape=shape, dtype=kind, track_times=False, **how)
        elif way == 9:
            group[name] = h5py.ExternalLink("other.h5", "/a")
        elif way == 10:
            group[name] = h5py.SoftLink(rng.choice(["/", "/dense_0", "/missing"]))
        else:
            with contextlib.suppress(ValueError):  # the oldest versions of the format have none
                _virtual(group, name)


def _virtual(group: Any, name: str) -> None:
    """A dataset whose values lie in another file."""
    import h5py

    creation, space = h5py.h5p.create(h5py.h5p.DATASET_CREATE), h5py.h5s.create_simple((4,))
    creation.set_obj_track_times(False)
    creation.set_virtual(space, b"other.h5", b"a", space)
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, space, creation)


def _attribute(rng: random.Random) -> Any:
    import h5py
    import numpy as np

    way = rng.randrange(9)
    if way < 3:
        layer = rng.choice(["Dense", "Lambda"])
        return json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": layer}]}})
    if way == 3:
        return np.bytes_(rng.choice([b"2.15.0", b"abc\0def", b"x" * 30]))
    if way == 4:
        return np.array([b"dense_0", b"dense_1"])
    if way == 5:
        return np.array(["kernel:0", "b"], dtype=h5py.string_dtype())
    if way == 6:
        return rng.choice([1, -5, 1 << 40, 2.5, True])
    return np.arange(rng.randint(0, 4), dtype=rng.choice(["i4", "f4", "i8", ">i2", "u1"]))


def _renamed(rng: random.Random, data: bytes) -> bytes:
    """One name in place of another of the same length: the same attribute twice."""
    pairs = [("model_c0nfig", "model_config"), ("weight_names", "model_config"), ("backend_abcd", "model_config")]
    pairs = [
        one
        for one in [*pairs, ("dense_1", "dense_0"), ("layer_1", "dense_0")]
        if all(name.encode() in data for name in one)
    ]
    if not pairs:
        return data
    old, new = rng.choice(pairs)
    places = [one.start() for one in re.finditer(re.escape(old.encode()), data)]
    place = rng.choice(places)
    return data[:place] + new.encode() + data[place + len(old) :]


def _copied(rng: random.Random, data: bytes) -> bytes:
    """A block of metadata over another."""
    size = rng.choice([8, 16, 24, 40, 96])
    first, second = (8 * rng.randrange(max(1, (len(data) - size) // 8)) for _ in range(2))
    return data[:second] + data[first : first + size] + data[second + size :]


def _readdressed(rng: random.Random, data: bytes) -> bytes:
    """One address in place of another."""
    held = bytearray(data)
    numbers = [struct.unpack_from("<Q", data, place)[0] for place in range(0, len(data) - 8, 8)]
    addresses = sorted({one for one in numbers if 0 < one < len(data) and one % 8 == 0})
    places = [8 * place for place, one in enumerate(numbers) if one in addresses]
    if places:
        struct.pack_into("<Q", held, rng.choice(places), rng.choice(addresses))
    return bytes(held)


def _retyped(rng: random.Random, data: bytes) -> bytes:
    """The type or the length of a header's message changed."""
    places = [one.start() for one in re.finditer(rb"[\x01-\x16]\x00[\x08-\x80]\x00[\x00-\x07]\x00\x00\x00", data)]
    if not places:
        return data
    place = rng.choice(places)
    held = bytearray(data)
    held[place + rng.choice([0, 0, 2, 4])] = rng.choice([0, 1, 2, 3, 6, 8, 12, 16, 17, 21, 24, 64])
    return bytes(held)


_CHANGES = (
    ("renamed", _renamed),
    ("renamed", _renamed),
    ("copied", _copied),
    ("readdressed", _readdressed),
    ("retyped", _retyped),
    ("bytes", mutated),
)
