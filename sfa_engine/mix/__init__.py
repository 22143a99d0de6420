"""Mixing: search in words, similar tracks, order and transitions of a set, mastering.

Pure and deterministic: values in, values out. Knows no database, no socket and no process;
backstage reads what is asked for, and renders and performs what is planned.
"""
