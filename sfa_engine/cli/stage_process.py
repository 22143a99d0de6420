"""The stage's process: the core and its surfaces, put together."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

import trio

from sfa_engine.audio.lock import take_lock
from sfa_engine.cli import config as configuration
from sfa_engine.cli import process_log
from sfa_engine.cli.folders import PRIVATE_UMASK
from sfa_engine.errors import EngineError, SfaError
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.socket.server import Server
from sfa_engine.wire import ENGINE

LOCK = "stage.lock"
logger = logging.getLogger("sfa_engine.stage")
PATIENCE_S = 30.0  # for the host to make its memory


async def _serve(core: Core, runtime: Path) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(core.run)
        await nursery.start(Server(core, runtime / ENGINE).run)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                if received == signal.SIGTERM:
                    nursery.cancel_scope.cancel()
                    return


def _open_core(runtime: Path, wanted: str, data: Path | None) -> Core:
    """Return the core as soon as the host has made its memory."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Core(runtime, wanted, data)
        except EngineError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def main() -> int:
    """Run the stage; the ``sfa`` command starts it."""
    parser = argparse.ArgumentParser(prog="sfa-stage", description=main.__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--device", default="default")
    parser.add_argument("--data", type=Path, help="folder of what outlives a power cut")
    parser.add_argument("--log", type=Path, help="folder of the logs")
    given = parser.parse_args()
    process_log.start("stage", given.log or configuration.log_path())
    logger.info("started")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    os.umask(PRIVATE_UMASK)
    try:
        held = take_lock(given.runtime / LOCK, "a stage", "stop it first with `sfa stop`")
        trio.run(_serve, _open_core(given.runtime, given.device, given.data), given.runtime)
    except SfaError as error:
        logger.error("%s", error)  # noqa: TRY400 - in a line
        return 1
    os.close(held)
    logger.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
