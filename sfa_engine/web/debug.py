"""The topics ``log`` and ``trace``: for users who look for a fault, with ``debug`` on."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sfa_engine.system.log import unescape
from sfa_engine.system.log_tail import PROCESSES, Record, Tail
from sfa_engine.web.feed import Feed
from sfa_engine.web.member import Member
from sfa_engine.web.problem import Problem, described
from sfa_engine.web.rights import Actor
from sfa_engine.web.topics import LOG, STATE, TRACE, Topic

logger = logging.getLogger(__name__)
POLL_S = 0.5  # between two reads of the logs
BEGIN_BYTES = 16_384  # of each log, for one who joins: some hundred lines
MAX_ITEMS = 500  # that wait for a client; the newest count
_LOG, _TRACE = Topic(LOG), Topic(TRACE)


class Newest:
    """What waits for one client: the newest items, and how many were skipped."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque(maxlen=MAX_ITEMS)
        self._missed = 0

    def put(self, items: Sequence[Any], missed: int = 0) -> None:
        """Add items."""
        over = len(self._items) + len(items) - MAX_ITEMS
        self._missed += missed + max(0, over)
        self._items += items

    def take(self) -> dict[str, Any]:
        """Return the data of a message."""
        items, missed = list(self._items), self._missed
        self._items.clear()
        self._missed = 0
        return {"items": items, "missed": missed}


class Debug:
    """Both topics.

    Parameters
    ----------
    engine : pathlib.Path
        Of the stage's socket.
    logs : pathlib.Path
        Folder of the logs.
    is_on : callable
        Returns whether an account has ``debug`` on.
    """

    def __init__(self, engine: Path, logs: Path, is_on: Callable[[int], bool]) -> None:
        self._is_on = is_on
        self._trace = Trace(engine)
        self._log = Log(logs)

    def check(self, actor: Actor, topic: Topic) -> None:
        """Refuse one of the topics to an actor who may not have it.

        Raises
        ------
        Problem
            403.
        """
        # Any account's files and links may be in the log.
        if topic.kind == LOG and not (actor.has("admin") and "admin" in actor.scopes):
            raise Problem(403, "the log is for admins", "ask one", code="forbidden")
        if topic.kind == TRACE and "perform" not in actor.scopes:
            raise Problem(403, "this needs the scope perform", code="forbidden")
        if not self._is_on(actor.account):
            hint = "switch `debug` on in your settings"
            raise Problem(403, f"{topic} is for users with debug on", hint, code="forbidden")

    def join(self, member: Member, topic: Topic) -> None:
        """Send what is there, and what comes."""
        self.check(member.actor, topic)
        (self._log if topic.kind == LOG else self._trace).join(member)

    def leave(self, member: Member, topic: Topic) -> None:
        """Send no more."""
        (self._log if topic.kind == LOG else self._trace).leave(member)

    def recheck(self, member: Member) -> None:
        """End the topics that a client may not have any more."""
        for topic in [each for each in member.joined if each.kind in {LOG, TRACE}]:
            try:
                self.check(member.actor, topic)
            except Problem as problem:
                member.joined.pop(topic, None)
                self.leave(member, topic)
                member.send(topic, "error", described(problem))

    async def run(self) -> None:
        """Run until cancelled."""
        await asyncio.gather(self._trace.run(), self._log.run())


class Trace(Feed):
    """What the stage pushes of the kernel's reports.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the engine", frozenset({"perform"}))
        self._members: dict[Member, Newest] = {}

    def join(self, member: Member) -> None:
        """Send reports from now on."""
        self._members[member] = Newest()
        self.need(needed=True)
        if self.is_there:
            member.send(_TRACE, STATE, None, STATE)
        elif self.is_away:
            member.send_away(_TRACE)

    def leave(self, member: Member) -> None:
        """Send no more."""
        self._members.pop(member, None)
        member.drop(_TRACE, "events")
        self.need(needed=bool(self._members))

    async def begin(self) -> None:
        await self.link.call("trace", {})

    def on_push(self, method: str, params: Any) -> None:
        if method == "trace":
            for member, newest in self._members.items():
                newest.put(params["items"], params["missed"])
                member.send_made(_TRACE, "events", newest.take, "events")

    def on_there(self) -> None:
        for member in self._members:
            member.send(_TRACE, STATE, None, STATE)

    def on_away(self) -> None:
        for member in self._members:
            member.send_away(_TRACE)


class Log:
    """The lines of all processes' logs, which are read while somebody has joined.

    Parameters
    ----------
    folder : pathlib.Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members: dict[Member, Newest] = {}
        self._recent: deque[dict[str, Any]] = deque(maxlen=MAX_ITEMS)  # for one who joins later
        self._needed = asyncio.Event()

    def join(self, member: Member) -> None:
        """Send the latest lines, and those that are written from now on."""
        newest = self._members[member] = Newest()
        if self._recent:
            newest.put(list(self._recent))
            member.send_made(_LOG, "lines", newest.take, "lines")
        self._needed.set()

    def leave(self, member: Member) -> None:
        """Send no more."""
        self._members.pop(member, None)
        member.drop(_LOG, "lines")
        if not self._members:
            self._needed.clear()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._needed.wait()
            tails = {name: Tail(self._folder / f"{name}.log", BEGIN_BYTES) for name in PROCESSES}
            try:
                while self._members:
                    self._send(await asyncio.to_thread(_read, tails))
                    await asyncio.sleep(POLL_S)
            finally:
                self._recent.clear()
                for tail in tails.values():
                    tail.close()

    def _send(self, lines: Sequence[dict[str, Any]]) -> None:
        self._recent += lines
        for member, newest in self._members.items():
            if lines:
                newest.put(lines)
                member.send_made(_LOG, "lines", newest.take, "lines")


def _read(tails: dict[str, Tail]) -> list[dict[str, Any]]:
    """Return what the logs have got since the last call, by time. Blocks."""

    def of(name: str, tail: Tail) -> list[tuple[str, Record]]:
        try:
            return [(name, record) for record in tail.read()]
        except OSError as error:
            return [(name, Record(0.0, "error", "", name, f"its log cannot be read: {error}"))]

    merged = heapq.merge(*(of(*each) for each in tails.items()), key=lambda one: one[1].at_s)
    return [
        {
            "at_s": record.at_s,
            "level": record.level,
            "process": record.process or name,
            "text": unescape(record.message),
        }
        for name, record in merged
    ][-MAX_ITEMS:]
