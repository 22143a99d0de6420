"""``mix.chef``: a mix plan from words; tracks that lack stems or an analysis are prepared first.

::

    words ─► recipe ─► search ─► candidates, best first ─┬─ ready ────────► plan, stored
                                    ▲                    ├─ to prepare ───► jobs of one batch
                                    └── the next one ◄───┴─ failed there ─► passed over

While tracks are being prepared nothing is stored. A client waits for the batch, and calls again
with it: a track whose jobs failed in it is passed over then.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace as changed

from sfa_engine.backstage.access import By, find, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.verbs.mixes import Lufs, MixVerbs, Rate
from sfa_engine.backstage.verbs.preparing import (
    Known,
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
from sfa_engine.errors import Refused
from sfa_engine.library import search, tracks
from sfa_engine.library.database import Connection
from sfa_engine.library.folding import fold
from sfa_engine.library.track import Track
from sfa_engine.mix.document import Plan as MixPlan
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.recipe import Recipe, read_recipe
from sfa_engine.mix.settings import MixSettings
from sfa_engine.mix.words import Reading
from sfa_engine.system.named_files import FileName
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Text, verb

MAX_NAME = 40
MAX_PASSED = 20  # of those that were passed over, in an answer


@dataclass
class _Chosen:
    """Tracks that were taken, and those that were not."""

    ready: list[Track] = field(default_factory=list)
    lacking: list[tuple[Track, Need]] = field(default_factory=list)
    passed: list[tuple[Track, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ready) + len(self.lacking)


class ChefVerbs:
    """The verb that makes a mix from words.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    words : WordVerbs
    mixes : MixVerbs
    dispatcher : Dispatcher
    """

    def __init__(
        self,
        context: PrepContext,
        facts: FactsReader,
        words: WordVerbs,
        mixes: MixVerbs,
        dispatcher: Dispatcher,
    ) -> None:
        self._context = context
        self._facts = facts
        self._words = words
        self._mixes = mixes
        self._dispatcher = dispatcher

    @verb(scope="perform", slow=True, owned=True)
    async def mix_chef(
        self,
        words: Text,
        name: FileName | None = None,
        batch: Text | None = None,
        ready: bool = False,
        dry_run: bool = False,
        rate_pct: Rate = 4.0,
        lufs: Lufs = -14.0,
        replace: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Make a mix plan from words: genres, tempo, keys, feeling, arc, count, stems.

        Tracks that lack an analysis, or stems that the words need, are prepared by jobs of
        ``batch``; until then ``mix`` is null, and nothing is stored. When the batch has ended, call
        again with it: tracks that failed in it are passed over. With `ready` only tracks that need
        nothing are taken; with `dry_run` nothing is queued or stored.
        """
        recipe = read_recipe(words)
        name = name or name_of(words)
        await self._mixes.check_free(name, replace=replace)
        notes: list[str] = []
        found = await self._candidates(recipe, notes, actor)
        chosen = await self._choose(recipe, found, batch or "", actor, ready=ready)
        if not chosen:
            why = f": {chosen.passed[0][0].name} {chosen.passed[0][1]}" if chosen.passed else ""
            raise Refused(f"no track for this recipe{why}", "use other words, or import music")
        if len(chosen) < recipe.count:
            notes.append(f"{len(chosen)} of {recipe.count} tracks were found")
        jobs_of = batch or uuid.uuid4().hex[:12]
        answer = {
            "name": name,
            "recipe": _described(recipe),
            "preparing": shown(chosen.lacking),
            "passed_over": [
                {"id": track.id, "name": track.name, "why": why}
                for track, why in chosen.passed[:MAX_PASSED]
            ],
            "batch": batch or "",
            "stored": False,
            "notes": notes,
            "mix": None,
        }
        if chosen.lacking:
            if not dry_run:
                await queue_missing(self._context, chosen.lacking, jobs_of, actor)
                self._dispatcher.wake()
                answer["batch"] = jobs_of
            return answer
        settings = MixSettings(recipe.arc, rate_pct, lufs=lufs)
        plan = await self._planned(recipe, chosen.ready, found, settings, actor)
        facts = await self._facts.of([track.id for track in plan.tracks])
        if dry_run:
            mix = await self._mixes.shown(name, plan, facts)
        else:
            mix = await self._mixes.store(name, plan, facts, (), replace=replace)
        return {**answer, "stored": not dry_run, "mix": mix}

    # ------------------------------------------------------------------ candidates

    async def _candidates(self, recipe: Recipe, notes: list[str], actor: Actor) -> dict[int, str]:
        """Return the numbers of tracks, best first, each with why it was found."""
        found: dict[int, str] = {}
        async with self._context.database.reading() as connection:
            for word in filter(None, (recipe.first, recipe.last)):
                found[(await _named(connection, actor, word)).id] = "asked for"
        reading = Reading(recipe.wanted, recipe.unknown)
        hits = await search_words(self._words, reading, recipe.wider, recipe.count, notes, actor)
        for number, why in hits.items():
            found.setdefault(number, why)
        return found

    async def _choose(
        self,
        recipe: Recipe,
        found: Mapping[int, str],
        batch: str,
        actor: Actor,
        *,
        ready: bool,
    ) -> _Chosen:
        """Return the best tracks that are ready, or can be made so."""
        chosen = _Chosen()
        async with self._context.database.reading() as connection:
            listed = await tracks.listed(connection, list(found), visible(actor))
            known = await known_of(connection, list(found), batch, actor)
            for track in listed:
                need = need_of(track, known, stems=recipe.needs_stems)
                why = _not_to_be_had(recipe, track, need, known, ready=ready)
                if need and not why:
                    why = await why_not_allowed(connection, actor, track, need)
                if why:
                    if found[track.id] == "asked for":
                        raise Refused(f"{track.name} {why}", "leave it out of the words")
                    chosen.passed.append((track, why))
                elif need:
                    chosen.lacking.append((track, need))
                else:
                    chosen.ready.append(track)
                if len(chosen) == recipe.count:
                    break
        return chosen

    # ------------------------------------------------------------------ plan

    async def _planned(
        self,
        recipe: Recipe,
        ready: Sequence[Track],
        found: Mapping[int, str],
        settings: MixSettings,
        actor: Actor,
    ) -> MixPlan:
        first = await self._number(recipe.first, actor)
        last = await self._number(recipe.last, actor)
        locks = await self._mixes.locks(first, last, (), ready, actor)
        facts = await self._facts.of([track.id for track in ready])
        mute = {number: recipe.muted(each.stems) for number, each in facts.items()}
        energies = await self._facts.energies()
        plan = await asyncio.to_thread(
            plan_mix, list(facts.values()), settings, locks=locks, library=energies, mute=mute
        )
        placed = [
            changed(track, why="; ".join(filter(None, (track.why, found[track.id]))))
            for track in plan.tracks
        ]
        return changed(plan, tracks=tuple(placed))

    async def _number(self, word: str | None, actor: Actor) -> int | None:
        if word is None:
            return None
        async with self._context.database.reading() as connection:
            return (await _named(connection, actor, word)).id


def name_of(words: str) -> str:
    """Return a name for the plan of some words: ``dark-techno-120-to-126``."""
    name = re.sub("[^a-z0-9]+", "-", fold(words)).strip("-")
    if len(name) > MAX_NAME:
        name = name[: MAX_NAME + 1].rpartition("-")[0] or name[:MAX_NAME]
    return name or "recipe"


async def _named(connection: Connection, actor: Actor, word: str) -> Track:
    return await find(connection, actor, search.track_number(word) or word)


def _not_to_be_had(recipe: Recipe, track: Track, need: Need, known: Known, *, ready: bool) -> str:
    """Return why a track cannot be used; empty if it can."""
    why = why_unfit(track, need, known, ready=ready)
    if not why and not need and recipe.only and not set(recipe.only) & set(track.stems):
        return f"has no stem of {' or '.join(recipe.only)}"
    return why


def _described(recipe: Recipe) -> dict[str, Any]:
    return {
        "arc": recipe.arc,
        "count": recipe.count,
        "mute": list(recipe.mute),
        "only": list(recipe.only),
        "first": recipe.first,
        "last": recipe.last,
        "query": msgspec.to_builtins(recipe.wanted),
        "unknown": list(recipe.unknown),
    }
