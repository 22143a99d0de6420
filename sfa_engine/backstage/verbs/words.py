"""``library.search_words``, ``library.similar``, ``library.compatible``: search by what is meant.

::

    words ─► mix.words ─► Wanted ─┬─► SQL: operators, names, genres, who may see what
                                  └─► mix.rank: the rest, over columns that are kept in memory
    hits, a page of them ◄────────────┘   each with its reasons

The columns and vectors are those of `kept_shelf`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from sfa_engine.backstage.access import By, find, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.describer import Describer
from sfa_engine.backstage.kept_shelf import KeptShelf
from sfa_engine.backstage.verbs.listing import MAX_LISTED
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.backstage.verbs.track_values import track_values
from sfa_engine.errors import Refused
from sfa_engine.library import search, sounds, tracks
from sfa_engine.library.database import Connection, rows
from sfa_engine.library.ownership import EVERYTHING, View
from sfa_engine.library.query import Query, Sort, Term, has_letters, parse_query
from sfa_engine.library.track import Track
from sfa_engine.mix import rank, words
from sfa_engine.mix.rank import Mask
from sfa_engine.mix.shelf import Shelf
from sfa_engine.mix.sound import MEASURES, Indices
from sfa_engine.mix.vocabulary import FEELS, GENRES, TAG_WORDS
from sfa_engine.mix.wanted import THIS, Wanted, checked
from sfa_engine.mix.words import Reading
from sfa_engine.track.sound_tags import TAGS
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

Found = Annotated[int, Meta(ge=1, le=1000)]
TrackWord = Annotated[int | Text, Meta(description="the number of a track, or words")]
MAX_REASONS = 500  # hits of a list of numbers that have their reasons: 50 kB of an answer of 2 MB


@dataclass(frozen=True)
class _Ranked:
    """The hits of a search in words.

    Parameters
    ----------
    shelf : Shelf
    rows : int64[hits]
        Of the shelf, best first, as many as the words ask for.
    hits : Hits
    named : dict of str to Track
        Tracks that the words name.
    notes : list of str
        What was not done.
    """

    shelf: Shelf
    rows: Indices
    hits: rank.Hits
    named: Mapping[str, Track]
    notes: list[str]

    def understood(self, reading: Reading) -> str:
        """Return what was understood, as a line."""
        names = {name: track.name for name, track in self.named.items()}
        return rank.described(reading.wanted, names, reading.unknown)


class WordVerbs:
    """The verbs that search by what is meant.

    Parameters
    ----------
    context : PrepContext
    describer : Describer
    shelf : KeptShelf, optional
        Shared with others; without it one of its own.
    """

    def __init__(
        self, context: PrepContext, describer: Describer, *, shelf: KeptShelf | None = None
    ) -> None:
        self._context = context
        self._describer = describer
        self._shelf = shelf or KeptShelf()

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
        within = visible(actor, view)
        reading, problem = _read(words)
        if problem is not None:
            # A title may look like a sentence, and words that ask for nothing be a band's name.
            found = (
                await self._plain([words], limit, offset, within, actor) if words.strip() else None
            )
            if found is None or not found["count"]:
                raise problem
            return found
        assert reading is not None
        if reading.is_plain:
            said = " ".join((*reading.wanted.where, *reading.wanted.text))
            found = await self._plain([words, said], limit, offset, within, actor, reading)
            assert found is not None
            return found
        return await self._search(reading, words, limit, offset, within, this, actor)

    @verb(scope="read", owned=True)
    async def library_numbers_words(
        self,
        words: Text,
        view: View = "combined",
        this: TrackWord | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return the numbers of all hits of a search in words, best first: the first 200,000.

        ``reasons`` are of the first 500; empty where the words are names and operators alone. All
        else is as in ``library.search_words``.
        """
        within = visible(actor, view)
        reading, problem = _read(words)
        if reading is None or reading.is_plain:
            texts = [words]
            if reading is not None:
                texts.append(" ".join((*reading.wanted.where, *reading.wanted.text)))
            numbers = await self._plain_numbers(texts, within, is_read=reading is not None)
            if problem is not None and not numbers:
                raise problem
            most = reading.wanted.limit if reading else None
            return _numbered(numbers[:most])
        assert reading is not None
        ranked = await self._ranked(reading, words, within, this, actor)
        return _numbered(
            ranked.shelf.ids[ranked.rows].tolist(),
            [ranked.hits.reasons(int(row)) for row in ranked.rows[:MAX_REASONS]],
            ranked.understood(reading),
            ranked.notes,
        )

    async def found(self, reading: Reading, limit: int, actor: Actor) -> dict[str, Any]:
        """Return what ``library.search_words`` does, for words that were read already."""
        return await self._search(reading, "", limit, 0, visible(actor), None, actor)

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
        return await self._search(wanted, "", limit, offset, visible(actor, view), track, actor)

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
        return await self._search(wanted, "", limit, offset, visible(actor, view), track, actor)

    # ------------------------------------------------------------------ plain words

    async def _plain(
        self,
        texts: Sequence[str],
        limit: int,
        offset: int,
        within: str,
        actor: Actor,
        reading: Reading | None = None,
    ) -> dict[str, Any] | None:
        """Search names and operators as ``library.search`` does, by the first text that has hits.

        None: there is no text that it can search by.
        """
        count, found = None, []
        refusals = () if reading else (Refused,)
        async with self._context.database.reading() as connection:
            for text in texts:
                with suppress(*refusals):
                    count = await search.count(connection, text, within)
                if count:
                    found = await search.search(
                        connection, text, limit=limit, offset=offset, within=within
                    )
                    break
        if count is None:
            return None
        wanted = reading.wanted if reading else Wanted()
        most = wanted.limit or count
        listed = (
            {**track_values(self._context, track, actor), "score": 1.0, "reasons": []}
            for track in found[: max(0, most - offset)]
        )
        return {
            "count": min(count, most),
            "tracks": fit_in_frame(listed),
            "query": msgspec.to_builtins(wanted),
            "understood": "",
            "notes": [],
        }

    async def _plain_numbers(
        self, texts: Sequence[str], within: str, *, is_read: bool
    ) -> list[int]:
        """Return the numbers of all tracks that names and operators find, as `_plain` does."""
        refusals = () if is_read else (Refused,)
        async with self._context.database.reading() as connection:
            for text in filter(str.strip, texts):
                with suppress(*refusals):
                    if found := await search.ordered(connection, text, within):
                        return found
        return []

    # ------------------------------------------------------------------ what is meant

    async def _search(
        self,
        reading: Reading,
        text: str,
        limit: int,
        offset: int,
        within: str,
        this: TrackWord | None,
        actor: Actor,
    ) -> dict[str, Any]:
        ranked = await self._ranked(reading, text, within, this, actor)
        page = ranked.rows[offset : offset + limit]
        ids = ranked.shelf.ids
        async with self._context.database.reading() as connection:
            found = await tracks.listed(connection, [int(n) for n in ids[page]], within)
        at = {
            int(ids[row]): (int(row), ranked.hits.scores[offset + i]) for i, row in enumerate(page)
        }
        listed = (
            {
                **track_values(self._context, track, actor),
                "score": round(float(at[track.id][1]), 4),
                "reasons": ranked.hits.reasons(at[track.id][0]),
            }
            for track in found
            if track.deleted_at is None
        )
        return {
            "count": len(ranked.rows),
            "tracks": fit_in_frame(listed),
            "query": msgspec.to_builtins(reading.wanted),
            "understood": ranked.understood(reading),
            "notes": ranked.notes,
        }

    async def _ranked(
        self,
        reading: Reading,
        text: str,
        within: str,
        this: TrackWord | None,
        actor: Actor,
    ) -> _Ranked:
        """Return the hits of words, best first."""
        wanted = reading.wanted
        named = await self._named(wanted, this, actor)
        needs_sound = _needs_sound(wanted)
        for track in named.values() if needs_sound else ():
            await self._describer.ensure(track.id)
        shelf = await self._shelf.get(self._context.database)
        visible_rows: Mask = np.ones(len(shelf.ids), bool)
        candidates: Mask | None = None
        order: Indices | None = None
        async with self._context.database.reading() as connection:
            if within != EVERYTHING:
                visible_rows = shelf.mask(await sounds.seen(connection, within))
            notes, query = await self._hard(connection, wanted, within)
            if query.terms:
                candidates = shelf.mask(await sounds.matching(connection, query, within))
            if query.sorts or wanted.is_plain:  # nothing to score by
                order = await _sorted(connection, query, within)
            genres = await self._genres(connection, shelf, wanted, visible_rows, notes)
            tags = await self._tagged(connection, shelf, wanted, visible_rows, notes)
            first = None if reading.typed else await _literal(connection, shelf, wanted, text)
        if needs_sound and self._shelf.waiting:
            self._describer.wake()
            notes.append("tracks that were analysed before are being described: search again soon")
        hits = await asyncio.to_thread(
            rank.rank,
            shelf,
            wanted,
            visible=visible_rows,
            candidates=candidates,
            named={name: _place(shelf, track) for name, track in named.items()},
            genres=genres,
            tags=tags,
            first=first,
            order=order,
        )
        return _Ranked(shelf, hits.rows[: wanted.limit], hits, named, [*notes, *hits.notes])

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
        self,
        connection: Connection,
        shelf: Shelf,
        wanted: Wanted,
        visible_rows: Mask,
        notes: list[str],
    ) -> dict[str, rank.GenreHits]:
        """Return where genres are; for one that no track has a wider one, or a note."""
        found = {}
        for asked in wanted.genres:
            wider = asked.rpartition(" ")[2]  # hard techno is techno
            for name in dict.fromkeys((asked, wider)):
                hits = await self._genre(connection, shelf, name, visible_rows)
                if hits is not None:
                    found[name] = hits
                    break
            else:
                name = ""
            if name != asked:
                instead = f"searched for {name}" if name else "left out"
                notes.append(f'no track has the genre "{asked}": {instead}')
        return found

    async def _genre(
        self, connection: Connection, shelf: Shelf, name: str, visible_rows: Mask
    ) -> rank.GenreHits | None:
        """Return where a genre or a tag is; None if there is no such one, or no track has it."""
        spellings = GENRES.get(name, TAG_WORDS.get(name))
        if spellings is None:
            return None
        phrases = [name, *filter(None, map(str.strip, spellings.split(",")))]
        numbers = await sounds.with_phrases(connection, phrases)
        genre, title = (shelf.mask(each) & visible_rows for each in numbers)
        tags = shelf.tag(name) if name in TAGS else None
        has_tag = tags is not None and not np.isnan(rank.tag_scores(tags, visible_rows)).all()
        if not genre.any() and not title.any() and not has_tag:
            return None
        return rank.GenreHits(genre, title, tags)

    async def _tagged(
        self,
        connection: Connection,
        shelf: Shelf,
        wanted: Wanted,
        visible_rows: Mask,
        notes: list[str],
    ) -> dict[str, rank.GenreHits]:
        """Return where tags are; a note for one that no track has."""
        found = {}
        for name in wanted.tags:
            hits = await self._genre(connection, shelf, name, visible_rows)
            if hits is None:
                notes.append(f'no track has the tag "{name}", nor the word in its name: left out')
            else:
                found[name] = hits
        return found


def _numbered(
    numbers: Sequence[int],
    reasons: Sequence[list[str]] = (),
    understood: str = "",
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the answer of ``library.numbers_words``."""
    return {
        "count": len(numbers),
        "tracks": list(numbers[:MAX_LISTED]),
        "reasons": list(reasons),
        "understood": understood,
        "notes": list(notes),
    }


def _read(text: str) -> tuple[Reading | None, Refused | None]:
    """Return what words are read as, or why they are refused."""
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


async def _literal(connection: Connection, shelf: Shelf, wanted: Wanted, text: str) -> Mask | None:
    """Return which names have all words of a text, as Blink-182; None if it names tracks."""
    if wanted.tracks() or not has_letters(text):
        return None
    return shelf.mask(await sounds.named(connection, text))


def _quoted(word: str) -> str:
    inner = word.strip('"')
    return f'"{inner:.40}"'
