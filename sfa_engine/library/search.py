"""Tracks found by what somebody asks: the query as SQL, with full-text search where it has words.

`sfa_engine.library.query` says what may be asked. All functions take a connection that `Database`
lent.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

from sfa_engine.errors import Refused
from sfa_engine.library import playlists
from sfa_engine.library.database import Connection, row, rows
from sfa_engine.library.folding import fold
from sfa_engine.library.query import (
    MOST_TEXT,
    Choice,
    Keys,
    Query,
    Sort,
    Span,
    Term,
    Words,
    parse_query,
)
from sfa_engine.library.track import Track
from sfa_engine.library.tracks import by_uuid, get, listed

MOST_RESULTS = 1000
MOST_NAMED = 5  # candidates in an error

_COLUMNS = {
    "bpm": "bpm", "energy": "energy", "year": "year", "duration": "duration_s",
    "rating": "rating", "plays": "play_count", "added": "added_at", "played": "played_at",
}  # fmt: skip
_AGES = {"added", "played"}
_NAMES = {"artist", "title", "album"}
# Stars, plays and times come with the highest first; what is not known comes last either way.
_FALLING = {"rating", "plays", "added", "played"}
# The title counts most; bm25 is the lower the better.
_BEST = "bm25(track_words, 4.0, 3.0, 1.5, 1.0, 0.5), "
_BY_NAME = "tracks.artist COLLATE NOCASE, tracks.title COLLATE NOCASE, tracks.id"
# Plain words are not looked for in comments: "not the Orbital remix" is no track of Orbital's.
_ANYWHERE = "{title artist album genre}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Condition = tuple[str, list[Any]]


async def search(
    connection: Connection, text: str, *, limit: int = 100, offset: int = 0
) -> list[Track]:
    """Return the tracks that a query finds.

    Parameters
    ----------
    connection : Connection
    text : str
        As `query.parse_query` reads it; empty: all tracks.
    limit, offset : int
        Which part of the results, at most 1000 at once.

    Returns
    -------
    list of Track
        The best first if there are words, else by artist and title. None that was removed.

    Raises
    ------
    Refused
        The query, or the part, cannot be; or there is no such playlist.
    """
    if not (1 <= limit <= MOST_RESULTS and 0 <= offset < 1 << 62):
        raise Refused(f"results {offset} to {offset + limit}", f"ask for 1 to {MOST_RESULTS}")
    try:
        query = parse_query(text)
    except Refused:
        # A title may look like an operator: "Key: The Sequel".
        if exact := await _called(connection, text):
            return exact[offset : offset + limit]
        raise
    sql, arguments = select(await _known(connection, query))
    found = await rows(connection, f"{sql} LIMIT ? OFFSET ?", (*arguments, limit, offset))
    return await listed(connection, [track["id"] for track in found])


async def count(connection: Connection, text: str) -> int:
    """Return how many tracks a query finds."""
    try:
        query = parse_query(text)
    except Refused:
        if exact := await _called(connection, text):
            return len(exact)
        raise
    sql, arguments = select(await _known(connection, query), ordered=False)
    found = await row(connection, f"SELECT count(*) AS n FROM ({sql})", arguments)  # noqa: S608
    assert found is not None
    return int(found["n"])


async def find_one(connection: Connection, text: str) -> Track:
    """Return the one track that is meant.

    Parameters
    ----------
    connection : Connection
    text : str
        A number as ``#12``, a uuid, or a query; a track whose title, or artist and title, is
        exactly this comes before those that merely have the words.

    Raises
    ------
    Refused
        None is, or several may be: they are named, with their numbers.
    """
    text = text.strip()
    if re.fullmatch("#[0-9]{1,18}", text):
        track = await get(connection, int(text[1:]))
        if track.deleted_at is not None:
            raise Refused(f'"{track.name}" was removed', "restore it first")
        return track
    if _UUID.fullmatch(text.lower()):
        named = await by_uuid(connection, text.lower())
        found = [named] if named is not None and named.deleted_at is None else []
    else:
        found = await _called(connection, text)
    if not found:
        if not parse_query(text).terms:
            raise Refused(f'"{text:.80}" names no track', "give its title, or artist and title")
        found = await search(connection, text, limit=200)
    if not found:
        raise Refused(f'no track "{text:.80}" in the library', await _near(connection, text))
    exact = [track for track in found if _is_called(track, text)]
    some = exact or found
    if len(some) == 1:
        return some[0]
    names = "; ".join(f'"{track.name}" (#{track.id})' for track in some[:MOST_NAMED])
    more = f" and {len(some) - MOST_NAMED} more" if len(some) > MOST_NAMED else ""
    raise Refused(f'"{text:.80}" may be {names}{more}', "say more of it, or give the number")


async def _known(connection: Connection, query: Query) -> Query:
    """Return a query whose playlists are there, each by the name that it has."""
    terms = [
        replace(term, word=(await playlists.find(connection, term.word)).name)
        if isinstance(term, Choice) and term.field == "playlist"
        else term
        for term in query.terms
    ]
    return replace(query, terms=tuple(terms))


async def _called(connection: Connection, text: str) -> list[Track]:
    """Return the tracks whose title, or artist and title, is a text: capitals and accents aside.

    The text is not read as a query: a title may have a colon, a dash or quotes in it.
    """
    folded = fold(text.strip())
    if not folded or len(folded) > MOST_TEXT:
        found = await rows(
            connection,
            "SELECT id FROM tracks WHERE deleted_at IS NULL"  # noqa: S608 - a constant
            " AND ?1 IN (title, artist || ' ' || title, artist || ' - ' || title)"
            f" ORDER BY {_BY_NAME} LIMIT ?2",
            (text.strip(), MOST_RESULTS),
        )
        return await listed(connection, [track["id"] for track in found])
    every = " AND ".join(f'"{word}"' for word in dict.fromkeys(folded.split()))
    found = await rows(
        connection,
        "SELECT tracks.id FROM track_words AS w JOIN tracks ON tracks.id = w.rowid"  # noqa: S608 - a constant
        " WHERE w.track_words MATCH ?1 AND tracks.deleted_at IS NULL"
        " AND ?2 IN (w.title, w.artist || ' ' || w.title)"
        f" ORDER BY {_BY_NAME} LIMIT ?3",
        (f"{{title artist}} : ({every})", folded, MOST_RESULTS),
    )
    return await listed(connection, [track["id"] for track in found])


def select(query: Query, *, ordered: bool = True) -> Condition:
    """Return the SQL that finds the ids of a query's tracks, and its arguments."""
    wanted = [t for t in query.terms if isinstance(t, Words) and not t.negated]
    sql = "SELECT tracks.id FROM tracks"
    conditions: list[Condition] = [("tracks.deleted_at IS NULL", [])]
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
    """Return a part of an ``ORDER BY``; what is not known comes last."""
    if sort.field in _NAMES:
        column = f"tracks.{sort.field} COLLATE NOCASE"
        unknown = f"tracks.{sort.field} = ''"
    elif sort.field == "key":
        column = "CAST(tracks.camelot AS INTEGER)"  # 8A is 8
        unknown = "tracks.camelot IS NULL"
    else:
        column = f"tracks.{_COLUMNS[sort.field]}"
        unknown = f"{column} IS NULL"
    falls = (sort.field in _FALLING) is not sort.reverse
    return f"{unknown}, {column} {'DESC' if falls else 'ASC'}, "


def _match(words: Words) -> str:
    """Return words in FTS5's language; a bare word may be the beginning of one."""
    field = words.field or _ANYWHERE
    return f'{field} : "{fold(words.text)}"' + ("" if words.is_phrase else " *")


def _condition(term: Term) -> Condition:
    if isinstance(term, Words):
        return (
            "tracks.id NOT IN (SELECT rowid FROM track_words WHERE track_words MATCH ?)",
            [_match(term)],
        )
    condition, values = _positive(term)
    # What is not known is not so: a track without a tempo has none from 120 to 128.
    return (f"({condition}) IS NOT 1" if term.negated else condition), values


def _positive(term: Span | Keys | Choice) -> Condition:
    if isinstance(term, Keys):
        return f"tracks.camelot IN ({', '.join('?' * len(term.codes))})", list(term.codes)
    if isinstance(term, Choice):
        return _choice(term)
    low, high, low_open, high_open = term.low, term.high, term.low_open, term.high_open
    column = _COLUMNS[term.field]
    if term.field in _AGES:  # an age: the younger, the later
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
    if term.field == "colour":
        there = "tracks.color <> ''"
        wanted = {"yes": there, "no": "tracks.color = ''"}.get(term.word)
        return (wanted, []) if wanted else ("tracks.color = ?", [term.word])
    if term.field == "playlist":
        there = (
            "tracks.id IN (SELECT e.track_id FROM playlist_entries AS e"
            " JOIN playlists AS p ON p.id = e.playlist_id WHERE p.name = ?)"
        )
        return there, [term.word]
    if term.field == "cues":
        there = "EXISTS (SELECT 1 FROM cues WHERE track_id = tracks.id AND origin = 'hand')"
        return (there if term.word == "yes" else f"NOT {there}"), []
    if term.word in {"yes", "no"}:
        there = "EXISTS (SELECT 1 FROM stems WHERE track_id = tracks.id AND name <> 'mix')"
        return (there if term.word == "yes" else f"NOT {there}"), []
    return "EXISTS (SELECT 1 FROM stems WHERE track_id = tracks.id AND name = ?)", [term.word]


def _is_called(track: Track, text: str) -> bool:
    names = (track.title, track.name, f"{track.artist} {track.title}")
    return text.casefold() in {name.casefold() for name in names}


async def _near(connection: Connection, text: str) -> str:
    """Return a hint: the track that has most of the words, or their beginnings."""
    words = [term.text for term in parse_query(text).terms if isinstance(term, Words)]
    pieces = [word[:4] for word in fold(" ".join(words)).split()[:20]]
    match = " OR ".join(f'{_ANYWHERE} : "{piece}" *' for piece in pieces)
    if match:
        best = await row(
            connection,
            "SELECT tracks.id FROM tracks"  # noqa: S608 - constants
            " JOIN track_words ON track_words.rowid = tracks.id"
            " WHERE track_words MATCH ? AND tracks.deleted_at IS NULL"
            f" ORDER BY {_BEST}{_BY_NAME} LIMIT 1",
            (match,),
        )
        if best is not None:
            track = await get(connection, best["id"])
            return f'did you mean "{track.name}" (#{track.id})?'
    return "look what there is with a search"
