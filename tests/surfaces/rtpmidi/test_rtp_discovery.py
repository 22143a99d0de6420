"""Zeroconf of network MIDI, between two of us in one machine."""

import socket
import subprocess
import sys
import textwrap
import time

import pytest
import trio

from sfa_engine.stage import discovery
from sfa_engine.stage.discovery import Discovery
from sfa_engine.surfaces.rtpmidi.server import SERVICE


@pytest.mark.slow
async def test_a_session_is_found_and_missed_when_it_is_gone():
    here, there = (
        Discovery(SERVICE, "sfa test here", 5104),
        Discovery(SERVICE, "sfa test there", 5204),
    )

    def names():
        return {each.name: each.port for each in here.found.values()}

    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.run)
        with trio.fail_after(20):
            async with trio.open_nursery() as others:
                others.start_soon(there.run)
                while "sfa test there" not in names():  # noqa: ASYNC110 - of a thread
                    await trio.sleep(0.05)
                assert names()["sfa test there"] == 5204
                others.cancel_scope.cancel()
            while "sfa test there" in names():  # noqa: ASYNC110 - of a thread
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_an_end_waits_for_no_zeroconf():
    """Cancelled while it registers, which takes 2 s, it is gone within half a second."""
    began = time.monotonic()
    with trio.move_on_after(0.3):
        await Discovery(SERVICE, "sfa test brief", 5304).run()
    assert time.monotonic() - began < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.3, 0.8])
def test_a_process_that_ends_while_it_registers_says_nothing(after_s):
    program = f"""
        import trio
        from sfa_engine.stage.discovery import Discovery

        async def main():
            with trio.move_on_after({after_s}):
                await Discovery("{SERVICE}", "sfa test brief", 5404).run()

        trio.run(main)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.slow
async def test_an_address_that_comes_later_is_advertised(monkeypatch):
    addresses = [socket.inet_aton("127.0.0.1")]
    monkeypatch.setattr(discovery, "_addresses", lambda: list(addresses))
    monkeypatch.setattr(discovery, "ADDRESS_POLL_S", 0.05)
    here = Discovery(SERVICE, "sfa test here", 5104)
    there = Discovery(SERVICE, "sfa test there", 5204)

    def hosts():
        return [h for each in here.found.values() if each.port == 5204 for h in each.hosts]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.run)
        nursery.start_soon(there.run)
        with trio.fail_after(30):
            while hosts() != ["127.0.0.1"]:  # noqa: ASYNC110 - of a thread
                await trio.sleep(0.05)
            addresses.append(socket.inet_aton("127.0.0.2"))
            while hosts() != ["127.0.0.1", "127.0.0.2"]:  # noqa: ASYNC110 - of a thread
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
