"""`[engine] decks` of the configuration, put into the environment before the desk is imported.

Everything is derived from the desk, so its size must be known first; the whole configuration is
read later, and by then says what is wrong with it.
"""

from __future__ import annotations

import os

from sfa_engine.run.folders import config_path
from sfa_engine.system.deck_count import FEWEST, MOST, VARIABLE


def export_decks() -> None:
    """Set ``SFA_DECKS`` for this process and its children, unless it is set already."""
    if VARIABLE in os.environ:
        return
    try:
        text = config_path().read_text()
    except (OSError, UnicodeDecodeError, RuntimeError):  # the last: a user without a home
        return
    if "decks" not in text:  # as in nearly all: a `sfa get` does not pay for a parser
        return
    import tomllib

    try:
        engine = tomllib.loads(text).get("engine")
    except tomllib.TOMLDecodeError:
        return
    count = engine.get("decks") if isinstance(engine, dict) else None
    if type(count) is int and FEWEST <= count <= MOST:
        os.environ[VARIABLE] = str(count)
