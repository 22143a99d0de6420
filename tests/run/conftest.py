"""The engine in processes of its own, for the tests here."""

from engine_process import bundles, silent_engine  # noqa: F401 - fixtures, found by their names
