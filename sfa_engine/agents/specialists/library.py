"""Library: tracks by words, by likeness, by what goes with one; and playlists of them."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from sfa_engine.agents.contract import Context, Evidence, Result
from sfa_engine.agents.reference import names_several
from sfa_engine.agents.specialists.subject import count, result, sentence, subject
from sfa_engine.agents.tools.answer import TrackRow, row_of
from sfa_engine.agents.tools.proposals import (
    MAX_PLAYLIST,
    MAX_PLAYLIST_NAME,
    PROPOSE_PLAYLIST,
    PlaylistOf,
    PlaylistProposed,
)
from sfa_engine.agents.tools.search import (
    COMPATIBLE_TRACKS,
    LIBRARY_SEARCH,
    SIMILAR_TRACKS,
    Found,
    LibrarySearch,
    OneTrack,
)
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import AgentTool, Workbench
from sfa_engine.errors import Refused
from sfa_engine.library.folding import fold
from sfa_engine.mix.phrases import listed
from sfa_engine.mix.vocabulary import FILLERS
from sfa_engine.system.timecode import clock

SHOWN = 10
_PLAYLIST = re.compile(
    r"\b(?:make|create|build|save|put|mach|erstell|leg|bau|speicher)\w*\b.*\bplay ?list",
    re.IGNORECASE,
)
_PLAYLIST_NAME = re.compile(
    r"""\bplay ?list(?:e)?\s+(?:(?:called|named|namens)\s+(?:["„“”]([^"„“”]{1,80})["„“”]"""
    r"""|([\w-]+))|["„“”]([^"„“”]{1,80})["„“”])""",
    re.IGNORECASE,
)
# "a playlist of techno called warm up"
_NAME_LAST = re.compile(
    r"""\s(?:called|named|namens|mit dem namen)\s+["„“”]?([^"„“”]{1,80}?)["„“”]?\s*[.!]?\s*$""",
    re.IGNORECASE,
)
# What introduces a playlist; the rest is the search.
_MAKE = re.compile(
    r"\b(?:please |bitte )?(?:make|create|build|save|put together|mach\w*|erstell\w*|leg\w*|bau\w*"
    r"|speicher\w*)\b(?:\s+(?:me|mir|us|a|an|the|eine|einen|as|als|these|it))*\s+play ?liste?"
    r"(?:\s+(?:of|from|with|aus|von|mit))?(?:\s+(?:my|meine[nmrs]?))?",
    re.IGNORECASE,
)
# What asks for a search, or stands around one; the search itself knows fillers of its own.
_ASKING = re.compile(
    r"\b(?:search(?: (?:my|the) library)?(?: for)?|looking for|(?:ich )?suche?|recommend(?: me)?"
    r"|empfiehl(?: mir)?|empfehle?|show me everything|show me|zeig mir alles|zeige? mir|was ich"
    r"|do i have|have i got|have you got|got any|habe ich|hast du|gibt es|kennst du|in my library"
    r"|in meiner (?:bibliothek|sammlung)|in the library|for later(?: tonight)?|tonight|that i"
    r"|called|named|titled|namens|mit dem namen|by the name of|hei(?:ß|ss)(?:t|en)|everything"
    r"|etwas|irgendwas|anything|what(?:'s| is| are)|where(?:'s| is| are)"
    r"|wo ist|wo sind|got|please|bitte"
    r"|were released|was released|released|came out|erschienen"
    r"|how many|wie viele|is there|are there|song by|track by|more (?:of|from|by)"
    r"|(?:noch )?mehr von"
    r"|librar(?:y|ies)|bibliothek(?:en)?|sammlung|what can i|was kann ich|was k[oö]nnte ich)\b"
    r"|[?!]|[.,](?=\s|$)",
    re.IGNORECASE,
)
_SIMILAR = re.compile(
    r"\b(?:similar|[aä]hnlich\w*|sounds? like|more like|klingt wie)\b", re.IGNORECASE
)
_OF_KEY = re.compile(r"\bkeys?\b|\btonart", re.IGNORECASE)
_GOES_WITH = re.compile(
    r"\b(?:goes? (?:well )?with|fits?(?: with| to)?|passt zu|passen zu|passend zu"
    r"|play (?:after|next)|danach|mix(?:es)? with|compatible)\b",
    re.IGNORECASE,
)
_IN_YEAR = re.compile(r"\bin ((?:19|20)\d\d)\b", re.IGNORECASE)
_COUNTED = re.compile(r"\bhow many\b|\bwie viele\b|\bwhich librar|\bwelche biblioth", re.IGNORECASE)
_ARTIST = re.compile(
    r"\b(?:this|the same|same|that) (?:artist|dj|producer)\b"
    r"|\b(?:diese[mnrs]?|de[mrns] ?selben|vom selben) k[uü](?:e)?nstler",
    re.IGNORECASE,
)
ALL = "plays:>=0"  # each track
# With one of these the words say more than "similar" or "goes with", and are searched as a whole.
_MORE = re.compile(
    r"\bbut\b|\baber\b|\b(?:faster|slower|darker|brighter|schneller|langsamer|dunkler|heller)\b"
    r"|\b\d{2,3}\b.*\bbpm\b|\baround \d|\bum \d",
    re.IGNORECASE,
)


class LibraryAnswer(Struct, frozen=True):
    """What was searched for and found, and the playlist that is proposed.

    Attributes
    ----------
    words : str
        What was searched for; empty where a track was named alone.
    """

    words: str
    found: Found
    playlist: PlaylistProposed | None = None


async def answer(context: Context, bench: Workbench) -> Result:
    """Answer with tracks of the library."""
    text = context.instruction
    wants_playlist = bool(_PLAYLIST.search(text))
    words, tool, found = await _find(context, bench, wants_playlist=wants_playlist)
    playlist: PlaylistProposed | None = None
    if wants_playlist and (found.tracks or found.others):
        numbers = [*(row.id for row in found.tracks), *found.others]
        name = _name_of(text, words)
        playlist = await PROPOSE_PLAYLIST.use(bench, PlaylistOf(name, numbers))
    said = _words(found)
    if not found.tracks and context.track is not None:  # nothing was asked for but that one
        known = await _selected(replace(context, tracks=(context.track,)), bench)
        said += [_row(row) for row in known.tracks]
    if playlist is not None:
        verb = "to be appended to" if playlist.appends else "as"
        said.append(
            f'Proposed: {count(playlist.tracks, "track")} {verb} the playlist "{playlist.name}".'
        )
    evidence = [
        Evidence("; ".join(row.why) or row.name, tool.name, row.id) for row in found.tracks[:SHOWN]
    ]
    return result(
        "library",
        said,
        LibraryAnswer(words, found, playlist),
        bench,
        evidence=evidence,
        tracks=[*(row.id for row in found.tracks), *found.others],
        questions=_questions(found),
        notes=found.notes,
    )


async def _find(
    context: Context, bench: Workbench, *, wants_playlist: bool
) -> tuple[str, AgentTool, Found]:
    """Return what was searched for, by which tool, and what was found."""
    text, limit = context.instruction, 40 if wants_playlist else SHOWN
    if wants_playlist and names_several(text):
        return "", LIBRARY_SEARCH, await _selected(context, bench)
    is_simple = not _MORE.search(text) and not wants_playlist
    found: Found
    if is_simple and _SIMILAR.search(text):
        track = await subject(context, bench)
        if _OF_KEY.search(text):
            words = f"goes with {await _key(bench, track)}"
            found = await LIBRARY_SEARCH.use(bench, LibrarySearch(words, None, limit))
            return words, LIBRARY_SEARCH, found
        found = await SIMILAR_TRACKS.use(bench, OneTrack(track, limit))
        return "", SIMILAR_TRACKS, found
    if is_simple and _GOES_WITH.search(text) and context.track is not None:
        track = await subject(context, bench)
        found = await COMPATIBLE_TRACKS.use(bench, OneTrack(track, limit))
        return "", COMPATIBLE_TRACKS, found
    if not wants_playlist and re.search(r"\bplay ?list", text, re.IGNORECASE):
        return await _of_playlist(text, bench)
    if _ARTIST.search(text):
        words = f'artist:"{await _artist(bench, await subject(context, bench))}"'
        found = await LIBRARY_SEARCH.use(bench, LibrarySearch(words, None, limit))
        return words, LIBRARY_SEARCH, found
    words = ALL if _COUNTED.search(text) and not _left(text) else words_of(text)
    this = None if context.track is None else bench.check_track(context.track)
    found = await LIBRARY_SEARCH.use(bench, LibrarySearch(words, this, limit))
    return words, LIBRARY_SEARCH, found


async def _of_playlist(text: str, bench: Workbench) -> tuple[str, AgentTool, Found]:
    """Return the tracks of the playlist that is named, or the names of all."""
    there = (await bench.call("library.playlists"))["playlists"]
    folded = f" {fold(text)} "
    named = [each["name"] for each in there if f" {fold(each['name'])} " in folded]
    if named:
        name = max(named, key=len).replace('"', " ")
        words = f'playlist:"{name}"'
        found: Found = await LIBRARY_SEARCH.use(bench, LibrarySearch(words[:400], None, 40))
        return words, LIBRARY_SEARCH, found
    listed_names = [
        f"{clean(each['name'], 60)} ({count(each['tracks'], 'track')})" for each in there
    ]
    note = f"playlists: {', '.join(listed_names[:20])}" if there else "there are no playlists"
    return "", LIBRARY_SEARCH, Found(0, "", (), (note,))


async def _selected(context: Context, bench: Workbench) -> Found:
    """Return the tracks of a selection, or of the last answer, as if they had been found."""
    if not context.tracks:
        raise Refused("it is not clear which tracks are meant", "name them, or search first")
    numbers = [bench.check_track(track) for track in context.tracks[:MAX_PLAYLIST]]
    listed_rows = (await bench.call("library.rows", tracks=numbers))["tracks"]
    rows = tuple(
        row_of({**each, "name": " - ".join(filter(None, (each["artist"], each["title"])))})
        for each in listed_rows
    )
    return Found(len(rows), "", rows)


def words_of(instruction: str) -> str:
    """Return the words of an instruction that are to be searched for."""
    text = clean(instruction, 400)
    text = _PLAYLIST_NAME.sub(" playlist ", text)
    if _PLAYLIST.search(text):
        text = _NAME_LAST.sub(" ", text)
    text = _MAKE.sub(" ", text)
    text = _IN_YEAR.sub(r"from \1 to \1", text)
    parts = re.split(r'("[^"]*")', text)  # what is quoted stays as it is
    text = " ".join(part if at % 2 else _ASKING.sub(" ", part) for at, part in enumerate(parts))
    text = " ".join(text.split())
    return text or clean(instruction, 400)


def _left(instruction: str) -> str:
    """Return the words of a question that are no part of asking."""
    text = _ASKING.sub(" ", clean(instruction, 400))
    return " ".join(word for word in text.split() if fold(word) not in listed(FILLERS))


async def _artist(bench: Workbench, track: int) -> str:
    """Return the artist of a track, for a search in quotes; Refused if it has none."""
    row = (await bench.call("library.rows", tracks=[track]))["tracks"]
    artist = clean(row[0]["artist"]).replace('"', " ") if row else ""
    if not artist.strip():
        raise Refused(f"the artist of track {track} is not known", "edit its tags")
    return artist


async def _key(bench: Workbench, track: int) -> str:
    """Return the Camelot code of a track; Refused if it is not known."""
    row = (await bench.call("library.rows", tracks=[track]))["tracks"]
    if not row or row[0]["camelot"] is None:
        raise Refused(f"the key of track {track} is not known", "analyse it")
    return str(row[0]["camelot"])


def _name_of(text: str, words: str) -> str:
    found = _PLAYLIST_NAME.search(text) or _NAME_LAST.search(text)
    given = next(filter(None, found.groups()), "") if found else ""
    kept = " ".join(word for word in words.split() if fold(word) not in listed(FILLERS))
    return clean(given or kept, MAX_PLAYLIST_NAME) or "playlist"


def _words(found: Found) -> list[str]:
    if not found.tracks:
        is_list = any("playlists" in note for note in found.notes)
        said = [] if is_list else ["No track was found."]
    else:
        said = [f"{count(found.count, 'track')}{_of(found)}:"]
        said += [_row(row) for row in found.tracks[:SHOWN]]
        if found.count > SHOWN:
            said.append(f"… and {found.count - min(SHOWN, len(found.tracks))} more.")
    return said + [sentence(note) for note in found.notes]


def _of(found: Found) -> str:
    return f" ({found.understood})" if found.understood else ""


def _row(row: TrackRow) -> str:
    parts = [f"{row.bpm:.1f} BPM" if row.bpm is not None else "", row.camelot or ""]
    parts.append(clock(row.length_s, 0) if row.length_s is not None else "")
    why = f"; {'; '.join(row.why)}" if row.why else ""
    return f"{row.id} {row.name}: {', '.join(filter(None, parts))}{why}"


def _questions(found: Found) -> list[str]:
    if not found.tracks:
        return []
    first = found.tracks[0].id
    asked = [f"What goes with track {first}?"]
    if len(found.tracks) > 1:
        asked.insert(0, "Plan a mix of these tracks")
    return asked
