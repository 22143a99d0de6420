"""A tool: one typed function that agents, models and MCP clients call, and what a run knows.

Each tool stands on verbs of the protocol, so that rights, owners and errors are those of any other
client, and so that it works in backstage and in a process beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from sfa_engine.agents.contract import Proposal
from sfa_engine.agents.tools.lock import check_lock
from sfa_engine.errors import Forbidden, Refused
from sfa_engine.wire.verbs import Scope

# What models and MCP clients may do, unless a person allows more. "library" and "admin" are never
# given: nothing of them can be undone.
USUAL_SCOPES: frozenset[Scope] = frozenset({"read", "propose"})
MOST_SCOPES: frozenset[Scope] = USUAL_SCOPES | {"prepare", "perform"}


class Call(Protocol):
    """Calls a verb of the engine, with the rights of the person who asks."""

    async def __call__(self, verb: str, **params: Any) -> Any:
        """Return the result of a verb.

        Raises
        ------
        SfaError
            As the verb does.
        """


@dataclass
class Workbench:
    """What the tools of one question share.

    Parameters
    ----------
    call : Call
    scopes : frozenset of Scope
        What the tools may do, whatever the person may.

    Attributes
    ----------
    tracks : set of int
        Tracks that a tool returned, or that the person named: no other may be used.
    auditioned : dict of str to dict
        Plans and transitions that were auditioned, with what was measured.
    plans : dict of str to dict
        Drafts that were planned, by their names, as ``mix.draft`` returned them.
    proposals : list of Proposal
        What was proposed; stored when the question ends.
    """

    call: Call
    scopes: frozenset[Scope] = USUAL_SCOPES
    tracks: set[int] = field(default_factory=set)
    auditioned: dict[str, dict[str, Any]] = field(default_factory=dict)
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)

    def check_track(self, track: int) -> int:
        """Return a track's number, if a tool has returned it or the person has named it.

        Raises
        ------
        Refused
            Neither is so.
        """
        if track not in self.tracks:
            raise Refused(
                f"no tool has returned a track {track}", "search first, and use numbers of results"
            )
        return track


@dataclass(frozen=True)
class AgentTool:
    """A tool.

    Attributes
    ----------
    name : str
    sentence : str
        What it does.
    params : type of msgspec.Struct
        All fields are required, and no other is taken.
    answer : type of msgspec.Struct
    scope : Scope
    is_read_only : bool
        Whether it changes nothing, not even a draft.
    run : callable
        Called with the workbench and the parameters.
    """

    name: str
    sentence: str
    params: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    scope: Scope
    is_read_only: bool
    run: Callable[[Workbench, Any], Awaitable[msgspec.Struct]]

    async def use(self, bench: Workbench, params: msgspec.Struct) -> Any:
        """Run the tool, if the workbench has its scope.

        Raises
        ------
        Forbidden
            It has not.
        Locked
            ``session.lock`` is on, and the tool does more than read.
        SfaError
            As the verbs do that it stands on.
        """
        if self.scope not in bench.scopes:
            raise Forbidden(
                f'{self.name} needs the scope "{self.scope}"',
                f"what was given is {', '.join(sorted(bench.scopes))}",
            )
        await check_lock(bench.call, self.name, self.scope)
        return await self.run(bench, params)

    async def use_json(self, bench: Workbench, params: Any) -> msgspec.Struct:
        """Run the tool with plain values, as a model or an MCP client sends them.

        Raises
        ------
        Refused
            They are not what the tool takes; the message names the field.
        SfaError
            As `use`.
        """
        try:
            checked = msgspec.convert(params, self.params, strict=True)
        except (msgspec.ValidationError, RecursionError) as error:
            raise Refused(
                f"{self.name}: {str(error).partition(chr(10))[0]:.200}",
                f"it takes {', '.join(self.params.__struct_fields__)}",
            ) from None
        answer: msgspec.Struct = await self.use(bench, checked)
        return answer
