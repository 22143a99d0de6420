"""Layouts of the app TouchOSC, generated from the desk.

::

    desk -> pages -> sheet (control -> nodes) -> document (nodes -> bytes)

Pure: it opens no socket and reads no file. Messages travel over OSC, at the desk's addresses.
"""

from sfa_engine.surfaces.touchosc.layout import layout
from sfa_engine.surfaces.touchosc.look import TABLETS
from sfa_engine.surfaces.touchosc.pages import PAGES

__all__ = ["PAGES", "TABLETS", "layout"]
