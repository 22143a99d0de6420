"""Tablets in the network are found, told from their first touch on, and the engine is found."""

import socket
from contextlib import suppress

import pytest
import trio
from osc_client import Client, free_port
from pythonosc.osc_packet import OscPacket
from zeroconf import ServiceBrowser, ServiceInfo, Zeroconf

from sfa_engine.engine.memory import Memory
from sfa_engine.stage.core import Core
from sfa_engine.surfaces.osc import discovery
from sfa_engine.surfaces.osc.discovery import KIND
from sfa_engine.surfaces.osc.server import Server
from sfa_engine.surfaces.osc.settings import OscConfig
from sfa_engine.system.runtime_files import ENGINE_MEMORY

pytestmark = pytest.mark.slow


@pytest.fixture
async def engine(tmp_path, nursery, monkeypatch):
    """OSC on a stage whose audio process has died."""
    monkeypatch.setattr(discovery, "DELAY_S", 0.0)
    memory = Memory.create(tmp_path / ENGINE_MEMORY)
    memory.engine["sample_rate"] = 48_000.0
    made = Server(Core(tmp_path), OscConfig(port=free_port()))
    await nursery.start(made.run)
    yield made
    nursery.cancel_scope.cancel()


@pytest.fixture
async def zeroconf():
    made = await trio.to_thread.run_sync(Zeroconf)
    yield made
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(made.close)


async def until(condition):
    with trio.fail_after(90):  # a query that is lost is repeated after up to a minute
        while not condition():  # noqa: ASYNC110 - of another thread
            await trio.sleep(0.02)


async def test_a_tablet_is_found_and_gets_feedback_from_its_first_touch_on(engine, zeroconf):
    port = engine._config.port
    with socket.socket(type=socket.SOCK_DGRAM) as tablet, Client(port) as touch:
        tablet.bind(("127.0.0.1", 0))
        tablet.setblocking(False)
        info = ServiceInfo(
            KIND,
            f"Tablet {port}.{KIND}",
            port=tablet.getsockname()[1],
            parsed_addresses=["127.0.0.1"],
            server=f"tablet-{port}.local.",
        )
        await trio.to_thread.run_sync(zeroconf.register_service, info)
        found = {"name": f"Tablet {port}", "host": "127.0.0.1", "port": info.port}
        await until(lambda: found in engine.osc_peers()["tablets"])
        touch.send("/crossfader", 12.0)
        with trio.fail_after(20):
            await trio.lowlevel.wait_readable(tablet)
        heard = [m.message.address for m in OscPacket(tablet.recv(65_536)).messages]
        assert len(heard) > 10
        await trio.to_thread.run_sync(zeroconf.unregister_service, info)
        await until(lambda: found not in engine.osc_peers()["tablets"])


async def test_the_engine_is_found(engine, zeroconf):
    ports = set()  # several engines of one machine have numbers behind their names

    def note(zeroconf, service_type, name, **_):
        if name.startswith("Sound Forge Alchemy"):
            with suppress(Exception):  # the test has ended
                ports.add(zeroconf.get_service_info(service_type, name).port)

    await trio.to_thread.run_sync(lambda: ServiceBrowser(zeroconf, KIND, handlers=[note]))
    await until(lambda: engine._config.port in ports)
