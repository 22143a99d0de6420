"""``mix.*``: plans of mixes, made, shown, edited and stored.

::

    playlist, words or tracks ─► facts ─► mix.plan ─► <data>/mixes/NAME.toml
                                                       └─► show, save, replan, script

Planning runs in a thread: 100 tracks take a second or two.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import replace

from sfa_engine.backstage.access import By, find, visible
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.mixes.auditions import Auditions
from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.backstage.mixes.live_mix import LiveMix
from sfa_engine.backstage.mixes.shown import shown
from sfa_engine.backstage.mixes.store import DraftStore, PlanStore, digest_of
from sfa_engine.backstage.steps.audition import audition_plan
from sfa_engine.backstage.verbs.words import TrackWord, WordVerbs
from sfa_engine.errors import Absent, Refused
from sfa_engine.library import playlists, tracks
from sfa_engine.library.ownership import EVERYTHING
from sfa_engine.library.track import Track
from sfa_engine.mix.arc import Arc
from sfa_engine.mix.commands import timetable
from sfa_engine.mix.document import Plan
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.mix_script import mix_script
from sfa_engine.mix.order import Locks
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.plan import replan as planned_anew
from sfa_engine.mix.plan_text import read_plan, write_plan
from sfa_engine.mix.settings import MAX_RATE_PCT, MixSettings
from sfa_engine.system.named_files import FileName
from sfa_engine.wire import protocol
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import Count, Text, verb

MAX_TRACKS = 300  # 15 hours and more; its text has 0.5 MB, an answer may have 2
MAX_TEXT = 1_000_000
FOUND = 40  # tracks of a search in words

Number = Annotated[int, Meta(ge=1, le=MAX_TRACKS)]
PlanText = Annotated[str, Meta(max_length=MAX_TEXT)]
TrackWords = Annotated[list[TrackWord], Meta(max_length=10_000)]
Pair = Annotated[list[TrackWord], Meta(min_length=2, max_length=2, description="two tracks")]
Pairs = Annotated[list[Pair], Meta(max_length=MAX_TRACKS)]
Rate = Annotated[float, Meta(ge=0, le=MAX_RATE_PCT)]
Lufs = Annotated[float, Meta(ge=-30, le=-6)]


class MixVerbs:
    """The verbs on mixes.

    Parameters
    ----------
    context : PrepContext
    facts : FactsReader
    words : WordVerbs
        They find tracks by what they are like.
    auditions : Auditions
    dispatcher : Dispatcher
    live : LiveMix, optional
        The mix that is performed: it follows changes of its plan.
    """

    def __init__(
        self,
        context: PrepContext,
        facts: FactsReader,
        words: WordVerbs,
        auditions: Auditions,
        dispatcher: Dispatcher,
        live: LiveMix | None = None,
    ) -> None:
        self._context = context
        self._facts = facts
        self._words = words
        self._auditions = auditions
        self._dispatcher = dispatcher
        self._live = live
        self._store = PlanStore(context.settings.data)
        self._drafts = DraftStore(context.settings.data)
        self._changing = asyncio.Lock()

    @verb(scope="perform", slow=True, owned=True)
    async def mix_plan(
        self,
        name: FileName,
        playlist: Text | None = None,
        words: Text | None = None,
        tracks: TrackWords | None = None,
        limit: Number = FOUND,
        arc: Arc = "steady",
        rate_pct: Rate = 4.0,
        shift_key: bool = True,
        lufs: Lufs = -14.0,
        first: TrackWord | None = None,
        last: TrackWord | None = None,
        after: Pairs = [],  # noqa: B006 - never changed
        ordered: bool = False,
        replace: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Plan a mix of a playlist, of the tracks that a search in words finds, or of tracks.

        `limit` is for words. `first`, `last` and pairs of `after` (the second directly after the
        first) are kept by the order; `ordered` keeps that of the list. An earlier plan of the name
        is replaced only if asked. The answer is that of ``mix.show``, with ``notes``.
        """
        await self.check_free(name, replace=replace)
        settings = MixSettings(arc, rate_pct, shift_key, lufs)
        listed = await self._listed(playlist, words, tracks, limit, actor)
        plan, facts, notes = await self._planned(
            listed, settings, first, last, after, actor, ordered=ordered
        )
        return await self.store(name, plan, facts, notes, replace=replace)

    @verb(scope="propose", slow=True, owned=True)
    async def mix_draft(
        self,
        tracks: TrackWords,
        arc: Arc = "steady",
        rate_pct: Rate = 4.0,
        first: TrackWord | None = None,
        last: TrackWord | None = None,
        ordered: bool = False,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Plan a mix of tracks as a draft, whose name is made of its text; nothing is replaced.

        The answer is that of ``mix.plan``. ``mix.show``, ``mix.text``, ``mix.script``,
        ``mix.audition_draft`` and ``mix.auditioned`` take the name as long as the draft is among
        the newest hundred; ``mix.save`` keeps its text under another name.
        """
        listed = await self._listed(None, None, tracks, FOUND, actor)
        settings = MixSettings(arc, rate_pct)
        plan, facts, notes = await self._planned(
            listed, settings, first, last, (), actor, ordered=ordered
        )
        async with self._changing:
            name = await self._drafts.add(plan)
        return await self.shown(name, plan, facts, notes)

    async def _planned(
        self,
        listed: Sequence[Track],
        settings: MixSettings,
        first: TrackWord | None,
        last: TrackWord | None,
        after: Sequence[Sequence[int | str]],
        actor: Actor,
        *,
        ordered: bool,
    ) -> tuple[Plan, dict[int, TrackFacts], list[str]]:
        """Return a plan of tracks, the facts of these, and what was left out."""
        notes: list[str] = []
        ready = _ready(listed, notes)
        if len(ready) > MAX_TRACKS:
            raise Refused(f"{len(ready)} tracks are too many for a mix", f"give {MAX_TRACKS}")
        locks = await self.locks(first, last, after, ready, actor)
        facts = await self._facts.of([track.id for track in ready])
        energies = await self._facts.energies()
        plan = await asyncio.to_thread(
            plan_mix, list(facts.values()), settings, locks=locks, library=energies, ordered=ordered
        )
        if len(plan.tracks) == 1:
            notes.append("one track has no transitions")
        return plan, facts, notes

    async def check_free(self, name: str, *, replace: bool) -> None:
        """Refuse the name of a plan that is there, unless it is to be replaced; and of a draft."""
        _check_name(name)
        if not replace and await self._store.exists(name):
            raise Refused(f'there is a mix "{name}"', "replace it, or choose another name")

    async def store(
        self,
        name: str,
        plan: Plan,
        facts: dict[int, TrackFacts],
        notes: Sequence[str],
        *,
        replace: bool,
    ) -> dict[str, Any]:
        """Store a new plan; return it as ``mix.show`` does."""
        async with self._changing:
            await self._store.write(name, plan, replace=replace)
        return await self.shown(name, plan, facts, notes)

    @verb(scope="read")
    async def mix_list(self) -> dict[str, Any]:
        """Return the plans by name, each with its number of tracks; and their folder."""
        found = await self._store.listed()
        return {
            "folder": str(self._store.folder),
            "mixes": [each._asdict() for each in found],
        }

    @verb(scope="read", slow=True, owned=True)
    async def mix_show(self, name: FileName, actor: By = SYSTEM) -> dict[str, Any]:
        """Return a plan: its tracks and transitions with names and times, and its ``text``."""
        plan = await self._plan(name, actor)
        facts = await self._facts.of([track.id for track in plan.tracks])
        return await self.shown(name, plan, facts, text=await self._place(name).text(name))

    @verb(scope="read", slow=True, owned=True)
    async def mix_text(self, name: FileName, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the text of a plan, be it valid or not, and its ``digest`` for ``mix.save``."""
        if visible(actor) != EVERYTHING:  # of an invalid plan it is not known whose tracks it has
            await self._plan(name, actor)
        text = await self._place(name).text(name)
        return {"name": name, "text": text, "digest": digest_of(text)}

    @verb(scope="perform", slow=True, owned=True)
    async def mix_save(
        self, name: FileName, text: PlanText, was: Text | None = None, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Save the text of a plan, in place of an earlier one of its name, if it makes sense.

        `was` is the digest of the text that was edited: one that was changed meanwhile is not
        replaced. What cannot be performed with the tracks as they are is saved, with a note. A mix
        that is performed goes on by it, if what was played already is the same.
        """
        _check_name(name)
        async with self._changing:
            if was is not None and await self._store.exists(name):
                now = digest_of(await self._store.text(name))
                if now != was:
                    raise Refused(
                        f'"{name}" was changed meanwhile', "look at it, and edit it again"
                    )
            plan = await self._checked(text, actor)
            if self._live is not None:
                await self._live.edited(name, plan)
            await self._store.write(name, text)
        facts = await self._facts.of([track.id for track in plan.tracks])
        return await self.shown(name, plan, facts)

    @verb(scope="perform", slow=True, owned=True)
    async def mix_replan(
        self,
        name: FileName,
        place: Number = 1,
        without: Annotated[list[Count], Meta(max_length=MAX_TRACKS)] = [],  # noqa: B006
        reorder: bool = False,
        order: Annotated[list[Count], Meta(max_length=MAX_TRACKS)] | None = None,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Plan the rest of a mix anew from the track at a place on; what is locked stays.

        `without` are numbers of tracks that are taken out, as are those that the library has no
        more. With `reorder` the tracks after the place are put in a new order. `order` has the
        numbers of all tracks from the place on, in the order that they are to have.
        """
        _check_name(name)
        if order is not None and (reorder or without):
            raise Refused("order goes with neither reorder nor without", "give one of them")
        async with self._changing:
            plan = await self._plan(name, actor)
            facts = await self._facts.of([track.id for track in plan.tracks])
            unknown = set(without) - {track.id for track in plan.tracks}
            if unknown:
                raise Refused(f"track {min(unknown)} is not in the mix", "see `sfa mix show`")
            gone = {track.id for track in plan.tracks if track.id not in facts}
            notes = [
                f"{track.name} is not in the library any more: taken out"
                for track in plan.tracks[place - 1 :]
                if track.id in gone
            ]
            out = gone | set(without)
            if order is not None:
                plan = _ordered(plan, place - 1, order)
            if place == 1:  # nothing plays yet
                kept = tuple(track for track in plan.tracks if track.id not in out)
                if not kept:
                    raise Refused("no track is left", "remove the mix, or plan another one")
                plan = replace(plan, tracks=kept)
            energies = await self._facts.energies()
            changed = await asyncio.to_thread(
                planned_anew,
                plan, facts, place - 1, without=out, library=energies, reorder=reorder,
            )  # fmt: skip
            if self._live is not None:
                await self._live.edited(name, changed)
            await self._store.write(name, changed)
        return await self.shown(name, changed, facts, notes)

    @verb(scope="perform")
    async def mix_remove(self, name: FileName) -> dict[str, Any]:
        """Remove a plan; its tracks stay in the library."""
        self._check_idle(name)
        async with self._changing:
            await self._store.remove(name)
        return {"removed": name}

    @verb(scope="perform")
    async def mix_rename(self, name: FileName, to: FileName) -> dict[str, Any]:
        """Rename a plan."""
        _check_name(to)
        self._check_idle(name)
        async with self._changing:
            await self._store.rename(name, to)
        return {"renamed": name, "to": to}

    @verb(scope="read", slow=True, owned=True)
    async def mix_script(self, name: FileName, actor: By = SYSTEM) -> dict[str, Any]:
        """Return a plan as a script that ``sfa render`` renders, and its length in seconds."""
        plan = await self._plan(name, actor)
        facts = await self._facts.of([track.id for track in plan.tracks])
        table = await asyncio.to_thread(timetable, plan, facts)
        names = {track.id: f"#{track.id}" for track in plan.tracks}
        script = await asyncio.to_thread(mix_script, table, names)
        if len(script) > protocol.MAX_BYTES * 0.9:
            raise Refused(f"the script has {len(script)} characters", "split the mix in two")
        return {"name": name, "script": script, "length_s": round(table.end_s, 3)}

    @verb(scope="prepare", slow=True, owned=True)
    async def mix_audition(
        self, name: FileName, transition: Number | None = None, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Render a transition of a mix by its number, or all of it, by the kernel, offline.

        What was rendered before is there at once: ``done`` is true, with the files ``sound`` and
        ``picture``, the ``measures`` and whether the ``goals`` are met. Else a job is queued, in
        ``batch``; when it has ended, ask again.
        """
        return await self._audition(name, transition, actor)

    @verb(scope="propose", slow=True, owned=True)
    async def mix_audition_draft(
        self, name: FileName, transition: Number | None = None, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Render a transition of a draft, or all of it, as ``mix.audition`` does of other plans."""
        if not DraftStore.NAME.fullmatch(name):
            raise Refused(f'"{name}" is not a draft', "give the name that mix.draft has returned")
        return await self._audition(name, transition, actor)

    async def _audition(self, name: str, transition: int | None, actor: Actor) -> dict[str, Any]:
        wanted = await self._auditioned(name, transition, actor)
        key = await asyncio.to_thread(self._auditions.ask, *wanted)
        found = await asyncio.to_thread(self._auditions.found, key)
        if found is not None:
            return {"name": name, "transition": transition, "key": key, "done": True, **found}
        title = name if transition is None else f"{name}, transition {transition}"
        batch = uuid.uuid4().hex[:12]
        async with self._context.database.transaction(durable=False) as connection:
            jobs = await self._context.queue.add_all(
                connection, [audition_plan(key, title)], batch, actor.account
            )
        self._dispatcher.wake()
        return {
            "name": name,
            "transition": transition,
            "key": key,
            "done": False,
            "batch": batch,
            "job": jobs[0],
        }

    @verb(scope="read", slow=True, owned=True)
    async def mix_auditioned(
        self, name: FileName, transition: Number | None = None, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Return the files of an audition that was rendered, as ``library.files`` does.

        They are ``sound`` and ``picture``.
        """
        wanted = await self._auditioned(name, transition, actor)
        files = await asyncio.to_thread(self._auditions.files, *wanted)
        if not files:
            raise Refused("it is not rendered, or was changed since", "ask for the audition again")
        return {
            "name": name,
            "transition": transition,
            "files": [
                {"name": word, "folder": str(file.parent), "path": file.name}
                for word, file in zip(("sound", "picture"), files, strict=True)
            ],
        }

    # ------------------------------------------------------------------ undoing

    async def put_back(self, name: str, text: str | None, was: str) -> None:
        """Put back what a plan was before a change: its text, valid or not, or no plan at all.

        Parameters
        ----------
        name : str
        text : str, optional
            None: there was no plan of the name.
        was : str
            Digest of the text that the change left.

        Raises
        ------
        Refused
            The plan has been changed since, or what is performed would be taken away.
        """
        async with self._changing:
            if digest_of(await self._store.text_or_none(name)) != was:
                raise Refused(f'the mix "{name}" has been changed since', "change it by hand")
            if text is None:
                self._check_idle(name)
                await self._store.remove(name)
                return
            plan = None
            with suppress(Refused):
                plan = await asyncio.to_thread(read_plan, text)
            if self._live is not None and plan is not None:
                await self._live.edited(name, plan)
            await self._store.put_back(name, text)

    # ------------------------------------------------------------------ tracks

    async def _listed(
        self,
        playlist: str | None,
        words: str | None,
        given: Sequence[int | str] | None,
        limit: int,
        actor: Actor,
    ) -> list[Track]:
        """Return the tracks that a mix is to be made of, in their order."""
        if [playlist, words, given].count(None) != 2:
            raise Refused("one of playlist, words and tracks is needed", "give one of them")
        within = visible(actor)
        if words is not None:
            found = await self._words.library_search_words(words, limit, actor=actor)
            if not found["tracks"]:
                raise Refused(f'"{words:.80}" finds no track', "use other words")
            async with self._context.database.reading() as connection:
                return await tracks.listed(
                    connection, [track["id"] for track in found["tracks"]], within
                )
        async with self._context.database.reading() as connection:
            if playlist is not None:
                there = await playlists.find(connection, playlist, within)
                entries = await playlists.entries(connection, there.id, within=within)
                if not entries:
                    raise Refused(f'the playlist "{there.name}" is empty', "add tracks to it")
                return [entry.track for entry in entries]
            if not given:
                raise Refused("no tracks are given", "give some")
            return [await find(connection, actor, each) for each in given]

    async def locks(
        self,
        first: int | str | None,
        last: int | str | None,
        after: Sequence[Sequence[int | str]],
        ready: Sequence[Track],
        actor: Actor,
    ) -> Locks:
        """Return what an order of tracks keeps.

        Raises
        ------
        Refused
            A track is none of them.
        """
        known = {track.id for track in ready}

        async def number(word: int | str) -> int:
            track = await find(connection, actor, word)
            if track.id not in known:
                raise Refused(f'"{track.name}" is not among the tracks', "add it, or unlock it")
            return track.id

        async with self._context.database.reading() as connection:
            return Locks(
                first=None if first is None else await number(first),
                last=None if last is None else await number(last),
                after=tuple([(await number(a), await number(b)) for a, b in after]),
            )

    async def _auditioned(
        self, name: str, transition: int | None, actor: Actor
    ) -> tuple[Plan, dict[int, TrackFacts], dict[int, str], int | None]:
        """Return what an audition is of: plan, facts and bundles of its tracks, and the place."""
        plan = await self._plan(name, actor)
        if transition is not None and transition > len(plan.transitions):
            count = len(plan.transitions)
            raise Refused(f"no transition {transition}", f'"{name}" has {count}')
        if not plan.tracks:
            raise Refused(f'"{name}" has no tracks', "plan it again")
        place = None if transition is None else transition - 1
        pair = plan.tracks if place is None else plan.tracks[place : place + 2]
        facts = await self._facts.of([track.id for track in pair])
        async with self._context.database.reading() as connection:
            there = await tracks.listed(connection, [track.id for track in pair])
        names = {track.id: track.bundle for track in there if track.bundle}
        for track in pair:
            if track.id not in names or track.id not in facts:
                raise Refused(f"{track.name} has no sound", "plan the mix again without it")
        return plan, facts, names, place

    # ------------------------------------------------------------------ plans

    def _check_idle(self, name: str) -> None:
        """Refuse what would take away the plan that is performed."""
        if self._live is not None and self._live.state and self._live.state.name == name:
            raise Refused(f'the mix "{name}" is performed', "stop it first: `sfa mix stop`")

    def _place(self, name: str) -> PlanStore:
        """Return where a plan of a name is: among the drafts, or among those that were named."""
        return self._drafts if DraftStore.NAME.fullmatch(name) else self._store

    async def _plan(self, name: str, actor: Actor) -> Plan:
        """Return a stored plan, if its sender sees all its tracks."""
        plan = await self._place(name).read(name)
        await self._check(plan, actor)
        return plan

    async def _checked(self, text: str, actor: Actor) -> Plan:
        plan = await asyncio.to_thread(read_plan, text)
        await self._check(plan, actor)
        return plan

    async def _check(self, plan: Plan, actor: Actor) -> None:
        """Refuse a plan that is too long, or has tracks that its sender does not see."""
        if len(plan.tracks) > MAX_TRACKS:
            raise Refused(f"the mix has {len(plan.tracks)} tracks", f"{MAX_TRACKS} at most")
        within = visible(actor)
        if within == EVERYTHING:
            return
        ids = [track.id for track in plan.tracks]
        async with self._context.database.reading() as connection:
            seen = {track.id for track in await tracks.listed(connection, ids, within)}
            there = {track.id for track in await tracks.listed(connection, ids)}
        if hidden := there - seen:
            raise Absent(f"no track {min(hidden)}", "the mix has tracks of another account")

    async def shown(
        self,
        name: str,
        plan: Plan,
        facts: dict[int, TrackFacts],
        notes: Sequence[str] = (),
        text: str | None = None,
    ) -> dict[str, Any]:
        """Return a plan, stored or not, as ``mix.show`` does."""
        values = await asyncio.to_thread(shown, plan, facts)
        if text is None:
            text = await asyncio.to_thread(write_plan, plan)
        return {
            "name": name,
            "path": str(self._place(name).path(name)),
            **values,
            "notes": list(notes),
            "text": text,
        }


def _check_name(name: str) -> None:
    """Refuse the name of a draft for a plan that is kept."""
    if DraftStore.NAME.fullmatch(name):
        raise Refused(f'"{name}" is the name of a draft', "choose another name")


def _ready(listed: Sequence[Track], notes: list[str]) -> list[Track]:
    """Return each prepared track once; what is left out is noted."""
    ready: dict[int, Track] = {}
    twice: dict[int, str] = {}
    waiting: dict[int, str] = {}
    for track in listed:
        if track.id in ready:
            twice[track.id] = track.name
        elif track.bundle is None or not track.duration_s:
            waiting[track.id] = track.name
        else:
            ready[track.id] = track
    notes += [f"{name} is twice in the list: used once" for name in twice.values()]
    notes += [f"{name} is not prepared yet: left out" for name in waiting.values()]
    if not ready:
        raise Refused("none of the tracks is prepared yet", "see `sfa jobs`, or `sfa prep`")
    return list(ready.values())


def _ordered(plan: Plan, place: int, order: Sequence[int]) -> Plan:
    """Return a plan whose tracks from a place on are in another order; its transitions are old."""
    rest = plan.tracks[place:]
    by_id = {track.id: track for track in rest}
    if sorted(order) != sorted(by_id):
        raise Refused(
            f"order is not of the {len(rest)} tracks from place {place + 1} on",
            "give each of them once",
        )
    for track, number in zip(rest, order, strict=True):
        if track.locked and track.id != number:
            raise Refused(f"the place of {track.name} is locked", "unlock it in the plan's text")
    pairs = set(pairwise(order))
    for each in plan.transitions[place:]:
        if each.locked and (each.out, each.into) not in pairs:
            names = f"{by_id[each.out].name} and {by_id[each.into].name}"
            raise Refused(f"{names} are locked together", "unlock them in the plan's text")
    return replace(plan, tracks=(*plan.tracks[:place], *(by_id[number] for number in order)))
