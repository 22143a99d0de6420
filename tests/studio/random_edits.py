"""Random edits of an arrangement, most of them possible, for property tests."""

from __future__ import annotations

import random
from typing import Any

from sfa_engine.studio.arrangement import Arrangement

VERBS = (
    "add", "add", "add", "move", "copy", "delete", "split", "split", "trim", "extend", "join",
    "fade", "gain", "stretch", "transpose", "reverse", "mute", "lane.add", "lane.set",
    "lane.automate", "lane.move", "lane.delete", "tempo", "loop", "marker.add", "marker.delete",
)  # fmt: skip
SOURCES = [
    {"content": f"{k:064x}", "stem": stem, "rate": rate, "frames": 400_000 + 17 * k, "name": "A"}
    for k, (stem, rate) in enumerate([("drums", 48_000), ("vocals", 44_100), ("mix", 48_000)])
]  # fmt: skip


def random_edit(arrangement: Arrangement, choose: random.Random) -> tuple[str, dict[str, Any]]:
    """Return a verb and its arguments, which may be refused."""
    lane = choose.choice([*arrangement.lanes, 1])
    clip = choose.choice([*arrangement.clips, 1])
    tick = choose.randrange(40_000)
    verb = choose.choice(VERBS if arrangement.lanes else ("lane.add",))
    known = arrangement.clips.get(clip)
    if known is not None and choose.random() < 0.7:  # inside of it
        tick = known.tick + choose.randrange(1, 12_000)
    values: dict[str, dict[str, Any]] = {
        "add": {"lane": lane, "source": choose.choice(SOURCES), "tick": tick, "grid": 240}
        | choose.choice([{}, {"start": 1000.0, "length": choose.randrange(1, 90_000)},
                         {"warp": [[100.0, 0], [24_000.5, 960], [50_000.0, 1920]]}]),
        "move": {"clip": clip, "tick": tick, "lane": choose.choice([0, lane])},
        "copy": {"clip": clip, "tick": tick},
        "delete": {"clip": clip},
        "split": {"clip": clip, "tick": tick},
        "trim": {"clip": clip, "start": tick, "end": tick + choose.randrange(4000)},
        "extend": {"clip": clip, "frames": choose.randrange(1, 300_000)},
        "join": {"first": clip, "second": arrangement.next_number - 1},
        "fade": {"clip": clip, "fade_in": choose.randrange(9000), "curve": "power"},
        "gain": {"clip": clip, "gain_db": choose.uniform(-20, 6)},
        "stretch": {"clip": clip, "ratio": choose.uniform(0.5, 2.0)},
        "transpose": {"clip": clip, "semitones": choose.randrange(-12, 13)},
        "reverse": {"clip": clip},
        "mute": {"clip": clip, "on": choose.random() < 0.5},
        "lane.add": {"name": f"Lane {tick}", "at": choose.randrange(3)},
        "lane.set": {"lane": lane, "volume_db": choose.uniform(-30, 6), "solo": True},
        "lane.automate": {
            "lane": lane, "parameter": choose.choice(["volume_db", "pan"]),
            "points": [[tick, -0.5], [tick + 960, 0.25]],
        },
        "lane.move": {"lane": lane, "at": choose.randrange(4)},
        "lane.delete": {"lane": lane if choose.random() < 0.2 else 0},
        "tempo": {"bpm": choose.uniform(60, 180), "beats_per_bar": choose.choice([3, 4]),
                  "anchors": [{"tick": 0, "frame": 0},
                              {"tick": 3840, "frame": choose.randrange(80_000, 120_000)}]},
        "loop": {"start": tick, "end": choose.choice([0, tick + 3840])},
        "marker.add": {"tick": tick, "name": "Drop", "color": "#ff8800"},
        "marker.delete": {"marker": choose.choice([*arrangement.markers, 0])},
    }  # fmt: skip
    return verb, values[verb]
