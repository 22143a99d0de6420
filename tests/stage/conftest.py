"""The engine in processes of its own, for the tests here."""

from engine_process import silent_engine  # noqa: F401 - a fixture, found by its name
from quiet_track import quiet_engine  # noqa: F401 - a fixture, found by its name
