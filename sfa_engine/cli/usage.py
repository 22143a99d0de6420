"""Errors of a wrong command line, as one line in the form of every other error.

Click says the same in four lines and in words of Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from sfa_engine.errors import Refused, did_you_mean

STATUS = 2  # of a wrong command line


def refusal_of(error: click.UsageError) -> Refused:
    """Return click's error as ours: what, which value, what to do."""
    path = error.ctx.command_path if error.ctx else "sfa"
    see = f"see `{path} --help`"
    if isinstance(error, click.NoSuchOption):
        options = _options_of(error.ctx)
        return Refused(
            f'no option "{error.option_name}"', did_you_mean(error.option_name, options) or see
        )
    if isinstance(error, click.NoSuchCommand):
        context, commands = error.ctx, list[str]()
        if context is not None and isinstance(context.command, click.Group):
            commands = context.command.list_commands(context)
        name = error.command_name
        return Refused(f'no command "{name}"', did_you_mean(name, commands) or see)
    if isinstance(error, click.MissingParameter):
        return Refused(f"{_name(error)} is missing", see)
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _of_value(error, error.param)
    words = error.format_message().strip().rstrip(".").replace("\n", " ")
    return Refused(f"{words[:1].lower()}{words[1:]}", see)


def _options_of(context: click.Context | None) -> Iterable[str]:
    """Return the options of a command, as they are written."""
    parameters = context.command.get_params(context) if context else []
    return [word for p in parameters if isinstance(p, click.Option) for word in p.opts]


def _name(error: click.BadParameter) -> str:
    """Return the name of a parameter as it is typed: ``DECK``, ``--block``."""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return error.param.human_readable_name if error.param else ""


def _of_value(error: click.BadParameter, param: click.Parameter) -> Refused:
    """Return an invalid value as our error: click names the value, our hint the range."""
    message = error.message.rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    return Refused(f"{_name(error)}: {message}", _number(param.type))


def _number(kind: click.ParamType[Any]) -> str:
    """Return the hint for a number, with its range; empty for other types."""
    if not isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        return ""
    number = "a whole number" if isinstance(kind, click.types.IntParamType) else "a number"
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return f"give {number}"
    return f"give {number} from {kind.min:g}" + ("" if kind.max is None else f" to {kind.max:g}")
