"""The type of options that are a time in a track."""

from __future__ import annotations

from typing import Any

import click

from sfa_engine.system.timecode import seconds_of


class Time(click.ParamType[float]):
    """Seconds, or minutes and seconds as `1:01.5`; the command gets seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the value in seconds."""
        del param, ctx
        return float(value) if isinstance(value, float | int) else seconds_of(value)


TIME = Time()
