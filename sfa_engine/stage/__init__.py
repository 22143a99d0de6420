"""The control plane: receives changes from all surfaces, checks them, and sends commands.

Knows the desk and the engine's memory. Does no disk, network or JSON work that could hold the
interpreter for a millisecond; imports nothing of the library, of preparation or of surfaces.
"""
