"""The controls that the stage owns: values and texts unknown to the engine.

Settable values are kept in a file of the runtime folder, written at each change (30 us), so that a
killed stage loses neither the session's lock nor the bank of the pads; `sfa stop` deletes it with
the engine's memory. Momentary ones, a shift, are at rest in a new stage, and texts, settable or
not, are requested again. Controls of `derived` hold no value, and set the rate of their deck. The
conductor's listeners are notified of all of them.
"""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfa_engine.desk import CONTROLS, DECKS, Button, Text, Value
from sfa_engine.engine.command import Source
from sfa_engine.errors import Refused
from sfa_engine.stage.derived import DERIVED

logger = logging.getLogger(__name__)
PAGE = 4096  # bytes of the file of kept values
Notify = Callable[[str, Value, int], None]

# Controls to notify of when a control of the engine changes.
FOLLOWERS: dict[str, list[str]] = defaultdict(list)
for _path, _derived in DERIVED.items():
    for _source in _derived.sources:
        FOLLOWERS[_source].append(_path)


class StageControls:
    """Holds the controls of the stage.

    Parameters
    ----------
    notify : callable
        Notifies listeners with a path, a value and a source.
    get : callable
        Returns the value of a control of the engine.
    file : pathlib.Path, optional
        Keeps the values for the next stage.
    """

    def __init__(
        self, notify: Notify, get: Callable[[str], float], file: Path | None = None
    ) -> None:
        self._notify = notify
        self._kept_in = -1
        self._get = get
        self._track_bpm: list[float | None] = [None] * DECKS
        self._values: dict[str, Value] = {
            path: "" if isinstance(control, Text) else control.scale.rest
            for path, control in CONTROLS.items()
            if control.owner == "stage"
            and not (control.planned or isinstance(control, Button) or path in DERIVED)
        }
        # Checks by surfaces that may refuse a value.
        self.checks: dict[str, Callable[[Any], None]] = {}
        if file is not None:
            self._open(file)

    def check(self, path: str, value: Value) -> None:
        """Raise `Refused` if the surface that a control switches refuses a value."""
        if path in self.checks:
            self.checks[path](value)

    def get(self, path: str) -> Value:
        """Return a value in its unit, or a text."""
        derived = DERIVED.get(path)
        if derived is None:
            return self._values[path]
        rate, rate_range = (self._get(f"deck{derived.deck}.{n}") for n in ("rate", "rate_range"))
        return derived.read(rate, rate_range, self._track_bpm[derived.deck - 1])

    def values(self) -> dict[str, Value]:
        """Return every settable value, and every text."""
        shown = (p for p in (*self._values, *DERIVED) if _is_shown(p))
        return {path: self.get(path) for path in shown}

    def put(self, path: str, value: Value, source: int = Source.STAGE) -> None:
        """Set a checked value, or a text; notify of a change."""
        if self._values[path] != value:
            self._values[path] = value
            if _is_kept(path):
                self._keep()
            self._notify(path, value, source)

    def _open(self, file: Path) -> None:
        """Read the values of an earlier stage; invalid ones are left out."""
        try:
            self._kept_in = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            found = json.loads(os.pread(self._kept_in, PAGE, 0) or b"{}")
        except OSError as error:
            logger.warning("the stage's values are not kept: %s", error)
            return
        except ValueError:
            return
        for path, value in found.items() if isinstance(found, dict) else ():
            if path in self._values and _is_kept(path):
                with suppress(Refused):
                    self._values[path] = CONTROLS[path].check(value)

    def _keep(self) -> None:
        """Write the values for the next stage: in one page, which a kill cannot split."""
        if self._kept_in < 0:
            return
        kept = {path: value for path, value in self._values.items() if _is_kept(path)}
        try:
            os.pwrite(self._kept_in, json.dumps(kept).encode().ljust(PAGE), 0)
        except OSError as error:
            logger.warning("the stage's values are not kept: %s", error)

    def engine_control(self, path: str, value: float) -> tuple[str, float] | None:
        """Return the engine's control and value that a derived control sets.

        Raises
        ------
        Refused
            The deck cannot have this value.
        """
        derived = DERIVED.get(path)
        if derived is None:
            return None
        rate_range = self._get(f"deck{derived.deck}.rate_range")
        try:
            rate = derived.rate(value, rate_range, self._track_bpm[derived.deck - 1])
        except Refused as error:
            raise Refused(f"{path}: {error.message}", error.hint) from None
        return derived.sources[0], rate

    def show_track(self, deck: int, track: dict[str, str], bpm: float | None) -> None:
        """Show the texts of the track on a deck, from 1.

        Parameters
        ----------
        deck : int
        track : dict of str to str
            Its ``title``, ``artist``, ``album`` and ``key``.
        bpm : float, optional
            Its average tempo; None without a grid.
        """
        for name in ("title", "artist", "album", "key"):
            self.put(f"deck{deck}.{name}", str(track.get(name) or ""))
        if self._track_bpm[deck - 1] != bpm:
            self._track_bpm[deck - 1] = bpm
            path = f"deck{deck}.bpm"
            self._notify(path, self.get(path), Source.STAGE)


def _is_kept(path: str) -> bool:
    control = CONTROLS[path]
    return control.settable and not (control.momentary or isinstance(control, Text))


def _is_shown(path: str) -> bool:
    control = CONTROLS[path]
    return control.settable or isinstance(control, Text)
