"""``library.search_words``, ``library.similar``, ``library.compatible``: search by what is meant.

::

    words ─► mix.words ─► Wanted ─┬─► SQL: operators, names, genres, who may see what
                                  └─► mix.rank: the rest, over columns that are kept in memory
    hits, a page of them ◄────────────┘   each with its reasons

The columns and vectors of 20,000 tracks take 20 MB, from the first search in words on, and are read
again when a track has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from sfa_engine.backstage.access import By, find, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.backstage.verbs.track_values import track_values
from sfa_engine.errors import Refused
from sfa_engine.library import search, sounds, tracks
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.ownership import EVERYTHING, View
from sfa_engine.library.query import Query, Sort, Term, has_letters, parse_query
from sfa_engine.library.track import Track
from sfa_engine.mix import rank, words
from sfa_engine.mix.shelf import Shelf, columns_of, merged, shelf_of
from sfa_engine.mix.similarity import Space
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION, Floats, Indices, Vectors
from sfa_engine.mix.vocabulary import FEELS, GENRES
from sfa_engine.mix.wanted import THIS, Wanted, checked
from sfa_engine.mix.words import Reading
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

GROWTH = 1.05  # of the library, after which its space is made anew
# Between two sums of times: a clock that was set back hides a change from "since", and shows here.
SAME_S = 0.5
Found = Annotated[int, Meta(ge=1, le=1000)]
TrackWord = Annotated[int | Text, Meta(description="the number of a track, or words")]
Tags = Callable[[str, Indices], Floats | None]


def no_tags(_genre: str, _ids: Indices) -> Floats | None:
    """Return no scores: genres are found in texts alone."""
    return None


class WordVerbs:
    """The verbs that search by what is meant.

    Parameters
    ----------
    context : PrepContext
    describer : Describer
    tags : callable, optional
        Returns how much of a genre each track is, 0..1 and NaN where that is not known, by the
        tracks' numbers, int64[n]; None if it knows nothing of the genre.
    """

    def __init__(self, context: PrepContext, describer: Describer, tags: Tags = no_tags) -> None:
        self._context = context
        self._describer = describer
        self._tags = tags
        self._library = _Library()

    @verb(scope="read", owned=True)
    async def library_search_words(
        self,
        words: Text,
        limit: Found = 100,
        offset: Count = 0,
        view: View = "combined",
        this: TrackWord | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Search in words, English or German: a page of the hits, best first, each with reasons.

        `this` is the track that "this one" is. ``query`` is what was understood, ``understood`` the
        same as a line, and ``notes`` say what was not done.
        """
        reading, problem = _read(words)
        if reading is None or reading.wanted.is_plain:
            found = await self._plain(words, reading, limit, offset, visible(actor, view), actor)
            if found is not None:
                return found
            if problem is not None:
                raise problem
        assert reading is not None
        return await self._search(reading, words, limit, offset, view, this, actor)

    @verb(scope="read", owned=True)
    async def library_similar(
        self,
        track: TrackWord,
        limit: Found = 20,
        offset: Count = 0,
        view: View = "combined",
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return the tracks that sound most like one, closest first, each with its reasons."""
        wanted = Reading(checked({"like": THIS}), ())
        return await self._search(wanted, "", limit, offset, view, track, actor)

    @verb(scope="read", owned=True)
    async def library_compatible(
        self,
        track: TrackWord,
        limit: Found = 20,
        offset: Count = 0,
        view: View = "combined",
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return the tracks that a track can be mixed with, best first, each with its reasons.

        Their tempo comes within 6 %, as it is or halved or doubled; the key is at most a step away
        on the wheel, and the energy at most 0.2.
        """
        wanted = Reading(checked({"goes_with": THIS}), ())
        return await self._search(wanted, "", limit, offset, view, track, actor)

    # ------------------------------------------------------------------ plain words

    async def _plain(
        self, text: str, reading: Reading | None, limit: int, offset: int, within: str, actor: Actor
    ) -> dict[str, Any] | None:
        """Search names and operators as ``library.search`` does; None: it finds nothing, or cannot.

        A title may look like a sentence, and words without a meaning be the name of a band.
        """
        async with self._context.database.reading() as connection:
            try:
                count = await search.count(connection, text, within) if text.strip() else 0
            except Refused:
                if reading is not None:
                    raise
                return None
            if not count:
                return None
            found = await search.search(connection, text, limit=limit, offset=offset, within=within)
        wanted = reading.wanted if reading else Wanted()
        listed = ({**track_values(self._context, t, actor), "score": 1.0, "reasons": []}
                  for t in found)  # fmt: skip
        return {
            "count": count,
            "tracks": fit_in_frame(listed),
            "query": msgspec.to_builtins(wanted),
            "understood": "",
            "notes": [],
        }

    # ------------------------------------------------------------------ what is meant

    async def _search(
        self,
        reading: Reading,
        text: str,
        limit: int,
        offset: int,
        view: View,
        this: TrackWord | None,
        actor: Actor,
    ) -> dict[str, Any]:
        wanted, within = reading.wanted, visible(actor, view)
        named = await self._named(wanted, this, actor)
        needs_sound = _needs_sound(wanted)
        for track in named.values() if needs_sound else ():
            await self._describer.ensure(track.id)
        async with self._context.database.reading() as connection:
            shelf = await self._library.shelf(connection)
            notes, query = await self._hard(connection, wanted, within)
            everything = within == EVERYTHING
            shown = None if everything else await sounds.seen(connection, within)
            has_terms = bool(query.terms)
            hard = await sounds.matching(connection, query, within) if has_terms else None
            order = await _sorted(connection, query, within) if query.sorts else None
            genres = await self._genres(connection, shelf, wanted, notes)
            first = await _literal(connection, shelf, wanted, text)
            waiting = self._library.waiting if needs_sound else 0
        if waiting:
            self._describer.wake()
            notes.append(f"{waiting} analysed before are not described yet: search again soon")
        everywhere = np.ones(len(shelf.ids), bool)
        hits = await asyncio.to_thread(
            rank.rank,
            shelf,
            wanted,
            visible=everywhere if shown is None else shelf.mask(shown),
            candidates=everywhere if hard is None else shelf.mask(hard),
            named={name: _place(shelf, track) for name, track in named.items()},
            genres=genres,
            first=first,
            order=order,
        )
        count = min(len(hits.rows), wanted.limit or len(hits.rows))
        page = hits.rows[offset : min(offset + limit, count)]
        async with self._context.database.reading() as connection:
            found = await tracks.listed(connection, [int(n) for n in shelf.ids[page]], within)
        at = {
            int(shelf.ids[row]): (int(row), hits.scores[offset + i]) for i, row in enumerate(page)
        }
        listed = (
            {
                **track_values(self._context, track, actor),
                "score": round(float(at[track.id][1]), 4),
                "reasons": hits.reasons(at[track.id][0]),
            }
            for track in found
            if track.deleted_at is None
        )
        names = {name: track.name for name, track in named.items()}
        return {
            "count": count,
            "tracks": fit_in_frame(listed),
            "query": msgspec.to_builtins(wanted),
            "understood": rank.described(wanted, names, reading.unknown),
            "notes": [*notes, *hits.notes],
        }

    async def _named(
        self, wanted: Wanted, this: TrackWord | None, actor: Actor
    ) -> dict[str, Track]:
        """Return the tracks that a search names.

        Raises
        ------
        Absent
            The sender sees no such track.
        Refused
            It may be several, or "this" is none.
        """
        found = {}
        async with self._context.database.reading() as connection:
            for name in wanted.tracks():
                words: int | str = name
                if name == THIS:
                    if this is None:
                        raise Refused(
                            '"this" names no track here', "give its number, as in goes with 12"
                        )
                    words = this
                elif number := search.track_number(name):
                    words = number
                found[name] = await find(connection, actor, words)
        return found

    async def _hard(
        self, connection: Connection, wanted: Wanted, within: str
    ) -> tuple[list[str], Query]:
        """Return the hard parts as a query; a word that no name has is left out, with a note."""
        notes: list[str] = []
        terms: list[Term] = []
        sorts: list[Sort] = []
        for each in wanted.where:
            parsed = await search.with_playlists(connection, parse_query(each))
            terms += parsed.terms
            sorts += parsed.sorts
        for word in wanted.text:
            if not has_letters(word):
                continue
            parsed = parse_query(word)
            if not wanted.is_plain and not await search.is_found(connection, parsed, within):
                notes.append(f"{_quoted(word)} was not understood, and is in no name: left out")
                continue
            terms += parsed.terms
        return notes, Query(tuple(terms), tuple(sorts))

    async def _genres(
        self, connection: Connection, shelf: Shelf, wanted: Wanted, notes: list[str]
    ) -> dict[str, rank.GenreHits]:
        """Return where genres are; one that no track has is left out, with a note."""
        found = {}
        for name in wanted.genres:
            phrases = [name, *filter(None, map(str.strip, GENRES[name].split(",")))]
            genre, title = await sounds.with_phrases(connection, phrases)
            hits = rank.GenreHits(shelf.mask(genre), shelf.mask(title), self._tags(name, shelf.ids))
            if hits.genre.any() or hits.name.any() or hits.tags is not None:
                found[name] = hits
            else:
                notes.append(f'no track has the genre "{name}": left out')
        return found


class _Library:
    """The shelf of a library, kept until a track changes.

    Attributes
    ----------
    waiting : int
        Tracks that were analysed and are not described yet.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._reset()

    def _reset(self) -> None:
        self.waiting = 0
        self._sounds = sounds.Sounds(VERSION, VECTOR, len(MEASURES))
        self._state: tuple[float, float, float] | None = None
        self._ids: Indices = np.zeros(0, np.int64)
        self._columns: Mapping[str, Floats] = {}
        self._space: Space | None = None
        self._placed: Vectors = np.zeros((0, VECTOR), np.float32)
        self._shelf: Shelf | None = None

    async def shelf(self, connection: Connection) -> Shelf:
        """Return the shelf as the database is now."""
        async with self._turn:
            try:
                return await self._updated(connection)
            except BaseException:  # a half of an update, of a request that was cancelled
                self._reset()
                raise

    async def _updated(self, connection: Connection) -> Shelf:
        kept = await self._sounds.update(connection)
        state = await sounds.state_of(connection)
        if self._shelf is not None and state == self._state and kept is None:
            return self._shelf
        before = self._ids
        if state != self._state:
            await self._read_columns(connection, state)
        self.waiting = await sounds.count_missing(connection, VERSION)
        has_same = kept is None and np.array_equal(before, self._ids)
        made = await asyncio.to_thread(self._made, kept, has_same=has_same)
        self._space, self._placed, self._shelf = made
        self._state = state
        return self._shelf

    async def _read_columns(
        self, connection: Connection, state: tuple[float, float, float]
    ) -> None:
        """Read what has changed; everything if that does not add up to the state."""
        if self._state is not None and len(self._ids):
            newest = float(self._columns["changed"].max())
            table = await sounds.columns(connection, newest)
            ids, columns = merged(self._ids, self._columns, *columns_of(table))
            sums = len(ids), columns["changed"].sum(), columns["plays"].sum()
            if np.allclose(sums, state, rtol=0.0, atol=SAME_S):
                self._ids, self._columns = ids, columns
                return
        table = await sounds.columns(connection)
        self._ids, self._columns = await asyncio.to_thread(columns_of, table)

    def _made(
        self, kept: NDArray[np.bool_] | None, *, has_same: bool
    ) -> tuple[Space, Vectors, Shelf]:
        """Return space, placed vectors and shelf; those of before if no track or sound is new."""
        there, space, placed, shelf = self._sounds, self._space, self._placed, self._shelf
        if has_same and shelf is not None and space is not None:
            numbers = {**shelf.numbers, **self._columns}
            return space, placed, replace(shelf, numbers=numbers, kept_shares={})
        if space is None or len(there.ids) > GROWTH * space.count:
            space = Space.of(there.vectors)
            placed = space.place(there.vectors)
        elif kept is not None:
            placed = np.concatenate([placed[kept], space.place(there.vectors[kept.sum() :])])
        shelf = shelf_of(self._ids, self._columns, there.ids, placed, there.measured)
        return space, placed, shelf


def _read(text: str) -> tuple[Reading | None, Refused | None]:
    try:
        return words.read(text), None
    except Refused as problem:
        if len(text) > words.MAX_WORDS_TEXT:
            raise
        return None, problem


def _needs_sound(wanted: Wanted) -> bool:
    measured = any(name in MEASURES for feel in wanted.feel for name in FEELS[feel.name])
    return bool(wanted.like or wanted.goes_with or measured)


def _place(shelf: Shelf, track: Track) -> rank.Named:
    row = shelf.row(track.id)
    if row is None:
        raise Refused(f'"{track.name}" was removed', "restore it first")
    return rank.Named(row, track.name)


async def _sorted(connection: Connection, query: Query, within: str) -> Indices:
    """Return the numbers of a query's tracks in the order of its ``sort:``."""
    sql, arguments = search.select(query, within=within)
    return np.array([each["id"] for each in await rows(connection, sql, arguments)], np.int64)


async def _literal(
    connection: Connection, shelf: Shelf, wanted: Wanted, text: str
) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Return which names have all words of a text; None if it is more than words."""
    if not text or wanted.where or wanted.bpm or wanted.tracks() or not has_letters(text):
        return None
    return shelf.mask(await sounds.named(connection, text))


def _quoted(word: str) -> str:
    inner = word.strip('"')
    return f'"{inner:.40}"'
