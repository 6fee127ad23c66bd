"""Changes of bytes that know nothing of what they mean."""

from __future__ import annotations

import random
import struct

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one to four changes."""
    held = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not held:
            return rng.randbytes(rng.randrange(20))
        _change(rng, held)
    return bytes(held)


def _change(rng: random.Random, held: bytearray) -> None:
    place, way = rng.randrange(len(held)), rng.randrange(9)
    span = rng.choice([1, 1, 2, 4, 8, 30])
    if way == 0:
        held[place] ^= 1 << rng.randrange(8)
    elif way == 1:
        held[place] = rng.randrange(256)
    elif way == 2:
        del held[place : place + span]
    elif way == 3:
        held[place:place] = rng.randbytes(span)
    elif way == 4:
        held[place:place] = held[place : place + span]
    elif way == 5:
        other = rng.randrange(len(held))
        held[place : place + span] = held[other : other + span]
    elif way == 6 and rng.random() < 0.3:
        del held[place:]
    else:
        form = rng.choice(["<B", "<H", "<I", "<Q", ">I"])
        size = struct.calcsize(form)
        number = rng.choice(_INTERESTING) & (1 << 8 * size) - 1
        if rng.random() < 0.4 and place + size <= len(held):
            number = (struct.unpack_from(form, held, place)[0] + rng.choice([-1, 1, 2, -8, 8])) % (1 << 8 * size)
        held[place : place + size] = struct.pack(form, number)
