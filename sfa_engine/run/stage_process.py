"""The stage's process: the core with its surfaces."""

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

from sfa_engine.errors import EngineError, SfaError
from sfa_engine.run import config as configuration
from sfa_engine.run import process_log
from sfa_engine.run.config import Config
from sfa_engine.run.folders import PRIVATE_UMASK
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.bridge.start import start_bridge
from sfa_engine.surfaces.link.surface import LinkSurface
from sfa_engine.surfaces.midi import surface as midi
from sfa_engine.surfaces.osc.server import start_osc
from sfa_engine.surfaces.rtpmidi.server import start_rtpmidi
from sfa_engine.surfaces.socket.server import Server
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.runtime_files import ENGINE_SOCKET, STAGE_LOCK

logger = logging.getLogger("sfa_engine.stage")
MEMORY_TIMEOUT_S = 30.0  # for the host to make its memory


async def _serve(core: Core, runtime: Path, config: Config) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(core.run)
        await _start_surfaces(core, nursery, config)  # they add verbs, for the socket to serve
        await nursery.start(Server(core, runtime / ENGINE_SOCKET).run)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                if received == signal.SIGTERM:
                    nursery.cancel_scope.cancel()
                    return


async def _start_surfaces(core: Core, nursery: trio.Nursery, config: Config) -> None:
    """Start the surfaces; one that cannot start reports why and does not affect the others."""
    start_bridge(core, config.bridge, config.route)  # before surfaces check for routes
    await start_rtpmidi(core, nursery, config.rtpmidi)
    midi.start(core, nursery, config.midi)
    await start_osc(core, nursery, config.osc)
    nursery.start_soon(LinkSurface(core, config.link).run)


def _read_config() -> Config:
    """Return the configuration; the defaults if it is invalid, which `sfa start` reports."""
    try:
        return configuration.load_config()
    except SfaError as error:
        logger.error("%s", error)  # noqa: TRY400 - one line
        return Config()


def _open_core(runtime: Path, device: str, data: Path | None) -> Core:
    """Return the core as soon as the host has made its memory."""
    give_up = time.monotonic() + MEMORY_TIMEOUT_S
    while True:
        try:
            return Core(runtime, device, data)
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
        held = take_lock(given.runtime / STAGE_LOCK, "a stage", "stop it first with `sfa stop`")
        core = _open_core(given.runtime, given.device, given.data)
        trio.run(_serve, core, given.runtime, _read_config())
    except SfaError as error:
        return process_log.report(error)
    os.close(held)
    logger.info("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
