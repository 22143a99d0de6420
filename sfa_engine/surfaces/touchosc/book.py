"""What every page of a layout is made from."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfa_engine.desk import Desk
from sfa_engine.surfaces.touchosc.look import MARGIN, Rect, Tablet
from sfa_engine.surfaces.touchosc.sheet import Sheet


@dataclass
class Book:
    """What every page is made from.

    Parameters
    ----------
    desk : Desk
        Whose controls.
    tablet : Tablet
        For what screen.
    port : int
        On which TouchOSC receives.
    placed : set of str
        Paths of the controls that can be set or pressed by now.
    """

    desk: Desk
    tablet: Tablet
    port: int
    placed: set[str] = field(default_factory=set)

    def sheet(self) -> Sheet:
        return Sheet(self.placed)

    @property
    def room(self) -> Rect:
        """What a page has, without its margin."""
        return Rect(0, 0, self.tablet.width, self.tablet.height - self.tablet.tab_bar).inset(MARGIN)

    def tab(self, long: str, short: str) -> str:
        return short if self.tablet.short else long
