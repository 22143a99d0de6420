"""Requests with values of every type, for the tests that no verb has a fault.

``SFA_FUZZ=1000000`` makes so many for each server instead of a thousand.
"""

import math
import os
import random

from sfa_engine.errors import SfaError
from sfa_engine.wire.verbs import verbs_of

FRAMES = int(os.environ.get("SFA_FUZZ", "1000"))
# Of each kind that MessagePack has, and of those that a verb wants, in and out of its range.
VALUES = [
    *(None, True, False, 0, 1, 2, 3, -1, 8, 120, 1 << 31, 1 << 62, (1 << 64) - 1, -(1 << 63)),
    *(0.0, -0.0, 0.5, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf),
    *("", "x", "\0", "1", "-6 dB", "beat", "bar deck1", "now", "halve", "deck1.*", "crossfader"),
    *("deck1.play", "deck1.hotcue1.store", "deck1.level", "é" * 100, "?" * 5000, "\ud7ff", "%s{0}"),
    *(b"", b"x", b"\xff" * 300),
    *([], [None], [[]], ["x", b"x"], [1, "x"], [{}], [float("nan")], list(range(100))),
    *({}, {"x": 1}, {"1": 5.0}, {"1": "x"}, {"1": math.nan}, {"33": 1.0}, {"title": b"x"}),
    *({"title": 5}, {"year": "x"}, {"year": 1 << 63}, {"nothing": 1}, {"key": []}),
    [[[[[[[[[[1]]]]]]]]]],
]


def parameters(*kinds):
    """Return each verb of some classes with its parameters' names."""
    return {name: list(verb.types) for kind in kinds for name, verb in verbs_of(kind).items()}


# Such as a person would send, so that the rest of a request is looked at too.
USUAL = {
    "path": "crossfader",
    "value": 0,
    "deck": 1,
    "track": "song",
    "paths": ["crossfader"],
    "words": "",
    "position_s": 1.0,
    "bundle": "song.sfa",
    "hotcues": {"1": 1.0},
    "name": "list",
    "sources": ["nowhere.wav"],
    "values": {"title": "x"},
    "job": 1,
    "batch": "x",
    "frames": 0,
    "cue": 1,
    "entry": 1,
    "to": 0,
    "folder": "nowhere",
}


def requests(verbs, seed):
    chance = random.Random(seed)
    names = sorted(verbs)
    for number in range(FRAMES):
        method = names[number % len(names)]
        params = {}
        for name in verbs[method]:
            if name in USUAL and chance.random() < 0.5:
                params[name] = USUAL[name]
            elif chance.random() < 0.7:
                params[name] = chance.choice(VALUES)
        if chance.random() < 0.05:
            params["nothing"] = chance.choice(VALUES)
        yield method, params


def faults(client, verbs):
    """Return the requests that were answered with a fault of ours, or not by a sentence."""
    found = []
    for method, params in requests(verbs, seed=1):
        if method == "set" and params.get("wait") is True and params.get("when") is not None:
            params["when"] = "now"  # else it waits for its moment
        try:
            client.call(method, **params)
        except SfaError as error:
            is_ours = error.code == "fault" or "cannot do it" in error.message
            if is_ours or not error.message or "\n" in error.message:
                found.append((method, params, error.code, error.message))
    return found
