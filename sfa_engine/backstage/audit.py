"""Writes the audit log: a row for each change that a client asks for, done or refused.

::

    request ─► around ─► verb ─► transaction ── before its commit: the row, if the target changed
                  └──────────────────────────── after the verb: the row, if none is written yet

So a change of the library and its row are one transaction. The actor is the one that the server
gives with the request; no verb has to know of the log, but those that change many things: they
say which (`part`), and each part has a row in place of the one of the verb.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any

from sfa_engine.errors import Refused, SfaError
from sfa_engine.library import audit, cues, search, tracks
from sfa_engine.library.audit import Entry
from sfa_engine.library.database import Connection, Database, row, rows
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.verbs import Verb

logger = logging.getLogger(__name__)
Invoke = Callable[[], Any]

# Not of scope `read`, and yet no change; a play is in the history, which is a log by itself.
_HARMLESS = frozenset(
    {
        *("prep.quota", "library.played", "kits.decode", "library.daily", "library.usage"),
        *("library.flags", "llm.test", "mix.draft", "mix.audition_draft", "prep.measure"),
        *("webhooks.list", "webhooks.show", "webhooks.deliveries", "audit.list", "audit.add"),
        *("agents.ask", "agents.cancel", "proposals.add"),
    }
)
_CHANGING = {"library.find": "prepare"}  # of scope `read`, but for this parameter
# Parameters that are secrets, though their names do not say so: keys, and codes of logins.
_SECRET = {
    "account.set_key": "key",
    "llm.add": "key",
    "account.spotify_finish": "address",
    "spotify.finish": "address",
}
# Parameters that name what is changed; the first that is given is the row's target.
_TARGETS = (
    *("track", "webhook", "delivery", "job", "jobs", "playlist", "name", "cue", "entry"),
    *("bundle", "batch", "words", "folder", "sources", "account", "proposal"),
)
_TRACK = (
    *("title", "artist", "album", "genre", "year", "key", "bpm", "rating", "comment", "color"),
    *("state", "stems", "grid_by_hand", "account", "changed_at", "deleted_at"),
)


@dataclass
class _Open:
    """A change in progress.

    Attributes
    ----------
    track, webhook : int, optional
        That it changes.
    before : mapping, optional
        Their state before.
    numbers : tuple of int
        Of the tracks or jobs that it changes, where these are many.
    is_written : bool
        Whether the row is.
    """

    auditor: Auditor
    verb: str
    actor: Actor
    surface: str
    target: str
    params: Mapping[str, Any]
    track: int | None = None
    webhook: int | None = None
    before: Mapping[str, Any] | None = None
    numbers: tuple[int, ...] = ()
    is_written: bool = False

    @property
    def has_state(self) -> bool:
        """Whether what it changes has a state to compare."""
        return self.track is not None or self.webhook is not None

    def entry(self, at_s: float, after: Mapping[str, Any] | None, outcome: str = audit.OK) -> Entry:
        """Return its row."""
        before, changed = audit.changes(self.before, after)
        if outcome != audit.OK or not self.has_state:
            before = changed = None
        if self.numbers:
            changed = {**(changed or {}), "numbers": audit.ranges(self.numbers)}
        return Entry(
            at_s=at_s,
            account=self.actor.account,
            actor=self.actor.name or "system",
            role=self.actor.role,
            surface=self.surface,
            address=self.actor.address,
            verb=self.verb,
            target=self.target,
            params=self.params,
            before=before,
            after=changed,
            outcome=outcome,
        )


_OPEN: ContextVar[_Open | None] = ContextVar("open", default=None)


@dataclass
class Auditor:
    """Writes rows.

    Parameters
    ----------
    database : Database
        Its transactions are watched from now on.
    now : callable
        Seconds since 1970.
    """

    database: Database
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.database.before_commit = self._before_commit

    def around(
        self, verb: Verb, actor: Actor, params: Mapping[str, Any], invoke: Invoke, surface: str
    ) -> Any:
        """Invoke a verb, and write down what it changes."""
        given = {name: value for name, value in params.items() if name not in verb.given}
        if not is_change(verb, given):
            return invoke()
        sent = {n: v for n, v in given.items() if n not in verb.defaults or v != verb.defaults[n]}
        if (secret := _SECRET.get(verb.name)) in sent:
            sent[secret] = audit.HIDDEN
        return self._audited(_Open(self, verb.name, actor, surface, _target(given), sent), invoke)

    async def _audited(self, change: _Open, invoke: Invoke) -> Any:
        await self._look(change)
        async with self._recorded(change):
            result = invoke()
            if isawaitable(result):
                result = await result
        return result

    @asynccontextmanager
    async def part(self, change: _Open) -> AsyncIterator[None]:
        """Write down what a block changes as a row of its own."""
        if change.has_state:
            try:
                async with self.database.reading() as connection:
                    change.before = await _state(connection, change)
            except SfaError as error:  # the verb says what is wrong
                logger.debug("%s: %s", change.verb, error)
        async with self._recorded(change):
            yield

    @asynccontextmanager
    async def _recorded(self, change: _Open) -> AsyncIterator[None]:
        """Write the row of a change: in its transaction, or after it if it has none."""
        mark = _OPEN.set(change)
        try:
            yield
        except Exception as error:
            _OPEN.reset(mark)
            await self._write(change, _outcome(error))
            raise
        _OPEN.reset(mark)
        if not change.is_written:
            await self._write(change, audit.OK)

    async def _look(self, change: _Open) -> None:
        """Find what is to be changed, and read its state."""
        try:
            async with self.database.reading() as connection:
                word = change.params.get("track")
                if word not in (None, ""):
                    named = f"#{word}" if isinstance(word, int) else str(word)
                    change.track = await _track_of(connection, named)
                change.webhook = change.params.get("webhook")
                change.before = await _state(connection, change)
        except SfaError as error:  # the verb says what is wrong
            logger.debug("%s: %s", change.verb, error)
        if change.track is not None:
            change.target = f"track {change.track}"

    async def _before_commit(self, connection: Connection) -> None:
        """Write the row of the change that a transaction belongs to, if it is its effect."""
        change = _OPEN.get()
        if change is None or change.is_written:
            return
        after = await _state(connection, change)
        if change.has_state and after == change.before:
            return  # a step on the way
        await audit.add(connection, change.entry(self.now(), after))
        change.is_written = True

    async def _write(self, change: _Open, outcome: str) -> None:
        """Write a row in a transaction of its own; what was done stays done if that fails."""
        change.is_written = True  # tasks that the verb began have its context too
        try:
            async with self.database.transaction() as connection:
                after = await _state(connection, change)
                await audit.add(connection, change.entry(self.now(), after, outcome))
        except SfaError as error:
            logger.error("no audit row of %s by %s: %s", change.verb, change.actor.name, error)  # noqa: TRY400 - one line


@asynccontextmanager
async def part(track: int | None = None, *, numbers: Sequence[int] = ()) -> AsyncIterator[None]:
    """Write down what a block of a verb changes as a row of its own, in place of the verb's.

    Parameters
    ----------
    track : int, optional
        That it changes: the row has its state before and after.
    numbers : sequence of int
        Of tracks that it changes without a change of their state, as by queueing jobs for them.
    """
    whole = _OPEN.get()
    if whole is None:
        yield
        return
    whole.is_written = True
    target = f"track {track}" if track is not None else _many("track", numbers)
    own = replace(
        whole, target=target, track=track, before=None, numbers=tuple(numbers), is_written=False
    )
    async with own.auditor.part(own):
        yield


@contextmanager
def on_the_way() -> Iterator[None]:
    """Write no row for the transactions of a block: they are steps on the way to a change."""
    mark = _OPEN.set(None)
    try:
        yield
    finally:
        _OPEN.reset(mark)


def note_jobs(numbers: Sequence[int]) -> None:
    """Note which jobs a verb is about to change, however it names them: as all that failed."""
    change = _OPEN.get()
    if change is not None and numbers:
        change.target = change.target or _many("job", numbers)
        change.numbers = tuple(numbers) if len(numbers) > 1 else ()


def is_change(verb: Verb, params: Mapping[str, Any]) -> bool:
    """Return whether a call of a verb is written down."""
    if params.get("dry_run"):
        return False
    if verb.name in _CHANGING:
        return bool(params.get(_CHANGING[verb.name]))
    if verb.name == "library.check":
        return bool(params.get("repair"))
    return verb.declared.scope != "read" and verb.name not in _HARMLESS


def _target(params: Mapping[str, Any]) -> str:
    for name in _TARGETS:
        value = params.get(name)
        if value not in (None, "", []):
            few = value if isinstance(value, list) else [value]
            if all(type(each) is int for each in few):
                return _many(name.removesuffix("s"), few)
            return f"{name} {', '.join(str(audit.cleaned(each)) for each in few[:5])}"
    return ""


def _many(name: str, numbers: Sequence[int]) -> str:
    """Return things as the target of a row: ``track 7``, ``tracks 1-200``."""
    if len(numbers) == 1:
        return f"{name} {numbers[0]}"
    return f"{name}s {next(iter(audit.ranges(numbers)), '')}"


def _outcome(error: Exception) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, SfaError) else "fault"


async def _track_of(connection: Connection, word: str) -> int | None:
    """Return the number of the track that a verb's parameter names, also of a removed one."""
    try:
        return (await search.find_one(connection, word)).id
    except Refused:
        number = search.track_number(word)
        if number is None:
            return None
        found = await row(connection, "SELECT id FROM tracks WHERE id = ?", (number,))
        return None if found is None else int(found["id"])


async def _state(connection: Connection, change: _Open) -> dict[str, Any] | None:
    """Return the state of what a change is of; None if it is not there."""
    if change.track is not None:
        try:
            found = await tracks.get(connection, change.track)
        except Refused:
            return None
        state = {name: getattr(found, name) for name in _TRACK if hasattr(found, name)}
        state["cues"] = [
            f"{cue.kind} {cue.slot or ''} {cue.position_s:.3f} {cue.label}"
            for cue in await cues.cues_of(connection, change.track)
        ]
        return state
    if change.webhook is not None:
        hooks = await rows(
            connection,
            "SELECT url, events, description, active, old_until_s FROM webhooks WHERE id = ?",
            (change.webhook,),
        )
        return dict(hooks[0]) if hooks else None
    return None
