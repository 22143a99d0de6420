"""A headless, real-time stem-performance engine.

The folders are the planes: `desk` declares every control, `host` makes the sound, `stage`
controls it, `surfaces` are protocols, `backstage` owns the library, `cli` is the ``sfa`` command.
Imports run downwards only; ``.importlinter`` checks it. The map: docs/architecture.md.
"""

__version__ = "0.1.0"
