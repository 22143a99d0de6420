"""``trace``: what the kernel reports, as it happens, for one who looks for a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from sfa_engine.desk import CONTROLS
from sfa_engine.engine.command import REASONS, Op, Reason, ReportKind, Source
from sfa_engine.engine.intents import path_of
from sfa_engine.engine.layout import VALUE_PATHS
from sfa_engine.engine.ring import Report
from sfa_engine.wire.push import Push
from sfa_engine.wire.verbs import GIVEN, verb

METHOD = "trace"  # of the notifications
ToClient = Annotated[Push, GIVEN]


class Trace:
    """Pushes reports to the clients that ask for them; without one it costs nothing."""

    def __init__(self) -> None:
        self._listeners: dict[Push, None] = {}

    @verb(scope="perform")
    def trace(self, push: ToClient, on: bool = True) -> dict[str, Any]:
        """Push each report of the audio process as ``trace``: commands with source and frame.

        ``event`` is applied, refused (with the ``reason``), cancelled, changed (as a consequence),
        ended, wrapped or late. A client that does not read gets the newest; ``missed`` counts the
        others.
        """
        if not on:
            self._listeners.pop(push, None)
        elif push not in self._listeners:
            self._listeners[push] = None
            push.on_close(lambda: self._listeners.pop(push, None))
        return {"on": on}

    def take(self, reports: Sequence[Report]) -> None:
        """Push reports."""
        if not self._listeners:
            return
        items = [described(report) for report in reports]
        for push in self._listeners:
            for item in items:
                push.put(METHOD, item)


def described(report: Report) -> dict[str, Any]:
    """Return a report as clients get it."""
    said: dict[str, Any] = {
        "event": report.kind.name.lower(),
        "frame": report.frame,
        "source": source_name(report.source),
    }
    if report.kind is ReportKind.CHANGED:
        path, value = VALUE_PATHS[report.value_index], report.value
    elif report.is_end:
        path, value = path_of(report), report.x
        said |= {"seq": report.seq, "op": Op(report.op).name.lower()}
    else:
        path, value = "", report.value
    said |= {"path": path, "value": CONTROLS[path].wire(value) if path else value}
    if not path and report.kind is not ReportKind.LATE:  # else the path says it
        said["deck"] = report.deck + 1
    if report.kind is ReportKind.REFUSED:
        said["reason"] = REASONS.get(Reason(report.reason), ("refused", ""))[0]
    return said


def source_name(source: int) -> str:
    """Return where a command came from: ``midi 2``, ``socket 14``."""
    for name, first in (("osc", Source.OSC), ("socket", Source.SOCKET), ("midi", Source.MIDI)):
        if source >= first:
            return f"{name} {source - first}"
    try:
        return Source(source).name.lower()
    except ValueError:
        return str(source)
