"""A headless, real-time stem-performance engine.

The folders are the planes: `desk` names every control, `audio` makes the sound,
`stage` decides, `surfaces` speak to the outside, `cli` is the ``sfa`` command.
Imports run downwards only; ``.importlinter`` guards it.
"""

__version__ = "0.1.0"
