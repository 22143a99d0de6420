"""The engine's health, in one word with its reasons. Pure: facts in, word out.

======== ==================================================================
word     meaning
======== ==================================================================
ok       play
degraded it plays, but something reduces its reserve, or has lately
failing  it plays, but not as requested: no device, an incomplete track
down     it does not play
======== ==================================================================

A missing right (real-time priority, locked memory) is reported but keeps ``ok``: the first late
block makes it ``degraded``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

WORDS = ("ok", "degraded", "failing", "down")
STALE_S = 0.5  # without a block; or four blocks, if these are longer
HEAVY_PCT = 60.0  # of its time, on average: a Pi throttles soon after
LATELY_S = 60.0


@dataclass(frozen=True)
class Facts:
    """The engine's state.

    Parameters
    ----------
    silent_s : float
        Since the audio thread's last block; infinite without a host.
    block_s : float
        How long a block lasts.
    load_pct : float
        Mean share of its time that the audio thread used.
    ladder : int
        Steps by which quality is lowered.
    late, misses, reports_lost : int
        Since the host started.
    late_ago_s : float
        Since the last late block or miss.
    realtime : int
        Priority of the audio thread.
    locked : bool
    driver, device, error : str
    decks : list of str
        Error of each deck.
    underruns : list of int
        Frames of each deck that were not in memory when they were due.
    relinked_ago_s : float
        Since outputs that had lost their links were linked again.
    restarts : dict of str to str
        Process and why it was restarted, within the last minute.
    surfaces : list of str
        Surfaces that are switched on and could not start, with the reason.
    effects : list of str
        User effects that do not run, with the reason.
    pads : dict of str to str
        Pads whose sound could not be loaded again, by number, with the reason.
    files : list of str
        What the host could not write, with the reason: the journal, the recording, the snapshot.
    """

    silent_s: float
    block_s: float = 0.0
    load_pct: float = 0.0
    ladder: int = 0
    late: int = 0
    misses: int = 0
    late_ago_s: float = float("inf")
    reports_lost: int = 0
    realtime: int = 0
    locked: bool = False
    driver: str = ""
    device: str = ""
    configured: str = ""
    error: str = ""
    decks: list[str] = field(default_factory=list)
    underruns: list[int] = field(default_factory=list)
    relinked_ago_s: float = float("inf")
    restarts: dict[str, str] = field(default_factory=dict)
    surfaces: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    pads: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


class Misses:
    """When the last block of the present host was late or missed.

    A new host counts from 0; what happened to the one before it is reported as a restart.
    """

    def __init__(self) -> None:
        self._host = 0
        self._count = 0
        self._at_s = -float("inf")

    def count(self, host: int, misses: int, now_s: float) -> None:
        """Update the count of a host.

        Parameters
        ----------
        host : int
            Identifies it: its start time.
        misses : int
            Since its start, late blocks too.
        now_s : float
            On a monotonic clock.
        """
        if host != self._host:
            self._at_s = -float("inf")
        elif misses > self._count:
            self._at_s = now_s
        self._host = host
        self._count = misses

    def ago_s(self, now_s: float) -> float:
        """Return the time since the last one; infinite if there was none."""
        return now_s - self._at_s


def _load(facts: Facts) -> Iterator[tuple[int, str]]:
    if facts.ladder:
        yield 1, f"overload: {lowered_by(facts.ladder)}"
    if facts.load_pct > HEAVY_PCT:
        yield 1, f"the audio thread uses {facts.load_pct:.0f} % of its time"


def lowered_by(steps: int) -> str:
    """Return what the steps of the overload ladder leave out; nothing for none."""
    what = ("keylock stretches in time", "effects are off", "pads have 16 voices")
    return "; ".join(what[:steps])


def judge(facts: Facts) -> tuple[str, list[str]]:
    """Return the word and its reasons, the worst first."""
    found: list[tuple[int, str]] = []
    stale = facts.silent_s > max(STALE_S, 4 * facts.block_s)
    if stale:
        since = "the audio process is not running"
        if facts.silent_s != float("inf"):
            since = f"no audio block for {facts.silent_s:.1f} s"
        found.append((3, since))
    if facts.error:
        found.append((2, f"device: {facts.error}"))
    elif facts.driver == "timer":
        found.append(
            (2 if facts.configured != "none" else 1, "no sound device: a timer runs instead")
        )
    for number, error in enumerate(facts.decks, 1):
        if error:
            found.append((2, f"deck {number}: {error}"))
    for number, frames in enumerate(facts.underruns, 1):
        if frames:
            found.append((1, f"deck {number}: {frames} frames were not in memory in time"))
    if facts.late_ago_s < LATELY_S:
        blocks = "block" if facts.late == 1 else "blocks"
        words = f"{facts.late} late {blocks} and {facts.misses} missed by the device"
        found.append((1, f"{words}, the last {facts.late_ago_s:.0f} s ago"))
    found += _load(facts)
    if not stale:
        rights = (facts.realtime != 0, "the audio thread has no real-time priority")
        found += [
            (0, f"{words}; see `sfa doctor`")
            for given, words in (rights, (facts.locked, "memory is not locked"))
            if not given
        ]
    if facts.relinked_ago_s < LATELY_S:
        found.append((1, f"outputs without a link, linked again {facts.relinked_ago_s:.0f} s ago"))
    if facts.reports_lost:
        found.append((1, f"{facts.reports_lost} reports were not fetched in time"))
    for process, why in facts.restarts.items():
        found.append((1, f"{process} was restarted: {why}"))
    pads = [f"pad {number} is empty: {error}" for number, error in facts.pads.items()]
    found += [(1, words) for words in (*facts.surfaces, *facts.effects, *pads, *facts.files)]
    found.sort(key=lambda item: -item[0])
    worst = found[0][0] if found else 0
    return WORDS[worst], [reason for _, reason in found]
