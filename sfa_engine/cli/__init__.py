"""The ``sfa`` command: one module a command, and how results are shown on a terminal.

Decides nothing and makes no sound; only the bench imports it.
"""
