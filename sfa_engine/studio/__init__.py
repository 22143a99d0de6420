"""The studio: arrangements of stems and tracks, edited without loss and rendered here.

A project is a folder: `project` keeps its log, `arrangement` is its state, `edits` its verbs.
"""
