"""Search: a parsed query as SQL, with full-text search for its words.

`sfa_engine.library.query` defines the language. All functions take a connection of `Database`.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

from sfa_engine.errors import Absent, Refused
from sfa_engine.library import playlists
from sfa_engine.library.database import Connection, row, rows
from sfa_engine.library.folding import fold
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.query import (
    MAX_TEXT,
    Choice,
    Keys,
    Query,
    Sort,
    Span,
    Symbols,
    Term,
    Words,
    parse_query,
)
from sfa_engine.library.track import CHECK_GRID, GRID_BY_HAND, PREVIEW, Track
from sfa_engine.library.tracks import by_uuid, get, listed

MAX_RESULTS = 1000
MAX_CANDIDATES = 5  # in an error

_COLUMNS = {
    "bpm": "bpm", "energy": "energy", "year": "year", "duration": "duration_s",
    "rating": "rating", "plays": "play_count", "added": "added_at", "played": "played_at",
}  # fmt: skip
_AGES = {"added", "played"}
_NAMES = {"artist", "title", "album"}
# Sorted highest first by default; unknown values come last either way.
_DESCENDING = {"rating", "plays", "added", "played"}
# The title counts most; a lower bm25 is better.
_BEST = "bm25(track_words, 4.0, 3.0, 1.5, 1.0, 0.5), "
_BY_NAME = "tracks.artist COLLATE NOCASE, tracks.title COLLATE NOCASE, tracks.id"
# Plain words do not match comments: "not the Orbital remix" is not a track of Orbital.
_ANYWHERE = "{title artist album genre}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Condition = tuple[str, list[Any]]


async def search(
    connection: Connection,
    text: str,
    *,
    limit: int = 100,
    offset: int = 0,
    within: str = EVERYTHING,
) -> list[Track]:
    """Return the tracks of a query.

    Parameters
    ----------
    connection : Connection
    text : str
        As `query.parse_query` reads it; empty: all tracks.
    limit, offset : int
        Page of the results, of at most 1000.
    within : str
        A condition on rows of `tracks`, see `ownership`.

    Returns
    -------
    list of Track
        Best match first if there are words, else by artist and title; without removed tracks.

    Raises
    ------
    Refused
        The query or the page is invalid, or there is no such playlist.
    """
    if not (1 <= limit <= MAX_RESULTS and 0 <= offset < 1 << 62):
        raise Refused(
            f"invalid page of {limit} results from {offset}", f"give a limit of 1 to {MAX_RESULTS}"
        )
    try:
        query = parse_query(text)
    except Refused:
        # A title may look like an operator: "Key: The Sequel".
        if exact := await _exact(connection, text, within):
            return exact[offset : offset + limit]
        raise
    sql, arguments = select(await with_playlists(connection, query), within=within)
    found = await rows(connection, f"{sql} LIMIT ? OFFSET ?", (*arguments, limit, offset))
    return await listed(connection, [track["id"] for track in found])


async def count(connection: Connection, text: str, within: str = EVERYTHING) -> int:
    """Return the number of tracks of a query."""
    try:
        query = parse_query(text)
    except Refused:
        if exact := await _exact(connection, text, within):
            return len(exact)
        raise
    sql, arguments = select(await with_playlists(connection, query), ordered=False, within=within)
    found = await row(connection, f"SELECT count(*) AS n FROM ({sql})", arguments)  # noqa: S608
    assert found is not None
    return int(found["n"])


async def numbers(connection: Connection, text: str, within: str = EVERYTHING) -> list[int]:
    """Return the numbers of all tracks of a query, in no order."""
    try:
        query = parse_query(text)
    except Refused:
        if exact := await _exact(connection, text, within):
            return [track.id for track in exact]
        raise
    sql, arguments = select(await with_playlists(connection, query), ordered=False, within=within)
    return [int(track["id"]) for track in await rows(connection, sql, arguments)]


async def ordered(connection: Connection, text: str, within: str = EVERYTHING) -> list[int]:
    """Return the numbers of all tracks of a query, in its order."""
    try:
        query = parse_query(text)
    except Refused:
        if exact := await _exact(connection, text, within):
            return [track.id for track in exact]
        raise
    sql, arguments = select(await with_playlists(connection, query), within=within)
    return [int(track["id"]) for track in await rows(connection, sql, arguments)]


async def find_one(connection: Connection, text: str, within: str = EVERYTHING) -> Track:
    """Return the one track that a text names.

    Parameters
    ----------
    connection : Connection
    text : str
        A number as ``#12``, a uuid, or a query. An exact title, or artist and title, has
        precedence over a number as ``12``, and that over tracks that have the words.
    within : str
        A condition on rows of `tracks`, see `ownership`: others are as if they were not there.

    Raises
    ------
    Absent
        It names no track.
    Refused
        It names several: the error lists them with their numbers.
    """
    text = text.strip()
    number = track_number(text)
    if number is not None and (text[0] == "#" or await _is_number(connection, text, within)):
        track = await get(connection, number, within)
        if track.deleted_at is not None:
            raise Refused(f'"{track.name}" was removed', "restore it first")
        return track
    if _UUID.fullmatch(text.lower()):
        named = await by_uuid(connection, text.lower(), within)
        found = [named] if named is not None and named.deleted_at is None else []
    else:
        found = await _exact(connection, text, within)
    if not found:
        if not parse_query(text).terms:
            raise Refused(f'"{text:.80}" names no track', "give a title, or artist and title")
        found = await search(connection, text, limit=200, within=within)
    if not found:
        hint = await _hint(connection, text, within)
        raise Absent(f'no track "{text:.80}" in the library', hint)
    exact = [track for track in found if _is_named(track, text)]
    candidates = exact or found
    if len(candidates) == 1:
        return candidates[0]
    names = "; ".join(f'"{track.name}" (#{track.id})' for track in candidates[:MAX_CANDIDATES])
    more = (
        f" and {len(candidates) - MAX_CANDIDATES} more" if len(candidates) > MAX_CANDIDATES else ""
    )
    raise Refused(f'"{text:.80}" may be {names}{more}', "add words, or give the number")


def track_number(text: str) -> int | None:
    """Return the number that ``12`` or ``#12`` is; None if it is none that SQLite holds."""
    found = re.fullmatch("#?([0-9]{1,18})", text.strip())
    return None if found is None else int(found[1])


async def _is_number(connection: Connection, text: str, within: str) -> bool:
    """Tell whether a text is a track's number, and no track's title."""
    found = await row(
        connection,
        f"SELECT 1 FROM tracks WHERE id = ? AND deleted_at IS NULL AND {within}",  # noqa: S608
        (int(text),),
    )
    return found is not None and not await _exact(connection, text, within)


async def is_found(connection: Connection, query: Query, within: str = EVERYTHING) -> bool:
    """Return whether a query has any track."""
    sql, arguments = select(query, ordered=False, within=within)
    return await row(connection, f"{sql} LIMIT 1", arguments) is not None


async def with_playlists(connection: Connection, query: Query) -> Query:
    """Return a query with the stored names of its playlists; Refused if one does not exist."""
    terms = [
        replace(term, word=(await playlists.find(connection, term.word)).name)
        if isinstance(term, Choice) and term.field == "playlist"
        else term
        for term in query.terms
    ]
    return replace(query, terms=tuple(terms))


async def _exact(connection: Connection, text: str, within: str) -> list[Track]:
    """Return the tracks whose title, or artist and title, is a text, ignoring case and accents.

    The text is not parsed as a query: a title may contain a colon, a dash or quotes.
    """
    folded = fold(text.strip())
    if not folded or len(folded) > MAX_TEXT:
        found = await rows(
            connection,
            f"SELECT id FROM tracks WHERE deleted_at IS NULL AND {within}"  # noqa: S608 - ours
            " AND ?1 IN (title, artist || ' ' || title, artist || ' - ' || title)"
            f" ORDER BY {_BY_NAME} LIMIT ?2",
            (text.strip(), MAX_RESULTS),
        )
        return await listed(connection, [track["id"] for track in found])
    every = " AND ".join(f'"{word}"' for word in dict.fromkeys(folded.split()))
    found = await rows(
        connection,
        "SELECT tracks.id FROM track_words AS w JOIN tracks ON tracks.id = w.rowid"  # noqa: S608 - a constant
        f" WHERE w.track_words MATCH ?1 AND tracks.deleted_at IS NULL AND {within}"
        " AND ?2 IN (w.title, w.artist || ' ' || w.title)"
        f" ORDER BY {_BY_NAME} LIMIT ?3",
        (f"{{title artist}} : ({every})", folded, MAX_RESULTS),
    )
    return await listed(connection, [track["id"] for track in found])


def select(query: Query, *, ordered: bool = True, within: str = EVERYTHING) -> Condition:
    """Return SQL for the ids of a query's tracks, and its arguments."""
    wanted = [t for t in query.terms if isinstance(t, Words) and not t.negated]
    sql = "SELECT tracks.id FROM tracks"
    conditions: list[Condition] = [("tracks.deleted_at IS NULL", [])]
    if within != EVERYTHING:
        conditions.append((within, []))
    if wanted:
        sql += " JOIN track_words ON track_words.rowid = tracks.id"
        match = " AND ".join(_match(words) for words in wanted)
        conditions.append(("track_words MATCH ?", [match]))
    conditions += [_condition(term) for term in query.terms if term not in wanted]
    sql += " WHERE " + " AND ".join(condition for condition, _ in conditions)
    if ordered:
        by = "".join(_sorted_by(sort) for sort in query.sorts)
        sql += f" ORDER BY {by}{_BEST if wanted else ''}{_BY_NAME}"
    return sql, [value for _, values in conditions for value in values]


def _sorted_by(sort: Sort) -> str:
    """Return a term of an ``ORDER BY``; unknown values come last."""
    if sort.field in _NAMES:
        column = f"tracks.{sort.field} COLLATE NOCASE"
        unknown = f"tracks.{sort.field} = ''"
    elif sort.field == "key":
        column = "CAST(tracks.camelot AS INTEGER)"  # 8A is 8
        unknown = "tracks.camelot IS NULL"
    else:
        column = f"tracks.{_COLUMNS[sort.field]}"
        unknown = f"{column} IS NULL"
    descending = (sort.field in _DESCENDING) is not sort.reverse
    return f"{unknown}, {column} {'DESC' if descending else 'ASC'}, "


def _match(words: Words) -> str:
    """Return words in FTS5's language; a bare word is a prefix."""
    field = words.field or _ANYWHERE
    return f'{field} : "{fold(words.text)}"' + ("" if words.is_phrase else " *")


def _condition(term: Term) -> Condition:
    if isinstance(term, Words):
        return (
            "tracks.id NOT IN (SELECT rowid FROM track_words WHERE track_words MATCH ?)",
            [_match(term)],
        )
    condition, values = _positive(term)
    # NULL is not a match: a track without a tempo is not within 120-128.
    is_negated = not isinstance(term, Symbols) and term.negated
    return (f"({condition}) IS NOT 1" if is_negated else f"({condition})"), values


def _positive(term: Span | Keys | Choice | Symbols) -> Condition:
    if isinstance(term, Symbols):
        has_it = " OR ".join(f"instr(tracks.{name}, ?)" for name in sorted(_NAMES))
        return has_it, [term.text] * len(_NAMES)
    if isinstance(term, Keys):
        return f"tracks.camelot IN ({', '.join('?' * len(term.codes))})", list(term.codes)
    if isinstance(term, Choice):
        return _choice(term)
    low, high, low_open, high_open = term.low, term.high, term.low_open, term.high_open
    column = _COLUMNS[term.field]
    if term.field in _AGES:  # a lower age is a later time
        now = time.time()
        low, high = (None if age is None else now - age for age in (high, low))
        low_open, high_open = high_open, low_open
    limits: list[Condition] = []
    if low is not None:
        limits.append((f"tracks.{column} {'>' if low_open else '>='} ?", [low]))
    if high is not None:
        limits.append((f"tracks.{column} {'<' if high_open else '<='} ?", [high]))
    return " AND ".join(c for c, _ in limits), [value for _, values in limits for value in values]


def _choice(term: Choice) -> Condition:
    if term.field == "state":
        return "tracks.state = ?", [term.word]
    if term.field == "color":
        there = "tracks.color <> ''"
        wanted = {"yes": there, "no": "tracks.color = ''"}.get(term.word)
        return (wanted, []) if wanted else ("tracks.color = ?", [term.word])
    if term.field == "playlist":
        there = (
            "tracks.id IN (SELECT e.track_id FROM playlist_entries AS e"
            " JOIN playlists AS p ON p.id = e.playlist_id WHERE p.name = ?)"
        )
        return there, [term.word]
    if term.field == "grid":
        there = "EXISTS (SELECT 1 FROM grids WHERE track_id = tracks.id)"
        return {"check": CHECK_GRID, "hand": GRID_BY_HAND, "no": f"NOT {there}"}[term.word], []
    if term.field == "cues":
        there = "EXISTS (SELECT 1 FROM cues WHERE track_id = tracks.id AND origin = 'hand')"
        return (there if term.word == "yes" else f"NOT {there}"), []
    if term.word == "preview":
        return PREVIEW, []
    if term.word in {"yes", "no"}:
        there = "EXISTS (SELECT 1 FROM stems WHERE track_id = tracks.id AND name <> 'mix')"
        return (there if term.word == "yes" else f"NOT {there}"), []
    return "EXISTS (SELECT 1 FROM stems WHERE track_id = tracks.id AND name = ?)", [term.word]


def _is_named(track: Track, text: str) -> bool:
    names = (track.title, track.name, f"{track.artist} {track.title}")
    return text.casefold() in {name.casefold() for name in names}


async def _hint(connection: Connection, text: str, within: str) -> str:
    """Return a hint with the best match for the words or their beginnings."""
    words = [term.text for term in parse_query(text).terms if isinstance(term, Words)]
    pieces = [word[:4] for word in fold(" ".join(words)).split()[:20]]
    match = " OR ".join(f'{_ANYWHERE} : "{piece}" *' for piece in pieces)
    if match:
        best = await row(
            connection,
            "SELECT tracks.id FROM tracks"  # noqa: S608 - constants
            " JOIN track_words ON track_words.rowid = tracks.id"
            f" WHERE track_words MATCH ? AND tracks.deleted_at IS NULL AND {within}"
            f" ORDER BY {_BEST}{_BY_NAME} LIMIT 1",
            (match,),
        )
        if best is not None:
            track = await get(connection, best["id"])
            return f'did you mean "{track.name}" (#{track.id})?'
    return "search for a part of its name"
