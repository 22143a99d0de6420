"""The fixtures of `open_library`, for the tests here."""

from open_library import database, places, runner  # noqa: F401 - fixtures, found by their names
