"""`sfa start`: the engine in the foreground, supervised."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from sfa_engine.cli import terminal
from sfa_engine.cli.options import RATE, device_option
from sfa_engine.errors import Refused
from sfa_engine.run.folders import PRIVATE_UMASK, runtime_path

if TYPE_CHECKING:
    from sfa_engine.web.settings import WebConfig


@click.command()
@device_option
@click.option("--rate", type=RATE, help="Frames a second; the device's own if left out.")
@click.option("--block", type=click.IntRange(16, 8192), help="Frames a block; JACK has its own.")
@click.option(
    "--channels",
    type=click.Choice(["2", "4", "6"]),
    help="4 has headphones on 3 and 4, 6 the booth on 5 and 6.",
)
@click.option("--no-backstage", is_flag=True, help="Perform only: no library, no preparation.")
@click.option("--web/--no-web", default=None, help="Serve REST over HTTP; see [web].")
@click.option("--resume", is_flag=True, help="Go on with the last set, after a power failure.")
def start(
    device: str | None,
    rate: int | None,
    block: int | None,
    channels: str | None,
    no_backstage: bool,
    web: bool | None,
    resume: bool,
) -> None:
    """Start the engine here, and supervise it until Ctrl-C or `sfa stop`."""
    from dataclasses import replace

    from sfa_engine.cli import screen
    from sfa_engine.cli.startup_health import report_health
    from sfa_engine.run.config import host_files, load_config
    from sfa_engine.run.supervise import Supervisor

    os.umask(PRIVATE_UMASK)  # inherited by its children
    config = load_config()
    audio = config.audio
    audio = replace(
        audio,
        device=audio.device if device is None else device,
        rate=audio.rate if rate is None else rate,
        block=block or audio.block,
        channels=int(channels or audio.channels),
    )
    runtime = runtime_path()
    screen.build_kernel()

    def say(line: str) -> None:
        with suppress(terminal.OutputError):  # the terminal was closed
            screen.errors.print(line, highlight=False, markup=False, soft_wrap=True)

    supervisor = Supervisor(
        runtime,
        audio,
        say,
        backstage=not no_backstage,
        files=host_files(config),
        resume=resume,
        web=_web(config.web, wanted=web, say=say),
    )
    say(f"engine starting in {runtime}; Ctrl-C or `sfa stop` ends it")
    supervisor.run(lambda: report_health(runtime, say))


def _web(config: WebConfig, *, wanted: bool | None, say: Callable[[str], None]) -> WebConfig | None:
    """Return how to run the web process; None for none.

    Without the packages that it needs, `--web` is refused; a configuration is not, as the set has
    to begin.
    """
    from importlib.util import find_spec

    from sfa_engine.web.settings import EXTRA

    if not (config.enabled if wanted is None else wanted):
        return None
    needed = ("argon2", "httptools", "starlette", "uvicorn", "websockets")
    missing = [name for name in needed if find_spec(name) is None]
    if not missing:
        return config
    if wanted:
        raise Refused(f"--web needs {', '.join(missing)}", EXTRA)
    say(f"web is off: it needs {', '.join(missing)}; {EXTRA}")
    return None
