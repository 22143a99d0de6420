"""The verbs of the desk: each is a kernel function of its name in a module of its topic.

`dispatch` is generated from what `verb` has registered: a chain of comparisons, of which LLVM
makes a jump table. A verb of the desk without a function, or the reverse, fails a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sfa_engine.host.kernel.intrinsics import kernel


class Verb(NamedTuple):
    """A compiled verb, and what has to be there before it is called."""

    function: Callable[..., Any]
    needs_deck: bool
    needs_track: bool


REGISTRY: dict[str, Verb] = {}


def verb(*, needs_deck: bool = True, needs_track: bool = False) -> Callable[..., Any]:
    """Mark the kernel function of a verb, which has its name in the desk.

    It takes ``engine, dsp, deck, command, frame`` and returns a `Reason`. `command.x` is what
    was asked for; the function puts there what was done.

    Parameters
    ----------
    needs_deck : bool
        Refuse a command whose deck does not exist.
    needs_track : bool
        Refuse it while there is no track on the deck.
    """

    def register(function: Callable[..., Any]) -> Any:
        compiled = kernel(function)
        REGISTRY[function.__name__] = Verb(compiled, needs_deck, needs_track)
        return compiled

    return register
