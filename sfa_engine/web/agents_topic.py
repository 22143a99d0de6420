"""The topic ``agents``: a model's words as they come; and questions of a client of the channel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sfa_engine.web.link import Links
from sfa_engine.web.member import Member
from sfa_engine.web.rights import Actor
from sfa_engine.web.topics import AGENTS, STATE, Topic

ASK = "agents.ask"
_AGENTS = Topic(AGENTS)
_PIECE = "agents.piece"


class Call(Protocol):
    """Calls a verb with a sender's rights, by connections of the sender's own; see `Calls.call`."""

    async def __call__(
        self, actor: Actor, name: str, params: Mapping[str, Any], *, own: Links | None
    ) -> Any: ...


class Agents:
    """Asks agents for clients of the channel, each question by a connection of its own.

    Backstage cancels a question when its connection ends: so it does when the client leaves.

    Parameters
    ----------
    path : pathlib.Path
        Of backstage's socket.
    call : callable
    """

    def __init__(self, path: Path, call: Call) -> None:
        self._path = path
        self._call = call

    def join(self, member: Member) -> None:
        """Send what models say to the member's questions from now on."""
        member.send(_AGENTS, STATE, None, STATE)

    async def ask(self, member: Member, params: Mapping[str, Any]) -> Any:
        """Call ``agents.ask``; what a model says meanwhile is sent as the event ``piece``.

        Raises
        ------
        Problem
            The sender may not, or asked too often.
        SfaError
            What backstage raised.
        """
        links = Links(self._path, "backstage", _Words(member).add)
        try:
            return await self._call(member.actor, ASK, params, own=links)
        finally:
            await links.close()


class _Words:
    """What a model said and a client was not sent yet: one message, however slowly it reads."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._text = ""

    def add(self, method: str, params: Any) -> None:
        """Take words over."""
        if method != _PIECE or _AGENTS not in self._member.joined:
            return
        self._text += params["text"]
        stream = params["stream"]
        self._member.send_made(_AGENTS, "piece", lambda: self._take(stream), self)

    def _take(self, stream: str) -> dict[str, Any]:
        text, self._text = self._text, ""
        return {"stream": stream, "text": text}
