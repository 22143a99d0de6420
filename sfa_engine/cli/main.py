"""The ``sfa`` command: which commands there are, and errors as one line.

Each command is in a module of its own, which is imported when the command is called: `sfa get` is
called from scripts, ten times a second, and must not pay for what `sfa library` needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from sfa_engine import __version__
from sfa_engine.cli import terminal
from sfa_engine.errors import Refused, SfaError
from sfa_engine.run.deck_setting import export_decks
from sfa_engine.system.deck_count import deck_count

SPELLINGS = {"analyse": "analyze"}  # accepted too, and not listed
_OWN_MODULE = (
    *(
        "analyze",
        "ask",
        "audit",
        "bundle",
        "chef",
        "clock",
        "completion",
        "demo",
        "devices",
        "doctor",
        "fx",
    ),
    *("health", "jobs", "journal", "kit", "lalalai", "layout", "library", "llm", "log"),
    *("loops", "master", "mcp"),
    *(
        "midi",
        "mix",
        "notifications",
        "osc",
        "pad",
        "prep",
        "preset",
        "proposals",
        "record",
        "render",
        "replay",
        "secret",
    ),
    *("separate", "spotify", "start", "status", "stop", "web", "webhook"),
)
# Command -> its module; the function has the command's name, `set_` for `set`.
COMMANDS = {
    **{name: f"sfa_engine.cli.{name}" for name in _OWN_MODULE},
    **dict.fromkeys(("describe", "get", "press", "set", "watch"), "sfa_engine.cli.controls"),
    **dict.fromkeys(("cue", "eject", "load"), "sfa_engine.cli.decks"),
    **dict.fromkeys(("cancel", "waiting"), "sfa_engine.cli.waiting"),
    "bench": "sfa_engine.bench.command",
}
COMPLETE = "_SFA_COMPLETE"  # set by a shell that asks for completions
INTERRUPTED = 130  # status after Ctrl-C, as shells have it: 128 + SIGINT


class Group(click.Group):
    """A group whose errors are one line: ours, and those of a wrong command line."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _errors_as_lines():
            return super().make_context(*args, **extra)

    def invoke(self, context: click.Context) -> Any:
        with _errors_as_lines():
            return super().invoke(context)


class Main(Group):
    """The whole command: imports the module of the command that is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *COMMANDS})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        name = SPELLINGS.get(name, name)
        if name in COMMANDS and name not in self.commands:
            export_decks()  # before the module imports the desk
            module = import_module(COMMANDS[name])
            self.add_command(getattr(module, "set_" if name == "set" else name))
        command = super().get_command(context, name)
        if command is not None and context.resilient_parsing:  # a shell asks for completions
            from sfa_engine.cli.completion import attach

            attach(command)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        if COMPLETE in os.environ:
            try:
                deck_count()
            except Refused:
                sys.exit(1)  # nothing is completed; the command itself says why
            import sfa_engine.cli.completion  # noqa: F401 - its shells take the places of click's
        with terminal.guarded():
            return super().main(*args, **extra)


@contextmanager
def _errors_as_lines() -> Iterator[None]:
    """Write an error of the block as one line, and exit with its status."""
    try:
        yield
    except terminal.OutputError as error:
        terminal.print_error(error)
        terminal.discard_output()
        raise click.exceptions.Exit(1) from None
    except SfaError as error:
        terminal.print_error(error)
        raise click.exceptions.Exit(1) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        from sfa_engine.cli import usage

        terminal.print_error(usage.refusal_of(error))
        raise click.exceptions.Exit(usage.STATUS) from None
    except BrokenPipeError:
        terminal.discard_output()
        raise click.exceptions.Exit(0) from None
    except (KeyboardInterrupt, click.Abort) as error:
        # A prompt answers Ctrl-C and Ctrl-D alike, by an Abort.
        cause = error if isinstance(error, KeyboardInterrupt) else error.__context__
        interrupted = isinstance(cause, KeyboardInterrupt)
        raise click.exceptions.Exit(INTERRUPTED if interrupted else 1) from None


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sfa")
def main() -> None:
    """Sound Forge Alchemy: a headless stem-performance engine.

    Start with `sfa demo`, or `sfa start` and then `sfa status --watch`.
    """
    # Otherwise the programs that we start would import modules from the current folder.
    os.environ["PYTHONSAFEPATH"] = "1"


if __name__ == "__main__":
    main(prog_name="sfa")
