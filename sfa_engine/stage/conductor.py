"""Turn changes into commands, and reports into notifications.

Each surface has a source number. A source is not notified of its own changes, all others are. All
are notified of what the kernel changed as a consequence.

::

    surface ── set_nowait ──► command ring ──► kernel ──► reports ── pump ──► listeners
                    └── `get` returns a value that is in flight
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio

from sfa_engine.desk import CONTROLS, Button, Control, Meter, Value, find
from sfa_engine.desk.control import PRESSED
from sfa_engine.engine.command import (
    ANY,
    REASONS,
    ClockSource,
    Op,
    Reason,
    ReportKind,
    Ring,
    Source,
    When,
)
from sfa_engine.engine.intents import (
    MOVING,
    NOW,
    OPERATIONS,
    Moment,
    Operation,
    family,
    path_of,
)
from sfa_engine.engine.layout import (
    COMMANDS,
    MAX_TIMED,
    READING_PATHS,
    REPORTS,
    RINGS,
    VALUE_INDEX,
    VALUE_PATHS,
)
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Command, CommandWriter, Report, ReportReader, waiting_commands
from sfa_engine.errors import EngineError, Refused
from sfa_engine.stage.holds import Holds, rest_of
from sfa_engine.stage.outcome import Outcome
from sfa_engine.stage.stage_controls import FOLLOWERS, StageControls

Listener = Callable[[str, Value, int], None]  # path, value in its unit or text, source
Press = Callable[[float], Outcome | None]  # of a button; what it has started, if anything
Recorder = Callable[[Sequence[Report], bool], None]  # reports; whether from before this attach

logger = logging.getLogger(__name__)
ANSWER_TIMEOUT_S = 2.0  # the kernel answers within a block; longer means that no block runs
_MOVING = frozenset(path for path in VALUE_PATHS if family(path) in MOVING)


@dataclass(frozen=True, slots=True)
class Queued:
    """A command of the automatic mix.

    Parameters
    ----------
    made : Operation
    value : float
        In the control's unit; checked.
    since : int
        Count of commands since which the mix has the control.
    moment : Moment
    """

    made: Operation
    value: float
    since: int
    moment: Moment


@dataclass
class _Awaited:
    """A command whose report is awaited."""

    done: trio.Event = field(default_factory=trio.Event)
    report: Report | None = None
    is_cancelled: bool = False
    error: str = ""


@dataclass(slots=True)
class _Timed:
    """A command of the stage that waits for its time.

    Attributes
    ----------
    place : int
        Its number on the ring; 0 for one that an earlier stage sent.
    is_cancelled : bool
        Whether its cancel was sent: it is not repeated for a new host.
    is_dropped : bool
        Whether it was cancelled by not being repeated.
    """

    command: Command
    place: int
    is_cancelled: bool = False
    is_dropped: bool = False


@dataclass(slots=True)
class Done:
    """The result of a change.

    Attributes
    ----------
    value : float
        As applied, in the control's unit.
    ticket : int
        Number of its command on the stage's ring; reports and journal name it.
    seq, frame : int or None
        Sequence number among all commands that the kernel applied, and engine frame, if known
        already.
    outcome : Outcome or None
        Of what a button of the stage has started.
    """

    control: Control
    value: float
    ticket: int
    seq: int | None = None
    frame: int | None = None
    outcome: Outcome | None = None

    @property
    def text(self) -> str:
        """The value as readable text."""
        return self.control.text(self.value)


class Conductor:
    """Sends commands to the kernel, and notifies listeners of changes.

    Parameters
    ----------
    memory : Memory
        Of the engine; see `attach` for a new one.
    stage_values : pathlib.Path, optional
        File that keeps the stage's own values for the next stage.
    """

    def __init__(self, memory: Memory, stage_values: Path | None = None) -> None:
        self._listeners: list[Listener] = []
        self.stage = StageControls(self._notify, self.get, stage_values)
        self._pressed: dict[str, Press] = {}  # actions of the stage's buttons
        self._deriving: tuple[str, int] = ("", 0)  # control that is being set, and its source
        self._awaited: dict[int, _Awaited] = {}
        # Reports of the newest commands that were not awaited yet: a block may end before the task
        # that waits for its answer has begun.
        self._ended: dict[int, Report] = {}
        # Values in flight to the kernel, with their tickets and numbers on the ring.
        self._sent: dict[str, tuple[int, float, int]] = {}
        self._timed: dict[int, _Timed] = {}
        self.holds = Holds()
        self._record: Recorder = lambda _reports, _is_first: None
        self._is_recorded: Callable[[], bool] = lambda: True
        self._take_over(memory)

    def attach(self, memory: Memory) -> None:
        """Switch to another engine: its values count, and listeners are notified of them."""
        before = self.values()
        self._take_over(memory)
        for path, value in values_of(memory).items():
            if value != before[path]:
                self._notify(path, value, Source.HOST)  # not a performer's change
        self._record(self._unread, True)

    def _take_over(self, memory: Memory) -> None:
        self.memory = memory
        # The listeners' state; without positions, which move without a report.
        self._notified: dict[str, Value] = {
            path: value for path, value in values_of(memory).items() if path not in _MOVING
        }
        self._writer = CommandWriter(memory, Ring.STAGE)
        self._reports = ReportReader(memory)
        self._unread = self._reports.read()  # for the recorder: the values are in memory
        self._readings: dict[str, float] = {}
        self._readings_serial = -1
        self._sent.clear()
        # Commands up to this one may have been applied without a report; None: all are reported.
        self._unsure_to: int | None = None
        self._lost = int(memory.engine["reports_lost"])
        # Read before the waiting commands: they are repeated for a host that starts in between.
        self._host_started_ns = self.host_started_ns
        for awaited in self._awaited.values():
            awaited.error = "was restarted before it was done"
            awaited.done.set()
        self._awaited.clear()
        self._ended.clear()
        # Commands of an earlier stage, whose reports are still to come.
        unread = self._writer.unread()
        first = self._writer.head - len(unread) + 1
        left = [_Timed(command, place) for place, command in enumerate(unread, first)]
        left += [_Timed(command, 0) for command in waiting_commands(memory)]
        self._timed = {
            timed.command.ticket: timed
            for timed in left
            if timed.command.ring == Ring.STAGE and timed.command.when != When.NOW
        }

    @property
    def host_started_ns(self) -> int:
        """When the present host started, by the monotonic clock."""
        return int(self.memory.engine["host_started_ns"])

    # ------------------------------------------------------------------ values

    def get(self, path: str) -> Any:
        """Return a control's value or reading in its unit, or a text."""
        control = find(path)
        if control.owner == "stage" and not isinstance(control, Button):
            return self.stage.get(path)
        if isinstance(control, Meter):
            return self.in_unit(control, self.memory.reading(path))
        if not control.settable:
            raise Refused(f"{path} is a button and has no value", f"press it: `sfa press {path}`")
        sent = self._sent.get(path)
        return sent[1] if sent else self.memory.value(path)

    def values(self) -> dict[str, Value]:
        """Return every value, in flight ones too, and every text."""
        sent = {path: sent[1] for path, sent in self._sent.items()}
        return values_of(self.memory) | sent | self.stage.values()

    def readings(self) -> Mapping[str, float]:
        """Return every reading of the last block, computed once for all listeners."""
        serial = int(self.memory.engine["serial"])
        if serial != self._readings_serial:
            self._readings_serial, self._readings = serial, readings_of(self.memory)
        return self._readings

    @staticmethod
    def in_unit(control: Control, raw: float) -> float:
        """Return a reading in its control's unit: the engine's levels are factors."""
        return _decibels(raw, control.scale.low) if control.scale.law == "gain" else raw

    # ------------------------------------------------------------------ changes

    def set_nowait(
        self, path: str, value: Any, source: int = Source.STAGE, when: Any = None
    ) -> Done:
        """Set a control; on return the command is on the ring.

        Parameters
        ----------
        path : str
        value : float, bool or str
            In the control's unit, or as text.
        source : int
            Who sets it; is not notified of it.
        when : see `Moment.parse`

        Raises
        ------
        Refused
            The name, the value or the moment is invalid.
        EngineError
            The ring is full.
        """
        made = OPERATIONS.get(path)
        if made is None or made.index < 0:
            return self._set_stage(path, value, source, when)
        is_plain = type(value) is float and made.low <= value <= made.high
        number = value if is_plain else made.control.check(value)
        moment = NOW if when is None else Moment.parse(when)
        ticket = self._push(made, number, source, moment)
        if moment.when is When.NOW:
            self._sent[path] = (ticket, number, self._writer.head)
            if self._notified.get(path) != number:
                self._notify(path, number, source)
        if made.springs_back and moment.when is When.NOW:
            self.holds.note(made.control, number, source)
        return Done(made.control, number, ticket)

    def set_all_nowait(
        self, values: Mapping[str, float], source: int = Source.STAGE, when: Any = None
    ) -> list[Done]:
        """Set controls of the engine together: the kernel does them in one tick, in this order.

        Parameters
        ----------
        values : mapping of str to float
            In the controls' units; checked already.
        source : int
            Who sets them; is not notified of them.
        when : see `Moment.parse`

        Raises
        ------
        Refused
            The moment is invalid, or there is no room for so many that wait; nothing is set.
        EngineError
            The ring has no room for all; nothing is set.
        """
        moment = Moment.parse(when)
        is_now = moment.when is When.NOW
        if not is_now:
            room = MAX_TIMED - len(self.waiting())
            if len(values) > room:
                raise Refused(
                    f"{len(values)} controls cannot wait for a moment, {max(0, room)} can",
                    "set them now, or fewer of them",
                )
        made = [OPERATIONS[path] for path in values]
        commands = [
            Command(
                *(each.op, each.deck, each.target, number, 0.0),
                *(moment.when, moment.clock, moment.frame, source),
            )
            for each, number in zip(made, values.values(), strict=True)
        ]
        place = self._writer.head
        tickets = self._writer.push_all(commands)
        if len(tickets) < len(commands):
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        for ticket, command, (path, number) in zip(tickets, commands, values.items(), strict=True):
            place += 1
            if not is_now:
                self._timed[ticket] = _Timed(replace(command, ticket=ticket), place)
                continue
            self._sent[path] = (ticket, number, place)
            if self._notified.get(path) != number:
                self._notify(path, number, source)
        return [
            Done(each.control, number, ticket)
            for each, number, ticket in zip(made, values.values(), tickets, strict=True)
        ]

    def queue_nowait(self, queued: Sequence[Queued]) -> None:
        """Queue commands of the automatic mix, all or none.

        Raises
        ------
        Refused
            There is no room for so many that wait.
        EngineError
            The ring has no room for all.
        """
        timed = sum(each.moment.when is not When.NOW for each in queued)
        room = MAX_TIMED - len(self.waiting())
        if timed > room:
            raise Refused(
                f"{timed} commands cannot wait for their time, {max(0, room)} can", "queue fewer"
            )
        commands = [
            Command(
                *(each.made.op, each.made.deck, each.made.target, each.value, float(each.since)),
                *(each.moment.when, each.moment.clock, each.moment.frame, Source.MIX),
            )
            for each in queued
        ]
        if self._writer.room < len(commands):
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        place = self._writer.head
        tickets = self._writer.push_all(commands)
        for ticket, command, each in zip(tickets, commands, queued, strict=True):
            place += 1
            if each.moment.when is not When.NOW:
                self._timed[ticket] = _Timed(replace(command, ticket=ticket), place)

    def press_nowait(
        self, path: str, value: Any = None, source: int = Source.STAGE, when: Any = None
    ) -> Done:
        """Press a button, with its resting number by default."""
        made = OPERATIONS.get(path)
        if path in self._pressed:
            return self._press_stage(path, value, when)
        if made is None or made.index >= 0:
            raise _not_pressable(path)
        control = made.control
        number = control.scale.rest if value is None else control.check(value)
        moment = NOW if when is None else Moment.parse(when)
        ticket = self._push(made, number, source, moment)
        if made.springs_back and moment.when is When.NOW:
            self.holds.note(control, number, source)
        return Done(control, number, ticket)

    def release(self, source: int) -> None:
        """Release what a client holds that is gone, as a controller that is unplugged does.

        What it has asked for at a moment to come is done all the same.
        """
        for path in self.holds.of(source):
            control = find(path)
            try:
                if control.settable:
                    self.set_nowait(path, rest_of(control), source)
                else:
                    self.press_nowait(path, rest_of(control), source)
            except EngineError as error:
                logger.warning("%s stays held: %s", path, error)

    def on_press(self, path: str, press: Press) -> None:
        """Set the action of a button of the stage; it must not wait."""
        self._pressed[path] = press

    def _press_stage(self, path: str, value: Any, when: Any) -> Done:
        control = find(path)
        number = control.scale.rest if value is None else control.check(value)
        if Moment.parse(when).when is not When.NOW:
            raise Refused(f"{path} acts at once", "leave the moment out")
        outcome = None
        if control.scale is not PRESSED or number >= control.scale.rest:  # else it is released
            outcome = self._pressed[path](number)
        return Done(control, number, 0, outcome=outcome)

    def _push(self, made: Operation, number: float, source: int, moment: Moment) -> int:
        ticket = self._writer.write(
            *(made.op, made.deck, made.target, number, source),
            when=moment.when,
            clock=moment.clock,
            frame=moment.frame,
        )
        if not ticket:
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        if moment is not NOW and moment.when is not When.NOW:
            command = Command(
                *(made.op, made.deck, made.target, number, 0.0),
                *(moment.when, moment.clock, moment.frame, source, ticket),
            )
            self._timed[ticket] = _Timed(command, self._writer.head)
        return ticket

    def _set_stage(self, path: str, value: Any, source: int, when: Any) -> Done:
        """Set a control of the stage; a derived one sets a control of the engine."""
        control = find(path)
        if control.owner != "stage" or not control.settable:
            raise _not_settable(path)
        number = control.check(value)
        moment = Moment.parse(when)
        derived_from = self.stage.engine_control(path, number)
        if derived_from is None:
            if moment.when is not When.NOW:
                raise Refused(f"{path} changes at once", "leave the moment out")
            self.stage.check(path, number)
            self.stage.put(path, number, source)
            if control.springs_back:
                self.holds.note(control, number, source)
            return Done(control, number, 0)
        target, engine_value = derived_from
        ticket = self._push(OPERATIONS[target], engine_value, source, moment)
        if moment.when is When.NOW:
            self._sent[target] = (ticket, engine_value, self._writer.head)
            self._deriving = (path, source)
            self._notify(target, engine_value, Source.STAGE)  # its own source is notified too
            self._deriving = ("", 0)
        return Done(control, number, ticket)

    def follow_link(self, frame: int, beat: float, tempo: float, running: bool) -> bool:
        """Send a Link session's clock to the kernel; tempo 0: it ended. False: the ring is full."""
        return bool(
            self._writer.write(
                *(Op.FOLLOW, int(running), ClockSource.LINK, beat, Source.STAGE),
                y=tempo,
                frame=frame,
            )
        )

    async def set(
        self,
        path: str,
        value: Any,
        source: int = Source.STAGE,
        when: Any = None,
        *,
        wait: bool = False,
    ) -> Done:
        """Set a control; wait for its report if `wait`, or if the kernel may refuse it."""
        done = self.set_nowait(path, value, source, when)
        return await self.answer(path, done, wait=wait)

    async def press(
        self, path: str, value: Any = None, source: int = Source.STAGE, when: Any = None
    ) -> Done:
        """Press a button; wait for its report if the kernel may refuse it."""
        return await self.answer(path, self.press_nowait(path, value, source, when))

    async def answer(self, path: str, done: Done, *, wait: bool = False) -> Done:
        """Wait for the report of a command, if `wait`, or if the kernel may refuse it."""
        if done.outcome is not None:
            await done.outcome.wait()
        if not done.ticket:  # of the stage only
            return done
        is_timed = done.ticket in self._timed
        made = OPERATIONS.get(path)  # None for a derived control
        if not (wait or (not is_timed and made is not None and made.may_refuse)):
            return done
        timeout_s = math.inf if is_timed else ANSWER_TIMEOUT_S
        report = await self._report_of(path, done.ticket, timeout_s)
        value = self.get(path) if made is None else report.x
        return Done(done.control, value, done.ticket, report.seq, report.frame)

    async def _report_of(self, name: str, ticket: int, timeout_s: float) -> Report:
        """Wait for the last report of a command; raise its refusal."""
        awaited = self._awaited[ticket] = _Awaited(error=f"did not answer within {timeout_s:g} s")
        if (ended := self._ended.pop(ticket, None)) is not None:
            awaited.report = ended
            awaited.done.set()
        try:
            with trio.move_on_after(timeout_s):
                await awaited.done.wait()
        finally:
            self._awaited.pop(ticket, None)
        report = awaited.report
        if awaited.is_cancelled or (report and report.kind is ReportKind.CANCELLED):
            raise Refused(f"{name} was cancelled while it waited for its time")
        if report is None:
            raise EngineError(f"{name}: the audio thread {awaited.error}", "see `sfa health`")
        if report.kind is ReportKind.REFUSED:
            message, hint = self._why(name, report)
            raise Refused(f"{name}: {message}", hint)
        return report

    def _why(self, name: str, report: Report) -> tuple[str, str]:
        """Return why a command was refused and what to do; of a stem's source, on which deck."""
        reason = Reason(report.reason)
        message, hint = REASONS[reason]
        made = OPERATIONS.get(name)
        if made is None or made.op != Op["STEM_SOURCE"]:
            return message, hint
        slots = self.memory.engine["transport"]["head"]["slot"]
        deck = made.deck if slots[made.deck] < 0 else round(report.x) - 1  # the kernel's order
        if reason is Reason.NO_TRACK:
            return f"there is no track on deck {deck + 1}", f"load one: `sfa load {deck + 1} TRACK`"
        if reason is Reason.NO_STEM:
            return f"the track on deck {deck + 1} has no such stem", hint
        return message, hint

    # ------------------------------------------------------------------ waiting commands

    def waiting(self) -> list[tuple[int, Command]]:
        """Return the waiting commands of every ring, each with its id.

        Those of the stage are known as soon as they are sent, and while no host runs.
        """
        ours = [timed.command for timed in self._timed.values() if not timed.is_cancelled]
        others = [c for c in waiting_commands(self.memory) if c.ring != Ring.STAGE]
        return [(c.ticket * RINGS + c.ring, c) for c in (*ours, *others)]

    async def cancel(
        self,
        number: int | None = None,
        deck: int | None = None,
        source: int = Source.STAGE,
        of: int = 0,
    ) -> int:
        """Cancel waiting commands; return how many.

        Parameters
        ----------
        number : int, optional
            The id of one; default all.
        deck : int, optional
            Only those of a deck, from 0.
        source : int
            Who cancels.
        of : int
            Only those of a source; 0: of all.
        """
        ticket, ring = (ANY, ANY) if number is None else divmod(number, RINGS)
        sent = self._writer.write(
            *(Op.CANCEL, ANY if deck is None else deck, ring, float(of), source), frame=ticket
        )
        if not sent:
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        # A host that dies loses them; the next one cannot cancel what it never had.
        ours = [timed for timed in self._timed.values() if _is_meant(timed, ticket, ring, deck, of)]
        for timed in ours:
            timed.is_cancelled = True
        count = 0
        try:
            count = int((await self._report_of("cancel", sent, ANSWER_TIMEOUT_S)).x)
        except Refused:
            if not any(timed.is_dropped for timed in ours):
                raise
        return count + sum(timed.is_dropped for timed in ours)

    # ------------------------------------------------------------------ reports

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every change; return a function that removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def record(self, record: Recorder, is_recorded: Callable[[], bool]) -> None:
        """Pass each report to a recorder, and keep it in the ring until it is recorded.

        A stage that is killed before that leaves them to the next one, whose recorder first gets
        what is in the ring: what happened while no stage ran, and what the last one had not
        recorded.
        """
        self._record, self._is_recorded = record, is_recorded
        record(self._unread, True)

    def _notify(self, path: str, value: Value, source: int) -> None:
        if path not in _MOVING:
            self._notified[path] = value
        for listener in list(self._listeners):
            listener(path, value, source)
        deriving, its_source = self._deriving
        for follower in FOLLOWERS.get(path, ()):
            follower_source = its_source if follower == deriving else Source.STAGE
            self._notify(follower, self.stage.get(follower), follower_source)

    def pump(self) -> list[Report]:
        """Process the kernel's new reports; return them.

        A host that died, or a ring that was full, leaves commands without a report. The count of
        applied commands is read before the reports: a command up to it whose report has not
        arrived by then will never have one.
        """
        done, lost, host = self._writer.done, self._lost_now, self.host_started_ns
        table = None
        if self._unsure_to is not None:
            table = {c.ticket for c in waiting_commands(self.memory) if c.ring == Ring.STAGE}
        reports = self._reports.read()
        for report in reports:
            self._take(report)
        self._record(reports, False)
        self.release_recorded()
        if table is not None:
            self._settle(done, table)
        if host != self._host_started_ns:
            if self._repeat_timed():
                self._host_started_ns = host
            self._unsure_to = self._writer.head
        elif lost != self._lost:
            self._unsure_to = self._writer.head
        self._lost = lost
        return reports

    def release_recorded(self) -> None:
        """Release the reports that were read, if they are recorded: no later stage has them."""
        # A disk that hangs must not fill the ring, which would lose all later reports.
        if self._is_recorded() or self._reports.held > REPORTS // 2:
            self._reports.release()

    @property
    def _lost_now(self) -> int:
        return int(self.memory.engine["reports_lost"])

    def _repeat_timed(self) -> bool:
        """Repeat the waiting commands that the previous host had, and lost.

        This host reads those that were still on the ring. Return False if the ring is full: the
        rest is sent by the next `pump`.
        """
        adopted = int(self.memory.engine["rings"][Ring.STAGE]["adopted"])
        for ticket, timed in list(self._timed.items()):
            if timed.place > adopted:
                continue
            if timed.is_cancelled:
                timed.is_dropped = True
                del self._timed[ticket]
                if awaited := self._awaited.get(ticket):
                    awaited.is_cancelled = True
                    awaited.done.set()
            elif self._writer.push(timed.command):
                timed.place = self._writer.head
            else:
                return False
        return True

    def _settle(self, done: int, table: Collection[int]) -> None:
        """Give up the commands up to `done` whose report was lost; see `pump`."""
        for path, (_, value, place) in list(self._sent.items()):
            if place <= done:
                del self._sent[path]
                now = self.memory.value(path)
                if now != value:
                    self._notify(path, now, Source.ENGINE)
        if self.host_started_ns == self._host_started_ns:  # else they are repeated first
            for ticket, timed in list(self._timed.items()):
                if timed.place <= done and ticket not in table:
                    del self._timed[ticket]
                    if awaited := self._awaited.get(ticket):
                        awaited.error = "lost the report of it"
                        awaited.done.set()
        if self._unsure_to is not None and done >= self._unsure_to:
            self._unsure_to = None
            self._notify_missed()

    def _notify_missed(self) -> None:
        """Notify listeners of values whose change was not reported."""
        for path, value in values_of(self.memory).items():
            if path not in self._sent and self._notified.get(path, value) != value:
                self._notify(path, value, Source.ENGINE)

    def _take(self, report: Report) -> None:
        if report.kind is ReportKind.CHANGED:
            changed = VALUE_PATHS[report.value_index]
            if changed not in self._sent:  # else a newer value is notified already
                # A button's source is notified of its effects; those of a load are the host's.
                by_host = report.op == Op.LOAD
                self._notify(changed, report.value, Source.HOST if by_host else Source.ENGINE)
            return
        if not report.is_end:
            return
        is_ours = report.ring == Ring.STAGE
        if is_ours:
            self._timed.pop(report.ticket, None)
            if awaited := self._awaited.get(report.ticket):
                awaited.report = report
                awaited.done.set()
            else:
                self._ended[report.ticket] = report
                if len(self._ended) > COMMANDS:
                    del self._ended[next(iter(self._ended))]
        path = path_of(report)
        if not is_ours and report.kind is ReportKind.APPLIED:
            self.holds.drop(path)  # a controller has it now
        if path not in VALUE_INDEX:
            return
        sent = self._sent.get(path)
        if sent and is_ours and sent[0] == report.ticket:
            del self._sent[path]
            if report.kind is ReportKind.REFUSED:
                self._notify(path, self.memory.value(path), Source.ENGINE)
            elif report.x != sent[1]:
                self._notify(path, report.x, Source.ENGINE)  # limited by the track
        elif report.kind is ReportKind.APPLIED and not sent:
            # It waited for its time, or is of another ring: listeners do not know it yet.
            self._notify(path, report.x, report.source)


def _is_meant(timed: _Timed, ticket: int, ring: int, deck: int | None, of: int) -> bool:
    """Return whether an `Op.CANCEL` applies to a command of the stage's ring; see `ANY`."""
    command = timed.command
    return (
        ring in {ANY, Ring.STAGE}
        and ticket in {ANY, command.ticket}
        and deck in {None, command.deck}
        and of in {0, command.source}
        and not timed.is_cancelled
    )


def _not_settable(path: str) -> Refused:
    control = find(path)
    if isinstance(control, Meter):
        return Refused(f"{path} is a reading and cannot be set", "watch it instead")
    return Refused(f"{path} is a button and holds no value", f"use `sfa press {path}`")


def _not_pressable(path: str) -> Refused:
    verb = "watch" if isinstance(find(path), Meter) else "set"
    return Refused(f"{path} is not a button", f"use `sfa {verb} {path}`")


def values_of(memory: Memory) -> dict[str, float]:
    """Return every value, by path."""
    return dict(zip(VALUE_PATHS, memory.engine["flat"].tolist(), strict=True))


def readings_of(memory: Memory) -> dict[str, float]:
    """Return every reading of one block, by path, in its unit."""
    flat = memory.snapshot()["flat"].tolist()
    return {
        path: raw if low is None else _decibels(raw, low)
        for (path, low), raw in zip(_READINGS, flat, strict=True)
    }


def _decibels(factor: float, low: float) -> float:
    return max(low, 20.0 * math.log10(factor)) if factor > 0.0 else low


# Each reading, and the bottom of its scale if the engine's reading is a factor.
_READINGS = [
    (path, CONTROLS[path].scale.low if CONTROLS[path].scale.law == "gain" else None)
    for path in READING_PATHS
]
