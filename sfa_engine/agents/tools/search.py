"""Tools that find tracks: by words, by likeness, by what can be mixed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from sfa_engine.agents.tools.answer import Rows, TrackNumber, TrackRow, fitted, row_of
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench

MAX_NOTES = 6


class LibrarySearch(Struct, frozen=True, forbid_unknown_fields=True):
    """What `library_search` takes."""

    words: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=400,
            description='a search in words, as "dark techno around 126 that goes with 12"',
        ),
    ]
    this: Annotated[TrackNumber | None, Meta(description='the track that "this one" is, or null')]
    limit: Rows


class OneTrack(Struct, frozen=True, forbid_unknown_fields=True):
    """What `similar_tracks` and `compatible_tracks` take."""

    track: TrackNumber
    limit: Rows


class Found(Struct, frozen=True):
    """Tracks that were found.

    Attributes
    ----------
    count : int
        Of all hits.
    understood : str
        What the words were read as; empty for names alone.
    tracks : tuple of TrackRow
        The best ones.
    notes : tuple of str
        What was not done, and words that were not understood.
    left_out : int
        Rows that did not fit.
    others : tuple of int
        Numbers of these tracks, in order.
    """

    count: int
    understood: str
    tracks: tuple[TrackRow, ...]
    notes: tuple[str, ...] = ()
    left_out: int = 0
    others: tuple[int, ...] = ()


async def _search(bench: Workbench, params: LibrarySearch) -> Found:
    this = {} if params.this is None else {"this": bench.check_track(params.this)}
    found = await bench.call("library.search_words", words=params.words, limit=params.limit, **this)
    return _found(bench, found)


async def _similar(bench: Workbench, params: OneTrack) -> Found:
    track = bench.check_track(params.track)
    return _found(bench, await bench.call("library.similar", track=track, limit=params.limit))


async def _compatible(bench: Workbench, params: OneTrack) -> Found:
    track = bench.check_track(params.track)
    return _found(bench, await bench.call("library.compatible", track=track, limit=params.limit))


def _found(bench: Workbench, found: dict[str, Any]) -> Found:
    rows = tuple(row_of(each) for each in found["tracks"])
    numbers = tuple(row.id for row in rows)
    bench.tracks.update(numbers)
    answer = fitted(
        Found(
            count=found["count"],
            understood=clean(found["understood"]),
            tracks=rows,
            notes=tuple(clean(each) for each in found["notes"][:MAX_NOTES]),
            others=numbers,
        ),
        "tracks",
    )
    return replace(answer, others=numbers[len(answer.tracks) :])


LIBRARY_SEARCH = AgentTool(
    "library_search",
    "Search the library in words, English or German: genre, feeling, tempo, key, year, names.",
    LibrarySearch,
    Found,
    "read",
    is_read_only=True,
    run=_search,
)
SIMILAR_TRACKS = AgentTool(
    "similar_tracks",
    "Return the tracks that sound most like one, each with its reasons.",
    OneTrack,
    Found,
    "read",
    is_read_only=True,
    run=_similar,
)
COMPATIBLE_TRACKS = AgentTool(
    "compatible_tracks",
    "Return the tracks that one can be mixed with, by tempo, key, energy and sound.",
    OneTrack,
    Found,
    "read",
    is_read_only=True,
    run=_compatible,
)
