"""Intents in, commands out; reports in, changes out.

Every surface comes here with a source number of its own. What a source changed is not told
to it again; everybody else hears of it. What the kernel changed by itself everybody hears.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from sfa_engine.audio.command import REASONS, Op, Reason, Source, Tell, When
from sfa_engine.audio.layout import READING_INDEX, VALUE_INDEX, VALUE_PATHS
from sfa_engine.audio.memory import Memory
from sfa_engine.audio.ring import Command, CommandWriter, Report, ReportReader
from sfa_engine.audio.translate import Moment, command_for, family, may_be_refused
from sfa_engine.desk import CONTROLS, Button, Control, Meter, find
from sfa_engine.errors import EngineError, Refused

Listener = Callable[[str, float, int], None]  # path, value in its unit, source

ANSWER_S = 2.0  # the kernel answers within a block; longer means that there are no blocks
_OPS = {op.value: op for op in Op}
# What these set the kernel reports as a change, with the source of the command.
_TOLD_AS_CHANGED = frozenset({Op.PLAY, Op.LOOP_ACTIVE})


@dataclass
class _Doubt:
    """From when on what was sent must have arrived, though no report says so.

    Attributes
    ----------
    seq : int
        Of the last command that is in doubt.
    head : int
        Where the ring ended then.
    done_at : int
        Block in which the kernel has taken all of it and done it; 0 while it has not.
    """

    seq: int
    head: int
    done_at: int = 0

    @classmethod
    def now(cls, memory: Memory, seq: int) -> _Doubt:
        """Doubt all that was sent till now."""
        return cls(seq, int(memory.engine["command_head"]))

    def is_over(self, memory: Memory) -> bool:
        """Return whether the kernel has done what was on the ring."""
        blocks = int(memory.engine["blocks"])
        if not self.done_at and int(memory.engine["command_tail"]) >= self.head:
            self.done_at = blocks + 2  # the one that it took it in, and a whole one
        return bool(self.done_at) and blocks >= self.done_at


@dataclass
class _Asked:
    """A command whose answer somebody waits for.

    Attributes
    ----------
    is_due : bool
        Whether it is to be done now, so that the answer comes at once.
    """

    is_due: bool
    done: trio.Event = field(default_factory=trio.Event)
    report: Report | None = None


@dataclass(frozen=True)
class Done:
    """What became of an intent.

    Attributes
    ----------
    value : float
        As it was taken, in the control's unit.
    text : str
        The same as a person reads it.
    seq : int
        Number of its command; reports and journal name it.
    frame : int or None
        Engine frame at which it was done, if that is known already.
    """

    value: float
    text: str
    seq: int
    frame: int | None = None


class Conductor:
    """The one that sends commands to the kernel.

    Parameters
    ----------
    memory : Memory
        Of the engine; see `attach` for a new one.
    """

    def __init__(self, memory: Memory) -> None:
        self._listeners: list[Listener] = []
        self._asked: dict[int, _Asked] = {}
        # Values that are on their way to the kernel: `get` answers with these.
        self._sent: dict[str, tuple[int, float]] = {}
        self.events: dict[str, int] = {"ended": 0, "wrapped": 0, "late": 0, "refused": 0}
        self._take_over(memory)

    def attach(self, memory: Memory) -> None:
        """Take over another engine: its values are the truth, and who listens hears of them."""
        before = self.values()
        self._take_over(memory)
        for path, value in values_of(memory).items():
            if value != before[path]:
                # No performer did this: a hot cue that is not there any more was not cleared.
                self._tell(path, value, Source.HOST)

    def _take_over(self, memory: Memory) -> None:
        self.memory = memory
        self._writer = CommandWriter.of(memory)
        self._reports = ReportReader(memory)
        self._reports.skip()
        self._sent.clear()
        self._doubt: _Doubt | None = None
        self._lost = int(memory.engine["reports_lost"])
        self._host_started_ns = self._host_now()
        for asked in self._asked.values():
            asked.done.set()
        self._asked.clear()

    def _host_now(self) -> int:
        return int(self.memory.engine["host_started_ns"])

    # ------------------------------------------------------------------ asking

    def get(self, path: str) -> float:
        """Return a control's value, or a meter's reading, in its unit."""
        control = find(path)
        if isinstance(control, Meter):
            return self.in_unit(control, self.memory.reading(path))
        if not control.settable:
            raise Refused(f"{path} is a button and has no value", f"press it: `sfa press {path}`")
        sent = self._sent.get(path)
        return sent[1] if sent else self.memory.value(path)

    def values(self) -> dict[str, float]:
        """Return every value that is set, those on their way to the kernel too."""
        return values_of(self.memory) | {path: value for path, (_, value) in self._sent.items()}

    @staticmethod
    def in_unit(control: Control, raw: float) -> float:
        """Return a reading in its control's unit: the engine gives levels as factors."""
        if control.scale.law == "gain":
            low = control.scale.low
            return max(low, 20.0 * math.log10(raw)) if raw > 0.0 else low
        return raw

    # ------------------------------------------------------------------ doing

    def set_nowait(
        self, path: str, value: Any, source: int = Source.STAGE, when: Any = None
    ) -> Done:
        """Set a control; the command is on its way when this returns.

        Parameters
        ----------
        path : str
        value : float, bool or str
            In the control's unit, or as text.
        source : int
            Who wants it; is not told of it.
        when : see `Moment.parse`

        Raises
        ------
        Refused
            The name, the value or the moment is wrong.
        EngineError
            The kernel takes no commands.
        """
        control = find(path)
        if isinstance(control, Meter):
            raise Refused(f"{path} is a reading and cannot be set", "watch it instead")
        if isinstance(control, Button):
            raise Refused(f"{path} is a button and holds no value", f"use `sfa press {path}`")
        number = control.check(value)
        moment = Moment.parse(when)
        seq = self._push(command_for(control, number, moment, source))
        if moment.when is When.NOW and family(path) != "deck.play":
            self._sent[path] = (seq, number)
            self._tell(path, number, source)
        return Done(number, control.text(number), seq)

    async def set(
        self,
        path: str,
        value: Any,
        source: int = Source.STAGE,
        when: Any = None,
        *,
        wait: bool = False,
    ) -> Done:
        """Set a control, and wait until it is done: if told to, and where the kernel may say no."""
        done = self.set_nowait(path, value, source, when)
        return await self._answer(path, done, when, wait=wait)

    async def press(
        self, path: str, value: Any = None, source: int = Source.STAGE, when: Any = None
    ) -> Done:
        """Press a button, with its resting number unless another is given."""
        control = find(path)
        if not isinstance(control, Button):
            verb = "watch" if isinstance(control, Meter) else "set"
            raise Refused(f"{path} is not a button", f"use `sfa {verb} {path}`")
        number = control.scale.rest if value is None else control.check(value)
        seq = self._push(command_for(control, number, Moment.parse(when), source))
        return await self._answer(path, Done(number, control.text(number), seq), when)

    def _push(self, command: Command) -> int:
        seq = self._writer.push(command)
        if not seq:
            raise EngineError("the audio thread takes no commands", "see `sfa health`")
        return seq

    async def _answer(self, path: str, done: Done, when: Any, *, wait: bool = False) -> Done:
        """Wait for what the kernel says of a command, if that is wanted or may be no."""
        command = command_for(find(path), done.value, Moment.parse(when), 0)
        is_due = command.when is When.NOW
        if not (wait or (is_due and may_be_refused(command.op))):
            return done
        asked = self._asked[done.seq] = _Asked(is_due)
        try:
            with trio.move_on_after(ANSWER_S if is_due else math.inf) as patience:
                await asked.done.wait()
        finally:
            self._asked.pop(done.seq, None)
        report = asked.report
        if report is None:
            fault = f"did not answer within {ANSWER_S:g} s"
            if not patience.cancelled_caught:
                fault = "began anew before it was done"
            raise EngineError(f"{path}: the audio thread {fault}", "see `sfa health`")
        if report.kind is Tell.REFUSED:
            message, hint = REASONS[Reason(int(report.x))]
            raise Refused(f"{path}: {message}", hint)
        return Done(report.x, find(path).text(report.x), done.seq, report.frame)

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for an answer that is due, so that reports are fetched at once."""
        return any(asked.is_due for asked in self._asked.values())

    # ------------------------------------------------------------------ hearing

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every change; return what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _tell(self, path: str, value: float, source: int) -> None:
        for listener in list(self._listeners):
            listener(path, value, source)

    def pump(self) -> list[Report]:
        """Take in what the kernel has told since; return it for the journal."""
        reports = self._reports.fetch()
        if self._host_now() != self._host_started_ns:
            self._host_started_ns = self._host_now()
            self._forget_moments()
            self._doubt = _Doubt.now(self.memory, self._writer.seq)
        lost = int(self.memory.engine["reports_lost"])
        if lost != self._lost:
            self._lost = lost
            self._doubt = _Doubt.now(self.memory, self._writer.seq)
        for report in reports:
            self._take(report)
        if self._doubt is not None:
            self._settle(self._doubt)
        return reports

    def _forget_moments(self) -> None:
        """Let nobody wait for a moment that a host kept which is gone."""
        for asked in self._asked.values():
            if not asked.is_due:
                asked.done.set()

    def _settle(self, doubt: _Doubt) -> None:
        """Forget values whose report was lost, once their commands must have been done.

        A host that died may have taken commands off the ring and not done them.
        """
        if not doubt.is_over(self.memory):
            return
        self._doubt = None
        for path, (seq, value) in list(self._sent.items()):
            if seq <= doubt.seq:
                del self._sent[path]
                now = self.memory.value(path)
                if now != value:
                    self._tell(path, now, Source.ENGINE)

    def _take(self, report: Report) -> None:
        if report.kind is Tell.CHANGED:
            changed = VALUE_PATHS[report.what]
            if changed not in self._sent:  # else a newer value was told
                self._tell(changed, report.x, report.source)
            return
        if report.kind in {Tell.APPLIED, Tell.REFUSED}:
            asked = self._asked.get(report.seq)
            if asked is not None and report.op != Op.LOAD:  # which the host counts for itself
                asked.report = report
                asked.done.set()
            path = self._path_of(report)
            if path is not None:
                seq, value = self._sent.get(path, (0, 0.0))
                if seq == report.seq:
                    del self._sent[path]
                    if report.kind is Tell.REFUSED:
                        self._tell(path, self.memory.value(path), Source.ENGINE)
                    elif report.x != value:
                        self._tell(path, report.x, Source.ENGINE)  # as far as the track goes
                elif (
                    report.kind is Tell.APPLIED
                    and path not in self._sent
                    and report.op not in _TOLD_AS_CHANGED
                ):
                    # It waited for its moment: now is when it is news.
                    self._tell(path, report.x, report.source)
        names = {Tell.ENDED: "ended", Tell.WRAPPED: "wrapped", Tell.LATE: "late"}
        if report.kind is Tell.REFUSED:
            self.events["refused"] += 1
        elif report.kind in names:
            self.events[names[report.kind]] += 1

    @staticmethod
    def _path_of(report: Report) -> str | None:
        """Return the control that a report is about, if it holds a value."""
        if report.op == Op.SET:
            return VALUE_PATHS[report.what]
        holding = {
            Op.PLAY: "play",
            Op.SEEK: "position",
            Op.SYNC: "sync",
            Op.LEADER: "leader",
            Op.LOOP_ACTIVE: "loop.active",
        }
        op = _OPS.get(report.op)
        if op is Op.CLOCK_TEMPO:
            return "clock.tempo"
        return f"deck{report.whom + 1}.{holding[op]}" if op in holding else None


def values_of(memory: Memory) -> dict[str, float]:
    """Return every value that is set, by path."""
    flat = memory.engine["flat"]
    return {path: float(flat[index]) for path, index in VALUE_INDEX.items()}


def readings_of(memory: Memory) -> dict[str, float]:
    """Return every reading of one block, by path, in its unit."""
    flat = memory.snapshot()["flat"]
    return {
        path: Conductor.in_unit(CONTROLS[path], float(flat[index]))
        for path, index in READING_INDEX.items()
    }
