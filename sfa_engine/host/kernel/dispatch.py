"""From the number of a verb to its function: generated from the registry of verbs."""

from __future__ import annotations

from sfa_engine.engine.command import VERBS, Op, Reason
from sfa_engine.engine.layout import DECKS
from sfa_engine.host.kernel import (  # noqa: F401 - importing them registers their verbs
    cue,
    hotcue,
    loop,
    sampler,
    stem_loop,
    stem_source,
    tempo,
    transport_verbs,
)
from sfa_engine.host.kernel.intrinsics import kernel
from sfa_engine.host.kernel.verbs import REGISTRY


def _source() -> str:
    """Return the text of the dispatch function, one branch for each verb."""
    lines = [
        "def dispatch(engine, dsp, command, frame):",
        "    op = command.op",
        "    deck = np.int64(command.deck)",
        f"    is_deck = deck >= 0 and deck < {DECKS}",
        "    has_track = is_deck and engine.transport[deck].head.slot >= 0",
    ]
    for name in VERBS:
        found = REGISTRY[name]
        lines.append(f"    if op == {Op[name.upper()].value}:")
        if found.needs_deck:
            lines += ["        if not is_deck:", "            return UNKNOWN"]
        if found.needs_track:
            lines += ["        if not has_track:", "            return NO_TRACK"]
        lines.append(f"        return verb_{name}(engine, dsp, deck, command, frame)")
    return "\n".join([*lines, "    return UNKNOWN"])


def _generate():
    """Return the dispatch function, which calls the verb of a command and returns a `Reason`."""
    import numpy as np

    names = {f"verb_{name}": found.function for name, found in REGISTRY.items()}
    reasons = {"UNKNOWN": Reason.UNKNOWN, "NO_TRACK": Reason.NO_TRACK}
    scope = {"__name__": __name__, "np": np, **reasons, **names}
    exec(_source(), scope)  # noqa: S102 - our own text; Numba reads the bytecode
    return scope["dispatch"]


dispatch = kernel(_generate())
