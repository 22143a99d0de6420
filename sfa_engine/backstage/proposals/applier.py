"""Stores proposals, applies them, undoes them; after a crash nothing half done is left.

::

    apply   open ─► applying ─► a step: its verb's transaction ──────────► … ─► applied
                                  begin: is all as it was left?
                                  commit: + what undoes it                 failed: all is undone
    undo    applied ─► the rows are as before, in one transaction ─► undone

A plan is a file: what undoes it is stored before the step, and `recover` compares the file.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from sfa_engine.agents import proposal_store as store
from sfa_engine.agents.contract import Proposal, Step
from sfa_engine.agents.proposal_store import StoredProposal, Undo
from sfa_engine.backstage.access import CHANGE, check_number, visible
from sfa_engine.backstage.audit import on_the_way, part
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.mixes.store import PlanStore, digest_of
from sfa_engine.backstage.proposals.basis import (
    HERE,
    Basis,
    basis_of,
    change_since,
    check_numbers,
    check_same,
    plan_label,
)
from sfa_engine.backstage.proposals.rules import Work, work_of
from sfa_engine.backstage.verb_caller import VerbCaller
from sfa_engine.errors import Refused, SfaError
from sfa_engine.library import audit
from sfa_engine.library.database import WATCHER, Connection
from sfa_engine.library.row_images import Image, differences, image_of, restore, tracks_of
from sfa_engine.library.tracks import listed, settle
from sfa_engine.wire.rights import SYSTEM, Actor

PutBack = Callable[[str, str | None, str], Awaitable[None]]

logger = logging.getLogger(__name__)
PAGE = 500  # numbers of a query
ENDED = "backstage ended while it was applied: nothing of it was left"
COMPLETED = "backstage ended while it was undone: that was completed"
ENDED_MIDWAY = "backstage ended midway, and what was done stays"
EDITED = "its plan was edited while backstage was away: it stays as it is"


@dataclass(frozen=True)
class Prepared:
    """A proposal that can be stored, and what it is based on."""

    proposal: Proposal
    basis: Basis


class Applier:
    """Stores, applies and undoes proposals, one at a time.

    Parameters
    ----------
    context : PrepContext
    caller : VerbCaller
    put_back : callable
        Gives a plan the text that it had before, see `MixVerbs.put_back`.
    now : callable
        Seconds since 1970.
    """

    def __init__(
        self,
        context: PrepContext,
        caller: VerbCaller,
        put_back: PutBack,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._database = context.database
        self._caller = caller
        self._put_text_back = put_back
        self._plans = PlanStore(context.settings.data)
        self.now = now
        self._turn = asyncio.Lock()

    # ------------------------------------------------------------------ storing

    async def prepared(self, actor: Actor, proposal: Proposal) -> Prepared:
        """Return a proposal that can be stored for an actor, with what it is based on.

        Raises
        ------
        Refused
            It is too large, would call or change what it may not, or does not fit what is there.
        """
        proposal = store.checked(proposal)
        work = work_of(proposal.kind, proposal.steps, proposal.tracks)
        for step in work.steps:
            self._caller.parse(step.verb, step.params)
        image, basis = await self._basis(work)
        missing = sorted(n for n in work.tracks if basis[f"track {n}"] != HERE)
        missing += await self._unseen(actor, work)
        if missing:
            raise Refused(f"no track {missing[0]}", "it was removed, or is another account's")
        check_numbers(image, work)
        for step in proposal.steps:
            was = step.params.get("was")
            if was is not None and was != basis[plan_label(step.params["name"])]:
                raise Refused(f'the mix "{step.params["name"]}" was changed meanwhile', "ask again")
        return Prepared(proposal, basis)

    async def keep(self, actor: Actor, agent: str, ready: Prepared) -> int:
        """Store a proposal for an actor's account; return its number."""
        async with self._database.transaction(durable=False) as connection:
            return await store.add(
                connection, actor.account, agent, ready.proposal, ready.basis, self.now()
            )

    async def _unseen(self, actor: Actor, work: Work) -> list[int]:
        """Return the numbers of the tracks that an actor does not see."""
        numbers, seen = sorted(work.tracks), set()
        async with self._database.reading() as connection:
            for at in range(0, len(numbers), PAGE):
                page = numbers[at : at + PAGE]
                seen |= {t.id for t in await listed(connection, page, visible(actor))}
        return [number for number in numbers if number not in seen]

    async def _basis(self, work: Work) -> tuple[Image, Basis]:
        """Return what a proposal would change, as it is now, and its digests."""
        plans = {
            plan_label(name): digest_of(await self._plans.text_or_none(name))
            for name in sorted(work.plans)
        }
        async with self._database.reading() as connection:
            image = await image_of(connection, work.targets)
            return image, {**await basis_of(connection, image, work), **plans}

    async def stale(self, found: StoredProposal) -> str:
        """Return why an open proposal does not fit any more; empty if it does."""
        try:
            work = work_of(found.kind, found.steps, found.tracks)
            image, now = await self._basis(work)
            check_numbers(image, work)
        except Refused as error:
            return error.message
        return change_since(found.basis, now)

    # ------------------------------------------------------------------ applying

    async def apply(self, number: int, actor: Actor, *, force: bool = False) -> StoredProposal:
        """Apply a proposal by the verbs of its steps, with the rights of an actor.

        Raises
        ------
        Refused
            It is not open, does not fit any more, or the actor may not; nothing was changed.
        SfaError
            A step failed; what the others had done is undone.
        """
        self._context.session.check("applying a proposal", force=force)
        async with self._turn:
            found = await self.get(actor, number)
            if found.state != "open":
                raise store.refusal(number, found.state)
            work = work_of(found.kind, found.steps, found.tracks)
            for step in work.steps:
                self._caller.check(actor, step.verb, step.params)
            image, now = await self._basis(work)
            check_same(number, found.basis, now)
            check_numbers(image, work)
            async with self._database.reading() as connection:
                for track in sorted(work.targets.cues | work.targets.grids):
                    await check_number(connection, actor, CHANGE, track)
            with on_the_way():
                async with self._database.transaction() as connection:
                    await store.move(connection, number, "open", "applying", self.now())
            try:
                with on_the_way():  # a step has a row of its own
                    await self._run(found, work, actor)
                async with self._database.transaction() as connection:
                    await store.move(connection, number, "applying", "applied", self.now())
            except Exception as error:
                with on_the_way():
                    await self._roll_back(found, error)
                raise
        return await self.get(actor, number)

    async def get(self, actor: Actor, number: int) -> StoredProposal:
        """Return a proposal of an actor's account; errors are those of `proposal_store.get`."""
        async with self._database.reading() as connection:
            return await store.get(connection, actor.account, number)

    async def _run(self, found: StoredProposal, work: Work, actor: Actor) -> None:
        """Run the steps of a proposal."""
        surface = f"agent {found.agent}"
        recorder = _Recorder(found, work)
        for step in work.steps:
            if work.plans:
                await self._run_on_plan(recorder, step, actor, surface)
                continue
            mark = WATCHER.set(recorder)
            recorder.is_on = True
            try:
                await self._caller.call(actor, surface, step.verb, step.params)
            finally:
                recorder.is_on = False  # tasks that the verb began have its context too
                WATCHER.reset(mark)

    async def _run_on_plan(
        self, recorder: _Recorder, step: Step, actor: Actor, surface: str
    ) -> None:
        """Run a step on a plan; what undoes it is stored before."""
        name = step.params["name"]
        before = await self._plans.text_or_none(name)
        recorder.check({plan_label(name): digest_of(before)})
        await self._store_undo(recorder, Undo(plan=name, before=before))
        params = dict(step.params)
        if step.verb == "mix.save":
            params["was"] = digest_of(before)
        await self._caller.call(actor, surface, step.verb, params)
        after = digest_of(await self._plans.text_or_none(name))
        recorder.undo.pop()
        await self._store_undo(recorder, Undo(plan=name, before=before, after=after))
        recorder.expected[plan_label(name)] = after

    async def _store_undo(self, recorder: _Recorder, undo: Undo) -> None:
        recorder.undo.append(undo)
        async with self._database.transaction() as connection:
            await store.set_undo(connection, recorder.number, recorder.undo)

    async def _roll_back(self, found: StoredProposal, error: Exception) -> None:
        """Undo what the steps of a proposal did before one failed."""
        note = error.message if isinstance(error, SfaError) else "a fault in the engine"
        try:
            async with self._database.reading() as connection:
                found = await store.get(connection, found.account, found.id)
            await self._put_back(found, "failed", note)
        except Refused as conflict:  # somebody else changed it in the same moment
            logger.warning("proposal %d: %s", found.id, conflict)
            note = f"{note}; what was done stays: {conflict.message}"
            async with self._database.transaction() as connection:
                await store.move(connection, found.id, "applying", "failed", self.now(), note)
        except SfaError as worse:  # the disk is full: `recover` undoes it at the next start
            logger.error("proposal %d is not undone: %s", found.id, worse)  # noqa: TRY400 - one line

    # ------------------------------------------------------------------ undoing

    async def undo(self, number: int, actor: Actor, *, force: bool = False) -> StoredProposal:
        """Undo a proposal that was applied: rows and plan are as they were before.

        Raises
        ------
        Refused
            It was not applied, the actor may not, or what it changed was changed since.
        """
        self._context.session.check("undoing a proposal", force=force)
        async with self._turn:
            found = await self.get(actor, number)
            if found.state != "applied":
                raise store.refusal(number, found.state)
            for step in work_of(found.kind, found.steps, found.tracks).steps:
                self._caller.check(actor, step.verb, step.params)
            await self._put_back(found, "undone", "", actor)
        return await self.get(actor, number)

    async def _put_back(
        self, found: StoredProposal, after: store.State, note: str, actor: Actor | None = None
    ) -> None:
        """Undo what was recorded of a proposal, and change its state."""
        if found.kind == "plan":
            await self._put_plan_back(found, after, note)
            return
        changes = [each.rows for each in reversed(found.undo)]
        tracks = sorted({track for rows in changes for track in tracks_of(rows)})
        async with _row_of(tracks), self._database.transaction() as connection:
            for track in tracks if actor is not None else []:
                await check_number(connection, actor or SYSTEM, CHANGE, track)
            for rows in changes:
                await restore(connection, rows)
            for track in tracks:
                await settle(connection, track)
            await self._end(connection, found, found.state, after, note)
        for track in tracks:
            try:
                await self._context.update_manifest(track)
            except SfaError as error:  # `library check` finds it
                logger.warning("track %d: %s", track, error)

    async def _put_plan_back(self, found: StoredProposal, after: store.State, note: str) -> None:
        """Put the plan back that a proposal changed."""
        state: store.State = found.state
        if after == "undone":
            state = "undoing"
            with on_the_way():
                async with self._database.transaction() as connection:
                    await store.move(connection, found.id, found.state, state, self.now())
        if found.undo:
            first, last = found.undo[0], found.undo[-1]
            now = digest_of(await self._plans.text_or_none(first.plan))
            try:
                if now != digest_of(first.before):
                    made = last.after or _text_digest(found) or now
                    await self._put_text_back(first.plan, first.before, made)
            except SfaError:
                if state == "undoing":
                    with on_the_way():
                        async with self._database.transaction() as connection:
                            await store.move(connection, found.id, state, "applied", self.now())
                raise
        async with self._database.transaction() as connection:
            await self._end(connection, found, state, after, note)

    async def _end(
        self,
        connection: Connection,
        found: StoredProposal,
        before: store.State,
        after: store.State,
        note: str,
    ) -> None:
        """Change the state of a proposal of which nothing is left.

        Unless a person has undone it, this is a row of the audit log.
        """
        await store.move(connection, found.id, before, after, self.now(), note)
        if after == "open":
            await store.set_undo(connection, found.id, ())
        if note:
            await self._write_down(connection, found, note)

    # ------------------------------------------------------------------ after a crash

    async def recover(self) -> None:
        """Undo what was being applied when backstage was killed; complete what was being undone.

        What fails is tried again at the next start.
        """
        async with self._database.reading() as connection:
            unfinished = await store.unfinished(connection)
        for account, number in unfinished:
            try:
                async with self._database.reading() as connection:
                    found = await store.get(connection, account, number)
                await self._recover(found)
            except SfaError as error:
                logger.warning("proposal %d: %s", number, error)

    async def _recover(self, found: StoredProposal) -> None:
        try:
            if found.kind == "plan":
                await self._recover_plan(found)
            else:
                await self._put_back(found, "open", ENDED)
        except Refused as error:
            note = f"{ENDED_MIDWAY}: {error.message}"
            async with self._database.transaction() as connection:
                await self._end(connection, found, found.state, "failed", note)

    async def _recover_plan(self, found: StoredProposal) -> None:
        """Decide by its file what became of a plan, and complete or undo it."""
        after: store.State = "undone" if found.state == "undoing" else "open"
        note = COMPLETED if after == "undone" else ENDED
        first = found.undo[0] if found.undo else None
        if first is not None:
            now = digest_of(await self._plans.text_or_none(first.plan))
            if now != digest_of(first.before):
                made = found.undo[-1].after or _text_digest(found)
                if made and now != made:
                    after, note = ("applied" if after == "undone" else "failed"), EDITED
                else:
                    await self._put_text_back(first.plan, first.before, now)
        async with self._database.transaction() as connection:
            await self._end(connection, found, found.state, after, note)

    async def _write_down(self, connection: Connection, found: StoredProposal, note: str) -> None:
        """Write a row of the audit log for what no person has asked for."""
        entry = audit.Entry(
            at_s=self.now(),
            account=found.account,
            actor=SYSTEM.name,
            role=SYSTEM.role,
            surface=f"agent {found.agent}",
            address="",
            verb="proposals.undo",
            target=f"proposal {found.id}",
            params={"proposal": found.id, "why": note},
        )
        await audit.add(connection, entry)


class _Recorder:
    """Watches the transactions of steps: refuses surprises, records what undoes each step."""

    def __init__(self, found: StoredProposal, work: Work) -> None:
        self.number = found.id
        self.undo: list[Undo] = []
        self.expected: Basis = dict(found.basis)
        self.is_on = False
        self._work = work
        self._before: Image = {}

    def check(self, now: Basis) -> None:
        """Refuse a change by others since the step before."""
        expected = {name: digest for name, digest in self.expected.items() if name in now}
        changed = change_since(expected, now)
        if changed:
            self.is_on = False
            raise Refused(f"{changed} while it was applied", "ask the agent again")

    async def begun(self, connection: Connection) -> None:
        if not self.is_on:
            return
        self._before = await image_of(connection, self._work.targets)
        self.check(await basis_of(connection, self._before, self._work))

    async def committing(self, connection: Connection) -> None:
        if not self.is_on:
            return
        after = await image_of(connection, self._work.targets)
        changes = differences(self._before, after)
        if changes:
            self.undo.append(Undo(rows=tuple(changes)))
            await store.set_undo(connection, self.number, self.undo)
        self.expected |= await basis_of(connection, after, self._work)


def _row_of(tracks: Sequence[int]) -> AbstractAsyncContextManager[None]:
    """Return a block whose change of some tracks is a row of the audit log."""
    if not tracks:
        return nullcontext()
    return part(tracks[0]) if len(tracks) == 1 else part(numbers=tracks)


def _text_digest(found: StoredProposal) -> str:
    """Return the digest of the text that a proposal saves last; empty if that is not known."""
    last: dict[str, Any] = found.steps[-1].params if found.steps else {}
    text = last.get("text")
    return digest_of(text) if isinstance(text, str) else ""
