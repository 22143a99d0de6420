"""What the answers of tools have in common: their size, and a track as a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from sfa_engine.agents.tools.text import clean

MAX_BYTES = 4000  # of an answer, as compact JSON
MAX_NAME = 80  # characters, where there are many names
MAX_REASONS, MAX_REASON = 3, 60

TrackNumber = Annotated[int, Meta(ge=1, le=1 << 40, description="the number of a track")]
Rows = Annotated[int, Meta(ge=1, le=40, description="at most so many")]

Answer = TypeVar("Answer", bound=Struct)


class TrackRow(Struct, frozen=True):
    """A track in a list.

    Attributes
    ----------
    id : int
    name : str
    bpm : float, optional
    key : str, optional
        ``A minor``.
    camelot : str, optional
        ``8A``.
    energy : float, optional
        0..1.
    length_s : float, optional
    score : float
        How well it fits what was asked for, 0..1.
    why : tuple of str
    """

    id: int
    name: str
    bpm: float | None = None
    key: str | None = None
    camelot: str | None = None
    energy: float | None = None
    length_s: float | None = None
    score: float = 1.0
    why: tuple[str, ...] = ()


def row_of(track: Mapping[str, Any]) -> TrackRow:
    """Return a track of the library's answers as a row."""
    return TrackRow(
        id=int(track["id"]),
        name=clean(track["name"], MAX_NAME),
        bpm=rounded(track["bpm"], 2),
        key=track["key"],
        camelot=track["camelot"],
        energy=rounded(track["energy"], 2),
        length_s=rounded(track["duration_s"], 1),
        score=round(float(track.get("score", 1.0)), 2),
        why=tuple(clean(each, MAX_REASON) for each in track.get("reasons", ())[:MAX_REASONS]),
    )


def rounded(value: float | None, digits: int) -> float | None:
    """Return a number with fewer digits; None stays."""
    return None if value is None else round(float(value), digits)


def fitted(answer: Answer, *lists: str) -> Answer:
    """Return an answer whose lists are shortened until it has `MAX_BYTES` at most.

    The longest list, by its bytes, is shortened first. ``left_out`` counts what was left out.

    Parameters
    ----------
    answer : Struct
        With an attribute ``left_out``.
    *lists : str
        Names of its tuples.
    """
    parts: dict[str, Sequence[Any]] = {name: getattr(answer, name) for name in lists}
    sizes = {name: [size_of(each) + 1 for each in part] for name, part in parts.items()}
    over = size_of(answer) - MAX_BYTES + 8  # a longer number of what is left out
    out = 0
    while over > 0 and any(sizes.values()):
        longest = max(sizes, key=lambda name: sum(sizes[name]))
        over -= sizes[longest].pop()
        out += 1
    if not out:
        return answer
    cut = {name: part[: len(sizes[name])] for name, part in parts.items()}
    return replace(answer, **cut, left_out=getattr(answer, "left_out", 0) + out)


def size_of(value: Any) -> int:
    """Return the number of bytes of a value as compact JSON."""
    return len(msgspec.json.encode(value))
