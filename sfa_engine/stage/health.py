"""One honest word about the engine, and the reasons for it. Pure: facts in, word out.

======== ==================================================================
word     meaning
======== ==================================================================
ok       play
strained it plays, but something eats into its reserve, or has lately
poor     it plays, but not as it was asked to: no device, a track not whole
down     it does not play
======== ==================================================================

A right that the machine does not give (priority, locked memory) is told, and is no strain: it
becomes one with the first late block.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WORDS = ("ok", "strained", "poor", "down")
STALE_S = 0.5  # without a block; or four blocks, if these are longer
HEAVY_PCT = 60.0  # of its time, on average: a Pi throttles soon after
LATELY_S = 60.0


@dataclass(frozen=True)
class Facts:
    """What is known about the engine.

    Parameters
    ----------
    silent_s : float
        Since the audio thread's last block; infinite if there is no host.
    block_s : float
        How long a block lasts.
    load_pct : float
        Mean share of its time that the audio thread used.
    late, misses, reports_lost : int
        Since the host started.
    late_ago_s : float
        Since the last late block or miss.
    realtime : int
        Priority of the audio thread.
    locked : bool
    driver, device, trouble : str
    decks : list of str
        Trouble of each deck.
    starved : list of int
        Frames of each deck that were not in memory when they were due.
    relinked_ago_s : float
        Since outputs that had lost their links were linked again.
    restarts : dict of str to str
        Process and why it was started again, within the last minute.
    """

    silent_s: float
    block_s: float = 0.0
    load_pct: float = 0.0
    late: int = 0
    misses: int = 0
    late_ago_s: float = float("inf")
    reports_lost: int = 0
    realtime: int = 0
    locked: bool = False
    driver: str = ""
    device: str = ""
    wanted: str = ""
    trouble: str = ""
    decks: list[str] = field(default_factory=list)
    starved: list[int] = field(default_factory=list)
    relinked_ago_s: float = float("inf")
    restarts: dict[str, str] = field(default_factory=dict)


class Misses:
    """When the last block was late or missed, of the host that runs now.

    A new host counts from 0, and what befell the one before it is told as a new start.
    """

    def __init__(self) -> None:
        self._host = 0
        self._count = 0
        self._at_s = -float("inf")

    def count(self, host: int, misses: int, now_s: float) -> None:
        """Take note of a host's count.

        Parameters
        ----------
        host : int
            What tells it from others: when it was started.
        misses : int
            Since it started, late blocks too.
        now_s : float
            On a clock that only goes forward.
        """
        if host != self._host:
            self._at_s = -float("inf")
        elif misses > self._count:
            self._at_s = now_s
        self._host = host
        self._count = misses

    def ago_s(self, now_s: float) -> float:
        """Return how long ago the last was; infinite if none has been seen."""
        return now_s - self._at_s


def judge(facts: Facts) -> tuple[str, list[str]]:
    """Return the word and its reasons, the worst first."""
    found: list[tuple[int, str]] = []
    stale = facts.silent_s > max(STALE_S, 4 * facts.block_s)
    if stale:
        since = "there is no audio process"
        if facts.silent_s != float("inf"):
            since = f"no sound was asked for since {facts.silent_s:.1f} s"
        found.append((3, since))
    if facts.trouble:
        found.append((2, f"device: {facts.trouble}"))
    elif facts.driver == "timer":
        found.append((2 if facts.wanted != "none" else 1, "no sound device: a timer runs instead"))
    for number, trouble in enumerate(facts.decks, 1):
        if trouble:
            found.append((2, f"deck {number}: {trouble}"))
    for number, frames in enumerate(facts.starved, 1):
        if frames:
            found.append((1, f"deck {number}: {frames} frames were not in memory in time"))
    if facts.late_ago_s < LATELY_S:
        words = f"{facts.late} late blocks and {facts.misses} missed by the device"
        found.append((1, f"{words}, the last {facts.late_ago_s:.0f} s ago"))
    if facts.load_pct > HEAVY_PCT:
        found.append((1, f"the audio thread uses {facts.load_pct:.0f} % of its time"))
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
        found.append((1, f"{process} was started again: {why}"))
    found.sort(key=lambda item: -item[0])
    worst = found[0][0] if found else 0
    return WORDS[worst], [reason for _, reason in found]
