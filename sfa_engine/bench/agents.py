"""`sfa bench agents`: whether questions reach the right agent, and whether answers are true.

``routing``: sentences that the router was written or fitted to, and 100 that were only ever scored:
how many are right, and how many are right or asked back about.
``memory``: what questions leave in the memory of a backstage, see `agent_memory`.
``truth``: 60 questions over a made library; each answer is compared with what the library's tables
say, computed here by arithmetic of its own: no verb, no tool and no rule of the product is used.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import math
import sqlite3
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click
import numpy as np

from sfa_engine.agents import orchestrator
from sfa_engine.agents.contract import AgentName, Context, Result
from sfa_engine.agents.routing import MARGIN, route
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.core import Core
from sfa_engine.backstage.settings import Settings
from sfa_engine.bench.agent_library import LENGTH_S, Made, made_tracks, make_library
from sfa_engine.bench.agent_memory import bench_memory
from sfa_engine.bench.rig import Result as Row
from sfa_engine.bench.rig import chosen_of, result
from sfa_engine.cli import screen
from sfa_engine.errors import EngineError
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places

SENTENCES = Path(__file__).with_name("agent_sentences.toml")
QUESTIONS = Path(__file__).with_name("agent_questions.toml")
# The circle of fifths by pitch classes, for codes: each step is seven semitones.
_NOTES = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "Ab": 8, "G#": 8,
          "A": 9, "Bb": 10, "B": 11, "C#": 1}  # fmt: skip
_SAME_S = 0.5
Table = Mapping[int, Mapping[str, Any]]


def run_bench(*, only: tuple[str, ...], quiet: bool) -> list[Row]:
    """Run the requested parts, or all; return their results.

    Parameters
    ----------
    only : tuple of str
        Parts: routing, truth, memory; all if empty.
    quiet : bool
        No progress bar, and no list of what is wrong.
    """
    with screen.progress_bar("bench", quiet=quiet) as bar:
        parts: dict[str, Callable[[], tuple[list[Row], list[str]]]] = {
            "routing": bench_routing,
            "truth": lambda: bench_truth(bar),
            "memory": lambda: bench_memory(bar),
        }
        results: list[Row] = []
        wrong: list[str] = []
        for name in chosen_of(parts, only):
            bar(0.0, f"bench: {name}")
            rows, said = parts[name]()
            results += rows
            wrong += said
        bar(1.0, "bench")
    if not quiet:
        for each in wrong:
            click.echo(each, err=True)
    return results


# Lists of sentences, and what they are called in the results.
FRESH = "fresh"  # the one that nothing was fitted to
LISTS = {
    "routed_pct": "sentence",
    "routed_rest_pct": "rest",
    "routed_later_pct": "later",
    "routed_loose_pct": "loose",
    "routed_fresh_pct": FRESH,
}


def bench_routing() -> tuple[list[Row], list[str]]:
    """Route all lists of sentences; return the shares that are right, and those that are wrong."""
    rows, wrong = [], []
    sets = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    for name, key in LISTS.items():
        found = [(each["text"], agents_of(each), answering(each["text"])) for each in sets[key]]
        missed = [each for each in found if each[1] != each[2]]
        wrong += [f'"{text}": {" ".join(got)}, not {" ".join(due)}' for text, due, got in missed]
        rows.append(result(name, 100 * (1 - len(missed) / len(found)), "%", len(found)))
        if key == FRESH:
            asked = sum(due[0] in offered(text) for text, due, _ in missed if len(due) == 1)
            share = 1 - (len(missed) - asked) / len(found)
            rows.append(result("offered_fresh_pct", 100 * share, "%", len(found)))
    return rows, wrong


def offered(text: str) -> tuple[AgentName, ...]:
    """Return the agents that a sentence is asked back about; none where one is sure to be meant."""
    found = route(text)
    return found.rivals[: orchestrator.MAX_MEANT - 1] if found.margin < MARGIN else ()


def agents_of(sentence: Mapping[str, Any]) -> list[str]:
    """Return the agents that are right for a sentence; two where it asks for two things."""
    return list(sentence.get("agents", [sentence.get("agent")]))


def answering(text: str) -> list[str]:
    """Return the agents that answer a sentence, in turn."""
    return [agent for agent, _ in orchestrator.pipeline(text)] or [route(text).agent]


def bench_truth(bar: Callable[[float, str], None]) -> tuple[list[Row], list[str]]:
    """Ask all questions; return the share of true answers, and what is wrong of the others."""
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as folder:
        return asyncio.run(_asked(Path(folder), bar))


async def _asked(folder: Path, bar: Callable[[float, str], None]) -> tuple[list[Row], list[str]]:
    questions = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]
    settings = Settings(folder, folder / "tracks", folder / "models")
    wrong: list[str] = []
    took_ms: list[float] = []
    places = Places(settings.data, settings.bundles)
    async with await Database.open(places.database) as database:
        # Making it needs the database and the folders alone.
        needed: dict[str, Any] = dict.fromkeys(f.name for f in dataclasses.fields(PrepContext))
        await make_library(PrepContext(**needed | {"database": database, "places": places}))
    truth = Truth(places.database)
    async with Core.open(settings, folder / "runtime") as core:

        async def call(verb: str, **params: Any) -> Any:
            if verb not in core.verbs:
                raise EngineError(f"{verb}: no engine runs", "start it: `sfa start`")
            found = core.verbs[verb](**params)
            return await found if inspect.isawaitable(found) else found

        running = asyncio.create_task(core.run())
        try:
            for number, each in enumerate(questions, 1):
                bar(number / len(questions), f"bench: question {number} of {len(questions)}")
                context = Context(
                    each["text"], track=each.get("this"), tracks=tuple(each.get("tracks", ()))
                )
                found = await orchestrator.ask(context, Workbench(call))
                took_ms.append(found.latency_ms)
                if why := truth.wrong(each, found):
                    wrong.append(f'"{each["text"]}": {why}')
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    share = 100 * (1 - len(wrong) / len(questions))
    rows = [
        result("agents_truth_pct", share, "%", len(questions)),
        result("ask_ms", float(np.median(took_ms)), "ms", len(questions)),
    ]
    return rows, wrong


class Truth:
    """What the library's tables say.

    Parameters
    ----------
    database : pathlib.Path
        Of the library.
    """

    def __init__(self, database: Path) -> None:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.create_function("sfa_fold", 1, str)
            joined = (
                "SELECT tracks.*, analyses.confidence, analyses.sections, analyses.lufs,"
                " analyses.peak_dbtp FROM tracks JOIN analyses ON track_id = tracks.id"
            )
            self.tracks: Table = {row["id"]: dict(row) for row in connection.execute(joined)}
            self.cues = [dict(row) for row in connection.execute("SELECT * FROM cues")]
            self.stems = [dict(row) for row in connection.execute("SELECT * FROM stems")]
        self._database = database

    def wrong(self, question: Mapping[str, Any], found: Result) -> str:
        """Return what is wrong of an answer; empty if it is right."""
        check = getattr(self, f"_{question['check']}")
        try:
            said: Iterator[str] = check(question, found)
            return "; ".join(said)
        except (KeyError, IndexError, TypeError) as error:
            return f"no such data ({error!r:.60}): {found.output:.120}"

    # ------------------------------------------------------------------ one track

    def _bpm(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        bpm = self.tracks[question["track"]]["bpm"]
        yield from _differs("data", found.data["facts"]["bpm"], bpm, 0.005)
        yield from _lacks(found, f"{bpm:.1f} BPM")

    def _key(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        key = self.tracks[question["track"]]["key"]
        yield from _lacks(found, f"{_code(key)} ({key})")

    def _wheel(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        key = self.tracks[question["track"]]["key"]
        yield from _other_set(found.data["facts"]["neighbours"], _near_codes(_code(key)))

    def _section(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        sections = _sections(self.tracks[question["track"]])
        start_s = next(start for start, _, label in sections if label == question["label"])
        yield from _lacks(found, f"{question['label']} {_clock(start_s)}")

    def _doubt(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        confidence = self.tracks[question["track"]]["confidence"]
        flagged = any("grid is not sure" in each for each in found.data["facts"]["flags"])
        if flagged is not (confidence < 0.5):
            yield f"flagged: {flagged}, confidence {confidence}"
        yield from _lacks(found, f"{confidence:.2f}")

    def _energy(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        yield from _lacks(found, f"nergy {self.tracks[question['track']]['energy']:.2f}")

    # ------------------------------------------------------------------ lists

    def _search(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        expected = self._where(question["where"])
        if found.data["found"]["count"] != len(expected):
            yield f"{found.data['found']['count']} tracks, not {len(expected)}"
        if not set(found.tracks) <= expected or (len(expected) <= 10 < len(found.tracks)):
            yield f"found {sorted(found.tracks)}, not {sorted(expected)}"

    def _goes(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        this = self.tracks[question["track"]]
        expected = {
            number
            for number, each in self.tracks.items()
            if number != this["id"]
            and _is_mixable_tempo(this["bpm"], each["bpm"])
            and _code(each["key"]) in _near_codes(_code(this["key"]))
            and abs(each["energy"] - this["energy"]) <= 0.2 + 1e-9
        }
        if found.data["found"]["count"] != len(expected):
            yield f"{found.data['found']['count']} tracks, not {sorted(expected)}"
        if not set(found.tracks) <= expected:
            yield f"found {sorted(found.tracks)}, not {sorted(expected)}"

    def _inkey(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        near = _near_codes(_code(self.tracks[question["track"]]["key"]))
        expected = {n for n, each in self.tracks.items() if _code(each["key"]) in near}
        if not found.tracks or not set(found.tracks) <= expected:
            yield f"found {sorted(found.tracks)}, not {sorted(expected)}"
        others = {question["track"]}  # itself may be among them
        if found.data["found"]["count"] not in {len(expected), len(expected - others)}:
            yield f"{found.data['found']['count']} tracks, not {len(expected)}"

    def _playlist(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        (proposal,) = found.proposals
        yield from _other_set(proposal.tracks, self._where(question["where"]))
        if proposal.details["name"] != question["name"]:
            yield f'it is called "{proposal.details["name"]}"'

    # ------------------------------------------------------------------ cues

    def _cues(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        track = question["track"]
        there = [cue for cue in self.cues if cue["track_id"] == track]
        places = []
        for start_s, _, label in _sections(self.tracks[track]):
            if label in question["kinds"]:
                places.append(start_s)
        free = [
            place
            for place in places
            if not any(abs(cue["position_s"] - place) <= _SAME_S for cue in there)
        ]
        proposed = [step.params for each in found.proposals for step in each.steps]
        yield from _other_set((round(each["position_s"], 1) for each in proposed), set(free))
        numbers = [each["hot_cue"] for each in proposed]
        taken = {cue["slot"] for cue in there}
        if len(set(numbers)) < len(numbers) or taken & set(numbers):
            yield f"numbers {numbers}, of which {sorted(taken & set(numbers))} are taken"

    def _listed(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        there = [cue for cue in self.cues if cue["track_id"] == question["track"]]
        yield from _lacks(found, f"{len(there)} hot cue")
        for cue in there:
            yield from _lacks(found, f"{cue['slot']} {cue['label']} {_clock(cue['position_s'])}")
        if found.proposals:
            yield "something is proposed"

    # ------------------------------------------------------------------ stems

    def _stems(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        names = {s["name"] for s in self.stems if s["track_id"] == question["track"]}
        levels = {s["name"]: s["level_db"] for s in found.data["report"]["stems"]}
        yield from _other_set(levels, names)
        made = _made(question["track"]).levels
        power = {stem: float(np.mean(np.square(level))) for stem, level in made.items()}
        whole = sum(power.values())
        for stem, value in power.items():
            yield from _differs(stem, levels[stem], 10 * math.log10(value / whole), 0.35)

    def _voice(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        spans = _made(question["track"]).vocals_s or ()
        for start_s, end_s in spans:
            yield from _lacks(found, f"{_clock(start_s)} to {_clock(end_s)}")
        if not spans:
            yield from _lacks(found, "Nobody sings")

    def _rest(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        spans = _made(question["track"]).vocals_s or ()
        edges = [0.0, *(edge for span in spans for edge in span), LENGTH_S]
        start_s, end_s = max(
            zip(edges[::2], edges[1::2], strict=True), key=lambda gap: gap[1] - gap[0]
        )
        yield from _lacks(found, f"Longest without one: {_clock(start_s)} to {_clock(end_s)}")

    # ------------------------------------------------------------------ mastering

    def _lufs(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        level = self.tracks[question["track"]]["lufs"]  # that of a sine is its peak
        yield from _differs("LUFS", found.data["integrated_lufs"], level, 0.15)
        yield from _differs("true peak", found.data["true_peak_dbtp"], level, 0.25)
        yield from _lacks(found, "LUFS")

    def _platform(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        over = self.tracks[question["track"]]["lufs"] - question["level"]
        change = next(
            each["change_db"]
            for each in found.data["platforms"]
            if each["platform"] == question["platform"]
        )
        yield from _differs("change", change, -over, 0.2)
        yield from _lacks(found, f"{question['platform']}: it will be turned down by {-change:.1f}")

    def _chain(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        gains = [each for each in found.data["chain"] if each["kind"] == "gain"]
        if len(gains) != 1 or f"to {question['target']:.1f} LUFS" not in gains[0]["reason"]:
            yield f"gains: {[each['reason'] for each in gains]}"
        yield from _lacks(found, f"{question['target']:g} LUFS")

    # ------------------------------------------------------------------ mixes

    def _pair(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        pair = (question["out"], question["into"])
        (each,) = found.data["draft"]["transitions"]
        if (each["out"], each["into"]) != pair or found.tracks != pair:
            yield f"from {each['out']} into {each['into']}"
        slow, fast = sorted(self.tracks[number]["bpm"] for number in pair)
        needed = 100 * (fast / slow - 1)
        if each["kind"] == "blend" and each["rate_pct"] > needed + 0.1:
            yield f"a rate changes by {each['rate_pct']} %, {needed:.1f} are needed"
        if each["kind"] != "blend" and not each["fallback"]:
            yield "no reason why it is no blend"
        yield from _proposed_if_heard(found)

    def _order(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        yield from _other_set(found.tracks, set(question["tracks"]))
        if len(found.data["draft"]["tracks"]) != len(question["tracks"]):
            yield "a track is twice in it"
        if found.data["draft"]["arc"] != question["arc"]:
            yield f"the arc is {found.data['draft']['arc']}"
        yield from _proposed_if_heard(found)

    def _refused(self, question: Mapping[str, Any], found: Result) -> Iterator[str]:
        yield from _lacks(found, question["says"])
        if found.proposals or "error" not in found.data:
            yield "it is not said to be an error"

    def _where(self, condition: str) -> set[int]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            asked = f"SELECT id FROM tracks WHERE {condition}"  # noqa: S608 - of our own file
            return {number for (number,) in connection.execute(asked)}


# ---------------------------------------------------------------------- arithmetic


def _code(key: str) -> str:
    """Return the Camelot code of a key: steps of a fifth from A minor or C major, which are 8."""
    tonic, mode = key.split()
    pitch = (_NOTES[tonic] + (3 if mode == "minor" else 0)) % 12  # of the relative major
    fifths = pitch * 7 % 12
    return f"{(fifths + 7) % 12 + 1}{'A' if mode == 'minor' else 'B'}"


def _near_codes(code: str) -> set[str]:
    number, letter = int(code[:-1]), code[-1]
    return {
        code,
        f"{number % 12 + 1}{letter}",
        f"{(number - 2) % 12 + 1}{letter}",
        f"{number}{'B' if letter == 'A' else 'A'}",
    }


def _is_mixable_tempo(one: float, other: float) -> bool:
    return any(abs(factor * other / one - 1) <= 0.06 for factor in (0.5, 1.0, 2.0))


def _sections(track: Mapping[str, Any]) -> list[tuple[float, float, str]]:
    return [(float(a), float(b), str(label)) for a, b, label in json.loads(track["sections"])]


def _made(track: int) -> Made:
    return made_tracks()[track - 1]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _lacks(found: Result, words: str) -> Iterator[str]:
    if words not in found.output:
        yield f'"{words}" is not in "{found.output[:160]}"'


def _differs(name: str, value: float, expected: float, tolerance: float) -> Iterator[str]:
    if abs(value - expected) > tolerance:
        yield f"{name} is {value}, not {expected:.3f}"


def _other_set(values: Any, expected: set[Any]) -> Iterator[str]:
    got: Sequence[Any] = list(values)
    if set(got) != expected or len(got) != len(expected):
        yield f"{sorted(got)}, not {sorted(expected)}"


def _proposed_if_heard(found: Result) -> Iterator[str]:
    audition = found.data["audition"]
    if audition is None:
        yield "it was not auditioned"
    elif bool(found.proposals) is not (not audition["vetoes"]):
        yield f"{len(found.proposals)} proposals with {len(audition['vetoes'])} vetoes"
