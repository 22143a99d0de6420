"""The fixtures of `engine_process`, for the tests here."""

from engine_process import (  # noqa: F401 - fixtures are found by their names
    bundles,
    engine,
    jack,
    playing,
    silent_engine,
)
