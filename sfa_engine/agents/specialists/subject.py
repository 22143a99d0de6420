"""The track that a question is about, and how specialists word what they found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from sfa_engine.agents.contract import AgentName, Context, Evidence, Result
from sfa_engine.agents.tools.facts import KnownTrack
from sfa_engine.agents.tools.text import clean
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Refused
from sfa_engine.library.folding import fold
from sfa_engine.library.query import has_letters
from sfa_engine.system.timecode import clock

MAX_CANDIDATES = 5
_QUOTED = re.compile(r'["„“”«»]([^"„“”«»]{1,100})["„“”«»]')
# Words that are no part of a title where a question asks about a track by its name.
_ASKED = frozenset(
    re.findall(
        r"\w+",
        """
        a about all an analyse analysis analyze and any are at bass beat beatgrid best bpm can
        check clean clipping compression could cue cued cues do does drum drums eq everything fast
        find for from get give grid half has have her his hot hotcue hotcues how i in is isolate it
        its key know limiter limiting loop loops loud loudness lufs main many mark marker markers
        master mastering me my need number of on one out peak please point points propose put
        quality right section sections separate separation set show stem stems streaming structure
        suggest sure tell tempo that the there this to track true turn up use vocal vocals what
        when where which who will with would you your memory missing spotify youtube club radio
        artist album genre year long sing sings singing silent drop drops intro outro break breaks
        alles analysiere auf aus bitte das dem den der die diesem diesen dieser dieses drums du ein
        eine einen einer er es finde fur gesang gib habe hat ich im in ist isoliere kann korrigiere
        laut lautheit lied mache markiere mastere mein mich mir mit nummer oder pegel punkte raster
        richtig schlag schlage schlagzeug setze sie sind song stems stimme stimmen stuck stucks such
        takt titel tonart trenne uber und vom von vor was weisst welche welcher welches wie wo zeig
        zu zum zur lang lange jahr singt kunstler wann wer wieviel viel hort hat hatte
        """,
    )
)


async def subject(context: Context, bench: Workbench) -> int:
    """Return the number of the track that a question is about.

    It is that of the context; else the only one whose name has the words in quotes, or the words
    that are no part of a question.

    Raises
    ------
    Refused
        There is none, or there are several.
    """
    if context.track is not None:
        return bench.check_track(context.track)
    words = _QUOTED.findall(context.instruction) or [_rest(context.instruction)]
    return await named(bench, words[0])


async def named(bench: Workbench, words: str) -> int:
    """Return the number of the only track whose name has some words.

    Raises
    ------
    Refused
        There is none, or there are several.
    """
    found: list[Mapping[str, Any]] = []
    if has_letters(words):
        found = (
            await bench.call("library.search", words=_phrase(words), limit=MAX_CANDIDATES + 1)
        )["tracks"]
    if len(found) == 1:
        number = int(found[0]["id"])
        bench.tracks.add(number)
        return number
    if found:
        listed = ", ".join(f"{t['id']} {clean(t['name'], 60)}" for t in found[:MAX_CANDIDATES])
        more = " …" if len(found) > MAX_CANDIDATES else ""
        raise Refused(f"several tracks may be meant: {listed}{more}", "name one by its number")
    raise Refused("it is not clear which track is meant", 'name it by its number, as in "track 12"')


async def of_playlist(text: str, bench: Workbench) -> list[int]:
    """Return the tracks of the playlist that an instruction names; none if it names none."""
    if "list" not in text.lower():
        return []
    there = (await bench.call("library.playlists"))["playlists"]
    folded = f" {fold(text)} "
    fitting = [each["name"] for each in there if f" {fold(each['name'])} " in folded]
    if not fitting:
        return []
    found = await bench.call("library.playlist", name=max(fitting, key=len))
    numbers = list(dict.fromkeys(int(each["id"]) for each in found["entries"]))
    bench.tracks.update(numbers)
    return numbers


def _rest(instruction: str) -> str:
    """Return the words of an instruction that may be a name."""
    words = re.findall(r"[\w'\u2019]+", clean(instruction, 400))
    return " ".join(word for word in words if fold(word) not in _ASKED and not word.isdigit())


def _phrase(words: str) -> str:
    """Return words for a search, so that none of them is an operator."""
    return " ".join(f'"{word}"' for word in words.replace('"', " ").split())


# ---------------------------------------------------------------------- words


def heading(facts: KnownTrack) -> str:
    """Return a track in a line: name, tempo, key, length."""
    parts = [
        "tempo not known" if facts.bpm is None else f"{facts.bpm:.1f} BPM",
        "key not known" if facts.key is None else f"{facts.camelot} ({facts.key})",
    ]
    if facts.length_s is not None:
        parts.append(clock(facts.length_s, 0))
    return f"{facts.name}: {', '.join(parts)}."


def listing(parts: Sequence[str], last: str = "and") -> str:
    """Return parts as ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(text: str) -> str:
    """Return words as a sentence: a capital at its beginning, a full stop at its end."""
    ending = "" if text.endswith((".", "!", "?")) else "."
    return f"{text[:1].upper()}{text[1:]}{ending}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 track``, ``2 tracks``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def result(
    agent: AgentName,
    said: Iterable[str],
    data: Struct,
    bench: Workbench,
    *,
    evidence: Sequence[Evidence] = (),
    tracks: Sequence[int] = (),
    questions: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Result:
    """Return an answer by rules, with what was proposed on the workbench."""
    return Result(
        output="\n".join(filter(None, said)),
        data=msgspec.to_builtins(data),
        agent=agent,
        evidence=tuple(evidence),
        proposals=tuple(bench.proposals),
        tracks=tuple(dict.fromkeys(tracks)),
        questions=tuple(questions),
        notes=tuple(notes),
    )
