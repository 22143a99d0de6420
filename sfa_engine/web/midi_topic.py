"""The topic ``midi``: what controllers send; and learning one, for a client of the channel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfa_engine.web.debug import Newest
from sfa_engine.web.feed import Feed
from sfa_engine.web.link import Link
from sfa_engine.web.member import Member
from sfa_engine.web.problem import Problem
from sfa_engine.web.rights import Actor
from sfa_engine.web.topics import MIDI, STATE, Topic

LEARN = "midi.learn"
LEARN_TIMEOUT_S = 615.0  # the verb itself waits for up to 600
_MIDI = Topic(MIDI)
_NAME = "the engine"


def check(actor: Actor) -> None:
    """Refuse those who may not perform.

    Raises
    ------
    Problem
        403.
    """
    if "perform" not in actor.scopes:
        raise Problem(403, "this needs the scope perform", code="forbidden")


class Midi(Feed):
    """What the stage pushes of controllers' messages.

    Parameters
    ----------
    path : pathlib.Path
        Of the stage's socket.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _NAME, frozenset({"read"}))
        self._path = path
        self._members: dict[Member, Newest] = {}

    def join(self, member: Member) -> None:
        """Send messages from now on."""
        check(member.actor)
        self._members[member] = Newest()
        self.need(needed=True)
        if self.is_there:
            member.send(_MIDI, STATE, None, STATE)
        elif self.is_away:
            member.send_away(_MIDI)

    def leave(self, member: Member) -> None:
        """Send no more."""
        self._members.pop(member, None)
        member.drop(_MIDI, "messages")
        self.need(needed=bool(self._members))

    async def learn(self, member: Member, params: Mapping[str, Any]) -> Any:
        """Call ``midi.learn`` by a connection of its own, which ends it when it is closed.

        What is recognised meanwhile is sent as the event ``learning``.

        Raises
        ------
        Problem
            403.
        SfaError
            What the stage raised.
        """
        check(member.actor)

        def on_push(_method: str, pushed: Any) -> None:
            member.send(_MIDI, "learning", pushed)

        link = Link(self._path, _NAME, member.actor.scopes, on_push)
        try:
            return await link.call(LEARN, dict(params), LEARN_TIMEOUT_S, actor=member.actor)
        finally:
            await link.close()

    async def begin(self) -> None:
        await self.link.call("midi.monitor", {})

    def on_push(self, method: str, params: Any) -> None:
        if method == "midi.message":
            for member, newest in self._members.items():
                newest.put(params["items"], params["missed"])
                member.send_made(_MIDI, "messages", newest.take, "messages")

    def on_there(self) -> None:
        for member in self._members:
            member.send(_MIDI, STATE, None, STATE)

    def on_away(self) -> None:
        for member in self._members:
            member.send_away(_MIDI)
