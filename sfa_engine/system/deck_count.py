"""How many decks there are: chosen once, before anything is derived from the desk.

Each process of an engine must have the same number: it decides on the layout of the engine's
memory and on the machine code. `sfa start` hands it to its children in the environment. It is
not in the desk's package because that derives everything from it as soon as it is imported.
"""

from __future__ import annotations

import os

from sfa_engine.errors import Refused

VARIABLE = "SFA_DECKS"
FEWEST, MOST, USUAL = 2, 4, 2


def deck_count() -> int:
    """Return the number of decks that the environment asks for.

    Raises
    ------
    Refused
        ``SFA_DECKS`` is not a whole number from 2 to 4.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return USUAL
    if given not in {str(count) for count in range(FEWEST, MOST + 1)}:
        raise Refused(
            f"{VARIABLE} is {given!r:.80}", f"give a whole number from {FEWEST} to {MOST}"
        )
    return int(given)
