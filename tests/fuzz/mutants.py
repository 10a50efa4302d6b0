"""Damages a file: the same seed does the same damage."""

import random
from dataclasses import dataclass

AWKWARD = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
    b"PAR1",
]


@dataclass(frozen=True)
class Mutant:
    """A damaged file; `at` is where, and None where bytes moved or are missing."""

    data: bytes
    at: int | None


def mutant(data: bytes, seed: int) -> Mutant:
    """`data` with one piece of damage: mostly a flipped bit, which moves nothing."""
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    if chance.random() < 0.5:
        return Mutant(_with(data, at, bytes([data[at] ^ 1 << chance.randrange(8)])), at)
    end = min(len(data), at + chance.choice([1, 2, 4, 8, 64, 1000]))
    damage = chance.choice(["bytes", "awkward", "insert", "delete", "twice", "cut", "zeros"])
    if damage == "bytes":
        return Mutant(_with(data, at, bytes([chance.randrange(256)])), at)
    made = {
        "awkward": _with(data, at, chance.choice(AWKWARD)),
        "insert": data[:at] + chance.choice(AWKWARD) + data[at:],
        "delete": data[:at] + data[end:],
        "twice": data[:end] + data[at:],
        "cut": data[:at],
        "zeros": data[:at] + bytes(end - at) + data[end:],
    }
    return Mutant(made[damage], None)


def _with(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]
