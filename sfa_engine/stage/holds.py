"""What clients hold: controls that spring back, each with its last holder. Pure."""

from __future__ import annotations

from sfa_engine.desk import Control


def rest_of(control: Control) -> float:
    """Return the value of a control that nobody holds."""
    return 0.0 if control.held else control.scale.rest


class Holds:
    """Which source holds which control: the last one that moved or pressed it."""

    def __init__(self) -> None:
        self._holders: dict[str, int] = {}  # by path

    def note(self, control: Control, value: float, source: int) -> None:
        """Note that a source has set or pressed a control that springs back."""
        if value == rest_of(control):
            self._holders.pop(control.path, None)
        else:
            self._holders[control.path] = source

    def drop(self, path: str) -> None:
        """Forget who holds a control: it stays as it is."""
        self._holders.pop(path, None)

    def of(self, source: int) -> list[str]:
        """Return what a source holds."""
        return [path for path, holder in self._holders.items() if holder == source]

    def sources(self) -> set[int]:
        """Return everyone who holds something."""
        return set(self._holders.values())
