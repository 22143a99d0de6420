"""What a wrong command line is answered with: one line, in the form of every other error.

Click says the same in four lines and in words of Python; here its errors become ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import click

from sfa_engine.errors import Refused, did_you_mean

STATUS = 2  # of a command that was not understood
_VALUE = re.compile(r"'(.*?)'|(\S+)", re.DOTALL)  # with which click's sentence begins


def refusal_of(error: click.UsageError) -> Refused:
    """Return what click complains of as a refusal: what, which value, what to do."""
    path = error.ctx.command_path if error.ctx else "sfa"
    see = f"see `{path} --help`"
    if isinstance(error, click.NoSuchOption):
        options = _options_of(error.ctx)
        return Refused(
            f'no option "{error.option_name}"', did_you_mean(error.option_name, options) or see
        )
    name = getattr(error, "command_name", None)
    if name is not None and error.ctx is not None:
        group = error.ctx.command
        commands = group.list_commands(error.ctx) if isinstance(group, click.Group) else ()
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
    """Return the name of what is wrong as the user writes it: ``DECK``, ``--block``."""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    return error.param.human_readable_name if error.param else ""


def _of_value(error: click.BadParameter, param: click.Parameter) -> Refused:
    kind = param.type
    found = _VALUE.match(error.message)
    value = (found[1] if found[1] is not None else found[2]) if found else ""
    hint = ""
    if isinstance(kind, click.Choice):
        words = [str(choice) for choice in kind.choices]
        hint = did_you_mean(value, words) or f"say {' or '.join(words)}"
    elif isinstance(kind, click.IntRange | click.FloatRange):
        hint = f"give {_number(kind)} {_between(kind)}"
    elif kind in {click.INT, click.FLOAT}:
        hint = f"give {_number(kind)}"
    if not hint:
        return Refused(f"{_name(error)}: {error.message.rstrip('.')}")
    return Refused(f'{_name(error)} is "{value}"', hint)


def _number(kind: click.ParamType[Any]) -> str:
    return "a whole number" if isinstance(kind, click.types.IntParamType) else "a number"


def _between(kind: click.IntRange | click.FloatRange) -> str:
    if kind.max is None:
        return f"from {kind.min:g}"
    return f"from {kind.min:g} to {kind.max:g}" if kind.min is not None else f"up to {kind.max:g}"
