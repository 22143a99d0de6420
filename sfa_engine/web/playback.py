"""The topic ``playback``: the engine's values and readings, by one ``watch`` for all clients."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.web.anchor import NAMES, Anchor, anchor_of, next_anchor
from sfa_engine.web.feed import Feed
from sfa_engine.web.member import Member
from sfa_engine.web.problem import Problem, described
from sfa_engine.web.topics import PLAYBACK, Topic

RATE_HZ = 30.0
MAX_PATHS = 200  # names or patterns of one client
MAX_VALUES = 2000  # of one client
CHUNK = 1000  # paths of one `unwatch`
ANCHOR_PATTERNS = [f"deck?.{name}" for name in NAMES]
# For a client that names none. In a pattern a star stands for dots too.
DEFAULT_PATHS = (
    *(f"deck?.{name}" for name in ("play", "position", "rate", "tempo", "beat", "loaded")),
    *(f"deck?.{name}" for name in ("duration", "title", "artist", "sync", "fader", "level")),
    *(f"deck?.stem.*.{name}" for name in ("volume", "mute", "level")),
    *("crossfader", "master.volume", "master.level", "clock.tempo"),
)
_TOPIC = Topic(PLAYBACK)


class Playback(Feed):
    """Passes on what the engine pushes.

    Parameters
    ----------
    path : pathlib.Path
        Of the stage's socket.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the engine")
        self._patterns: dict[Member, tuple[str, ...]] = {}
        self._names: dict[Member, tuple[str, ...]] = {}
        self._values: dict[str, Any] = {}
        self._watched: frozenset[str] = frozenset()  # what anchors are made of
        self._anchors: dict[str, Anchor] = {}
        self._turn = asyncio.Lock()  # what one leaves another may just be joining

    # ---------------------------------------------------------------- members

    def join(self, member: Member, patterns: Sequence[str] | None) -> None:
        """Send names and values, now or when the engine is there, and what changes from then on."""
        self._patterns[member] = tuple(patterns or DEFAULT_PATHS)
        self.need(needed=True)
        if self.is_there:
            self.spawn(self._watch_for(member))
        elif self.is_away:
            member.send_away(_TOPIC)

    def leave(self, member: Member) -> None:
        """Send no more."""
        self._patterns.pop(member, None)
        names = self._names.pop(member, ())
        for key in ("names", "values"):
            member.drop(_TOPIC, key)
        self.need(needed=bool(self._patterns))
        if self.is_there:
            self.spawn(self._unwatch(names))

    # ---------------------------------------------------------------- the feed

    async def begin(self) -> None:
        self._values.clear()
        self._anchors.clear()
        self._watched = frozenset(await self._watch(ANCHOR_PATTERNS))

    def on_there(self) -> None:
        for member in self._patterns:
            self.spawn(self._watch_for(member))

    def on_away(self) -> None:
        self._names.clear()
        for member in self._patterns:
            member.drop(_TOPIC, "values")
            member.send_away(_TOPIC)

    def on_push(self, method: str, params: Any) -> None:
        if method != "changed":
            return
        values = params["values"]
        self._values |= values
        for member, names in self._names.items():
            if not values.keys().isdisjoint(names):
                self._send_values(member)
        self._send_anchors(self._due_anchors())

    # ---------------------------------------------------------------- sending

    def _send_values(self, member: Member) -> None:
        def made() -> Any:
            names = self._names.get(member, ())
            return member.form.encode_values([self._values.get(name) for name in names])

        member.send_made(_TOPIC, "values", made, "values")

    def _due_anchors(self) -> list[Anchor]:
        """Return the anchors of decks that moved otherwise than the last ones say."""
        now_s = asyncio.get_running_loop().time()
        due = []
        for deck in self._decks():
            anchor = anchor_of(deck, self._values, now_s)
            fresh = next_anchor(self._anchors.get(deck), anchor)
            if fresh is not None:
                self._anchors[deck] = fresh
                due.append(fresh)
        return due

    def _decks(self) -> list[str]:
        ends = ".position"
        return sorted(path.removesuffix(ends) for path in self._watched if path.endswith(ends))

    def _send_anchors(self, anchors: Sequence[Anchor]) -> None:
        for member in self._names:
            for anchor in anchors:
                _send_anchor(member, anchor)

    # ---------------------------------------------------------------- watching

    async def _watch(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Watch some paths; return their names."""
        found = await self.link.call("watch", {"paths": list(patterns), "rate_hz": RATE_HZ})
        self._values |= found["values"]
        return tuple(found["values"])

    async def _watch_for(self, member: Member) -> None:
        async with self._turn:
            await self._watch_in_turn(member)

    async def _watch_in_turn(self, member: Member) -> None:
        try:
            names = await self._watch(self._patterns.get(member, ()))
        except EngineError:
            return  # the feed begins again, and comes back to this
        except SfaError as error:
            self._refuse(member, error)
            return
        if len(names) > MAX_VALUES:
            much = f"the paths mean {len(names)} values"
            self._refuse(member, Problem(422, much, f"give paths of {MAX_VALUES} at most"))
        if member not in self._patterns:  # it left meanwhile
            await self._unwatch_in_turn(names)
            return
        self._names[member] = names
        member.drop(_TOPIC, "values")
        member.send(_TOPIC, "names", list(names), "names")
        self._send_values(member)
        self._due_anchors()
        for anchor in self._anchors.values():
            _send_anchor(member, anchor)

    async def _unwatch(self, names: Sequence[str]) -> None:
        """Watch those no more that no other client needs."""
        async with self._turn:
            await self._unwatch_in_turn(names)

    async def _unwatch_in_turn(self, names: Sequence[str]) -> None:
        needed = {name for each in self._names.values() for name in each} | self._watched
        unneeded = [name for name in names if name not in needed]
        with suppress(SfaError):  # away: it watches nothing
            for first in range(0, len(unneeded), CHUNK):
                await self.link.call("unwatch", {"paths": unneeded[first : first + CHUNK]})

    def _refuse(self, member: Member, error: SfaError | Problem) -> None:
        member.joined.pop(_TOPIC, None)
        self.leave(member)
        member.send(_TOPIC, "error", described(error))


def _send_anchor(member: Member, anchor: Anchor) -> None:
    member.send(_TOPIC, "anchor", asdict(anchor), f"anchor {anchor.deck}")
