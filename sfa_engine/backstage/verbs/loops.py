"""``loops.*``: sets of loops from words, cut in the background.

::

    words ─► kinds of loops, and a search ─► candidates ─┬─ ready ──► curves ─► places, best first
                                  ▲                      ├─ to prepare ──► jobs of one batch
                                  └──── the next one ◄───┴─ no loop there, or failed: passed over
    places ─► job: cut, measured ─► kit or zip

Where loops are is found in the curves of the analysis, without sound; how the seam sounds is
measured when they are cut, and a loop that fails then is replaced by the next.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace as changed

from sfa_engine.backstage.access import By, visible, visible_jobs
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.job import Kind, State
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.steps.loops import KITS, loops_plan, zip_name
from sfa_engine.backstage.verbs.chef import MAX_PASSED, name_of
from sfa_engine.backstage.verbs.preparing import (
    Need,
    known_of,
    need_of,
    queue_missing,
    search_words,
    shown,
    why_not_allowed,
    why_unfit,
)
from sfa_engine.backstage.verbs.words import WordVerbs
from sfa_engine.errors import MediaError, Refused
from sfa_engine.library import tracks
from sfa_engine.library.track import Track
from sfa_engine.mix.loop_words import LoopSet, LoopsWanted, read_loops
from sfa_engine.mix.loops import Levels, LoopPlace, find_loops, in_turn, why_not
from sfa_engine.mix.wanted import Wanted
from sfa_engine.mix.words import Reading
from sfa_engine.system.named_files import NamedFiles
from sfa_engine.track.curves import PEAKS, read_curves
from sfa_engine.track.grid import TEMPOS
from sfa_engine.track.kit import MANIFEST, check_name
from sfa_engine.track.media import WHOLE, read_bundle
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

SPARE = 4  # places of each kind beyond those that are needed: some fail when they are cut
SPARE_TRACKS = 2  # beyond those that are needed, of those that are ready
MAX_LOOKED = 150  # tracks whose curves are read: each takes some 20 ms for a kind
FAR_TEMPO = 0.06  # beyond, loops of one set change their pitch by a semitone to keep together

NEAR_TEMPO = 0.08  # by which a loop is stretched, if the words name no tempo
Tempo = Annotated[float, Meta(ge=TEMPOS[0], le=TEMPOS[1])]
Offers = dict[LoopsWanted, list[list[LoopPlace]]]  # of each kind, the places of each track


@dataclass
class _Found:
    """What was found for a set.

    Parameters
    ----------
    offers : dict of LoopsWanted to list of list of LoopPlace
    lacking : list of (Track, str)
        Tracks that are to be prepared.
    passed : list of (Track, str)
        Tracks that have no loop, with why.
    """

    offers: Offers
    lacking: list[tuple[Track, Need]] = field(default_factory=list)
    passed: list[tuple[Track, str]] = field(default_factory=list)

    def is_enough(self, spare: int = 0) -> bool:
        """Return whether each loop can be of another track, with some tracks to spare."""
        return all(
            len(places) + len(self.lacking) >= kind.count + spare
            for kind, places in self.offers.items()
        )

    def places(self) -> dict[LoopsWanted, list[LoopPlace]]:
        """Return the places of each kind, best first: of each track one, then the second ones."""
        return {kind: in_turn(places) for kind, places in self.offers.items()}


class LoopVerbs:
    """The verbs on sets of loops.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    words : WordVerbs
    dispatcher : Dispatcher
    """

    def __init__(
        self,
        context: PrepContext,
        facts: FactsReader,
        words: WordVerbs,
        dispatcher: Dispatcher,
    ) -> None:
        self._context = context
        self._facts = facts
        self._words = words
        self._dispatcher = dispatcher
        self._kits = NamedFiles(
            context.settings.data / KITS, "kit", "sfa kit list", manifest=MANIFEST
        )

    @verb(scope="read", slow=True, owned=True)
    async def loops_plan(
        self, words: Text, bpm: Tempo | None = None, ready: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return the loops that words ask for, with where each is and why; nothing is made.

        With `bpm` the tracks are near to that tempo, unless the words name another.
        Tracks that lack stems or an analysis are in ``preparing``; with `ready` they are left out.
        """
        wanted = near(read_loops(words), bpm)
        notes: list[str] = []
        found = await self._found(wanted, "", notes, actor, ready=ready)
        return self._answer(words, wanted, found, notes, bpm)

    @verb(scope="prepare", slow=True, owned=True, restricted={"replace": "perform"})
    async def loops_make(
        self,
        words: Text,
        kit: Text = "",
        zip: bool = False,  # noqa: A002 - a name of the protocol
        bpm: Tempo | None = None,
        format: Literal["flac", "wav"] = "flac",  # noqa: A002 - a name of the protocol
        replace: bool = False,
        ready: bool = False,
        batch: Text | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Cut the loops that words ask for into a kit, or into a zip in the folder of exports.

        Without `kit` or `zip` it is a kit that is named after the words. With `bpm` all are
        stretched to that tempo, in their own key.

        Tracks that lack stems or an analysis are prepared first, by jobs of ``batch``; ``job`` is
        null then. When the batch has ended, call again with it: tracks that failed in it are passed
        over. Else ``job`` is the one that cuts the loops; its result is returned by ``loops.made``.
        """
        if kit and zip:
            raise Refused("a set of loops is a kit or a zip", "leave out one of them")
        kit = "" if zip else check_name(kit or name_of(words))
        if kit:
            await asyncio.to_thread(self._kits.check_room, kit, replace=replace)
        wanted = near(read_loops(words), bpm)
        notes: list[str] = []
        found = await self._found(wanted, batch or "", notes, actor, ready=ready)
        answer = self._answer(words, wanted, found, notes, bpm)
        jobs_of = batch or uuid.uuid4().hex[:12]
        if found.lacking:
            await queue_missing(self._context, found.lacking, jobs_of, actor)
            self._dispatcher.wake()
            return {**answer, "batch": jobs_of}
        args = {
            "wanted": [
                {
                    "stem": kind.stem,
                    "count": kind.count,
                    "places": [
                        msgspec.to_builtins(each) for each in places[: 2 * kind.count + SPARE]
                    ],
                }
                for kind, places in found.places().items()
            ],
            "kit": kit,
            "zip": answer["name"] if zip else "",
            "bpm": bpm or 0.0,
            "format": format,
            "replace": replace,
        }
        cutting = uuid.uuid4().hex[:12]
        async with self._context.database.transaction() as connection:
            jobs = await self._context.queue.add_all(
                connection, [loops_plan(args, kit or answer["name"])], cutting, actor.account
            )
        self._dispatcher.wake()
        return {**answer, "batch": cutting, "job": jobs[0]}

    @verb(scope="read", owned=True)
    async def loops_made(self, job: Count, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the loops that a job has cut: of each where it is, its seam, and why it was taken.

        ``files`` has the zip, as `library.files` does, until it is deleted.
        """
        found = await self._context.queue.get(job, visible_jobs(actor))
        if found.kind is not Kind.LOOPS:
            raise Refused(f"job {job} cuts no loops", "see `sfa jobs`")
        if found.state is not State.DONE:
            raise Refused(f"job {job} is {found.state}", "see `sfa jobs`")
        report = found.result
        files = []
        if report["zip"]:
            path = Path(zip_name(self._context.places, found.args["zip"], job))
            if await asyncio.to_thread(path.is_file):
                files.append({"name": "zip", "folder": str(path.parent), "path": path.name})
        return {"job": job, "title": found.title, "files": files} | report

    # ------------------------------------------------------------------ places

    async def _found(
        self, wanted: LoopSet, batch: str, notes: list[str], actor: Actor, *, ready: bool
    ) -> _Found:
        """Return where loops are, in the best tracks that have some."""
        reading = Reading(wanted.wanted, wanted.unknown)
        count = max(kind.count for kind in wanted.loops)
        numbers = await search_words(self._words, reading, wanted.wanted, count, notes, actor)
        found = _Found({kind: [] for kind in wanted.loops})
        async with self._context.database.reading() as connection:
            listed = await tracks.listed(connection, list(numbers), visible(actor))
            known = await known_of(connection, list(numbers), batch, actor)
        looked = 0
        for track in listed:
            need = need_of(track, known, stems=bool(wanted.stems))
            if found.is_enough() and (found.lacking or need):  # none is prepared to spare
                continue
            why = why_unfit(track, need, known, ready=ready)
            if need and not why:
                async with self._context.database.reading() as connection:
                    why = await why_not_allowed(connection, actor, track, need)
            if not why and need:
                found.lacking.append((track, need))
            elif not why:
                why = await self._look(track, wanted.loops, found.offers)
            if why:
                found.passed.append((track, why))
            looked += not need
            if found.is_enough(SPARE_TRACKS) or looked == MAX_LOOKED:
                break
        if not found.lacking and not any(found.offers.values()):
            why = f': no name has "{wanted.unknown[0]:.40}"' if wanted.unknown else ""
            if found.passed:
                why = f": {found.passed[0][0].name} {found.passed[0][1]}"
            elif not why:
                is_any = wanted.wanted == Wanted()
                why = f": {'there are no tracks' if is_any else 'no track fits the other words'}"
            raise Refused(f"no track has such loops{why}", "use other words, or import music")
        return found

    async def _look(self, track: Track, kinds: Sequence[LoopsWanted], offers: Offers) -> str:
        """Add the places of a track; return why it has none."""
        facts = (await self._facts.of([track.id])).get(track.id)
        if facts is None or track.bundle is None:
            return "was removed"
        if why := why_not(facts):
            return why
        missing = [kind.stem for kind in kinds if kind.stem not in (*facts.stems, WHOLE)]
        if len(missing) == len(kinds):
            return f"has no stem {missing[0]}"

        def look() -> dict[LoopsWanted, list[LoopPlace]]:
            stems = {WHOLE, *(kind.stem for kind in kinds)}
            levels = _levels(self._context.places.bundles / str(track.bundle), stems)
            return {
                kind: find_loops(facts, levels, kind.stem, kind.beats(facts.beats_per_bar))
                for kind in kinds
            }

        try:
            found = await asyncio.to_thread(look)
        except MediaError:
            return "has no curves: analyse it again"
        for kind, places in found.items():
            if places:
                offers[kind].append(places)
        return "" if any(found.values()) else "has no place that goes round cleanly"

    def _answer(
        self,
        words: str,
        wanted: LoopSet,
        found: _Found,
        notes: list[str],
        bpm: float | None,
    ) -> dict[str, Any]:
        loops: list[dict[str, Any]] = []
        for kind, places in found.places().items():
            loops += [
                {"pad": len(loops) + at, **msgspec.to_builtins(place)}
                for at, place in enumerate(places[: kind.count], 1)
            ]
            if len(places) < kind.count and not found.lacking:
                notes.append(f"{len(places)} of {kind.count} loops were found: {kind.name}")
        tempos = [each["bpm"] for each in loops]
        if bpm is None and tempos and max(tempos) > min(tempos) * (1 + FAR_TEMPO):
            notes.append(
                f"the tempos are from {min(tempos):.4g} to {max(tempos):.4g} BPM: give one"
            )
        return {
            "name": name_of(words),
            "request": {
                "loops": [msgspec.to_builtins(kind) for kind in wanted.loops],
                "query": msgspec.to_builtins(wanted.wanted),
                "unknown": list(wanted.unknown),
            },
            "loops": loops,
            "preparing": shown(found.lacking),
            "passed_over": [
                {"id": track.id, "name": track.name, "why": why}
                for track, why in found.passed[:MAX_PASSED]
            ],
            "batch": "",
            "job": None,
            "notes": notes,
        }


def near(wanted: LoopSet, bpm: float | None) -> LoopSet:
    """Return a set whose tracks are near to a tempo, unless its words name another."""
    if bpm is None or wanted.wanted.bpm is not None:
        return wanted
    limits = (bpm / (1 + NEAR_TEMPO), bpm * (1 + NEAR_TEMPO))
    return replace(wanted, wanted=changed(wanted.wanted, bpm=limits))


def _levels(bundle: Path, stems: Collection[str]) -> Mapping[str, Levels]:
    """Return the levels of some stems of a bundle, as far as it has them. Blocks.

    Raises
    ------
    MediaError
        It has none, or of another sound.
    """
    curves = read_curves(bundle)
    if curves.digest != read_bundle(bundle).track.digest:
        raise MediaError(f'"{bundle}" has curves of another sound', "analyse it again")
    return {
        stem: (curves.values(PEAKS + stem), curves.tables[PEAKS + stem].rate_hz)
        for stem in stems
        if PEAKS + stem in curves.tables
    }
