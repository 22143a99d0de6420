"""The type of options that name a place in a track."""

from __future__ import annotations

from typing import Any

import click

from sfa_engine.clock import seconds_of


class Place(click.ParamType[float]):
    """Seconds, or minutes and seconds as `1:01.5`; the command gets seconds."""

    name = "place"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return what somebody wrote as seconds."""
        del param, ctx
        return float(value) if isinstance(value, float | int) else seconds_of(value)


PLACE = Place()
