"""The control plane: takes every change from every surface, decides, and sends commands.

Knows the desk and the engine's memory. Does no disk, no network and no JSON that could hold
the interpreter for a millisecond; imports nothing of the library, of preparation or of surfaces.
"""
