"""``proposals.*``: what agents propose, applied and undone by a person.

Each account has its own. Nothing of `sfa_engine.agents` is imported before one of these verbs is
called, unless a crash left a proposal half applied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sfa_engine.backstage.access import By
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.job_store import LAST
from sfa_engine.backstage.verb_caller import VerbCaller
from sfa_engine.backstage.verbs.mixes import MixVerbs
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.errors import SfaError
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import NO_NUL, Count, Text, verb

if TYPE_CHECKING:
    from sfa_engine.agents.proposal_store import StoredProposal
    from sfa_engine.backstage.proposals.applier import Applier

logger = logging.getLogger(__name__)
MAX_LISTED = 500
MAX_TRACKS = 1000  # of a proposal
# As `agents.proposal_store` has them, which is not imported here.
State = Literal["open", "applying", "applied", "dropped", "undoing", "undone", "failed"]
Number = Annotated[int, Meta(ge=1, le=1 << 53)]
Word = Annotated[str, Meta(max_length=100, pattern=NO_NUL)]


class DraftStep(msgspec.Struct):
    """A step of a proposal, as `agents.contract.Step`."""

    verb: Word
    params: dict[str, Any]


class Draft(msgspec.Struct):
    """A proposal of another process, as `agents.contract.Proposal`."""

    kind: Literal["cues", "playlist", "grid", "plan"]
    title: Text
    reason: Text
    steps: list[DraftStep]
    details: dict[str, Any]
    tracks: Annotated[list[Number], Meta(max_length=MAX_TRACKS)] = []
    audition: Word = ""


class ProposalVerbs:
    """The verbs on proposals.

    Parameters
    ----------
    context : PrepContext
    caller : VerbCaller
        It calls the verbs of their steps.
    mixes : MixVerbs
    """

    def __init__(self, context: PrepContext, caller: VerbCaller, mixes: MixVerbs) -> None:
        self._context = context
        self._database = context.database
        self._make: Callable[[], Applier] = lambda: _applier(context, caller, mixes)
        self._made: Applier | None = None

    @property
    def applier(self) -> Applier:
        """What stores and applies proposals, made at the first use."""
        if self._made is None:
            self._made = self._make()
        return self._made

    async def recover(self) -> None:
        """Complete or undo what a crash has left half done."""
        try:
            found = await self._database.fetch(
                "SELECT 1 FROM proposals WHERE state IN ('applying', 'undoing') LIMIT 1"
            )
            if found:
                await self.applier.recover()
        except SfaError as error:  # backstage starts all the same
            logger.warning("proposals are not recovered: %s", error)

    @verb(scope="read", owned=True)
    async def proposals_list(
        self,
        states: Annotated[list[State], Meta(max_length=7)] = [],  # noqa: B006 - never changed
        everything: bool = False,
        limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100,
        before: Count = LAST,
        actor: By = SYSTEM,
    ) -> dict[str, Any]:
        """Return the account's proposals, newest first: the open ones, of some states, or all.

        They come without steps and details.
        """
        from sfa_engine.agents import proposal_store as store

        async with self._database.reading() as connection:
            wanted = [] if everything else states or ["open"]
            found = await store.listed(connection, actor.account, wanted, before, limit)
        for each in found:
            del each["account"]
        return {"proposals": fit_in_frame(found)}

    @verb(scope="read", owned=True)
    async def proposals_show(self, proposal: Number, actor: By = SYSTEM) -> dict[str, Any]:
        """Return a proposal with its steps and details.

        ``stale`` says why an open one does not fit any more; it is empty if it does.
        """
        found = await self.applier.get(actor, proposal)
        stale = await self.applier.stale(found) if found.state == "open" else ""
        return {**shown(found), "stale": stale}

    @verb(scope="propose", owned=True)
    async def proposals_add(
        self, proposal: Draft, agent: Annotated[Word, Meta(min_length=1)], actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Store a proposal of another process, as of an AI client; return its number.

        It may do no more than one of ours: see ``proposals.apply``.
        """
        from sfa_engine.agents.contract import Proposal

        given = msgspec.convert(msgspec.to_builtins(proposal), Proposal)
        ready = await self.applier.prepared(actor, given)
        return {"id": await self.applier.keep(actor, agent, ready)}

    @verb(scope="propose", slow=True, owned=True)
    async def proposals_apply(
        self, proposal: Number, force: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Apply a proposal: call the verbs of its steps, whose scopes are needed too.

        It is refused if what it changes is not as it was when it was proposed. If a step fails,
        what the others did is undone. ``force`` overrules ``session.lock``.
        """
        return shown(await self.applier.apply(proposal, actor, force=force))

    @verb(scope="propose", owned=True)
    async def proposals_drop(self, proposal: Number, actor: By = SYSTEM) -> dict[str, Any]:
        """Drop an open proposal."""
        from sfa_engine.agents import proposal_store as store

        async with self._database.transaction() as connection:
            state = await store.state_of(connection, actor.account, proposal)
            if state != "open":
                raise store.refusal(proposal, state)
            await store.move(connection, proposal, "open", "dropped", self.applier.now())
        return {"dropped": proposal}

    @verb(scope="propose", slow=True, owned=True)
    async def proposals_undo(
        self, proposal: Number, force: bool = False, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Undo a proposal that was applied: what it changed is as before.

        The scopes of its steps are needed. It is refused if that was changed since. ``force``
        overrules ``session.lock``.
        """
        return shown(await self.applier.undo(proposal, actor, force=force))


def shown(found: StoredProposal) -> dict[str, Any]:
    """Return a proposal as plain values, without what is only for undoing it."""
    said: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("account", "basis", "undo"):
        del said[name]
    return said


def _applier(context: PrepContext, caller: VerbCaller, mixes: MixVerbs) -> Applier:
    from sfa_engine.backstage.proposals.applier import Applier

    return Applier(context, caller, mixes.put_back)
