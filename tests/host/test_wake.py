"""Reports wake the stage: the eventfd that the kernel writes to, and its way to the host."""

import os
import select
import socket
import threading
from typing import Annotated, Any

import numpy as np
import pytest
import trio

from sfa_engine.host.offline import Offline
from sfa_engine.host.request_server import RequestServer
from sfa_engine.stage.wake import Wake
from sfa_engine.system.runtime_files import HOST_SOCKET
from sfa_engine.system.unix_socket import listen_unix
from sfa_engine.wire.verbs import GIVEN, verb


@pytest.fixture
def eventfd():
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    yield fd
    os.close(fd)


def is_readable(fd):
    return bool(select.select([fd], [], [], 0)[0])


def test_the_kernel_writes_once_a_block_that_has_reports(eventfd):
    engine = Offline()
    engine.dsp.record["wake_fd"] = eventfd
    engine.render(64)
    assert not is_readable(eventfd)
    engine.set("crossfader", 1.0)
    engine.set("crossfader", 2.0)
    engine.render(64)
    assert os.eventfd_read(eventfd) == 1
    engine.render(64)
    assert not is_readable(eventfd)


def test_an_eventfd_that_is_full_holds_up_nobody(eventfd):
    engine = Offline()
    engine.dsp.record["wake_fd"] = eventfd
    os.eventfd_write(eventfd, 2**64 - 2)
    engine.set("crossfader", 1.0)
    engine.render(64)
    assert engine.reported()


def test_without_a_stage_nothing_is_written():
    engine = Offline()
    assert int(engine.dsp.record["wake_fd"]) == -1
    engine.set("crossfader", 1.0)
    assert np.isfinite(engine.render(64)).all()


@pytest.fixture
def served(tmp_path):
    """A host's socket whose verb `wake` keeps what it was handed."""
    kept, stop = [], threading.Event()

    class Owner:
        @verb(scope="admin")
        def wake(self, handed: Annotated[list[int], GIVEN]) -> dict[str, Any]:
            """Keep a file descriptor."""
            kept.append(os.dup(handed[0]))
            return {}

    server = listen_unix(tmp_path / HOST_SOCKET, backlog=4)
    thread = threading.Thread(
        target=RequestServer(Owner(), stop).serve, args=(server,), daemon=True
    )
    thread.start()
    yield kept
    stop.set()
    with socket.socket(socket.AF_UNIX) as last:
        last.connect(str(tmp_path / HOST_SOCKET))
    thread.join()
    server.close()
    for fd in kept:
        os.close(fd)


async def test_each_host_is_handed_the_stages_eventfd(tmp_path, served, nursery):
    wake = Wake(tmp_path)
    nursery.start_soon(wake.run)
    with trio.fail_after(10):
        for started_ns, count in ((1, 1), (1, 1), (2, 2)):
            while len(served) < count:  # a poll each, until the host has it
                await wake.wait(started_ns)
    os.eventfd_write(served[-1], 1)
    with trio.fail_after(10):
        await wake.wait(2)
    nursery.cancel_scope.cancel()


async def test_without_a_host_it_is_a_poll(tmp_path, nursery):
    wake = Wake(tmp_path)
    nursery.start_soon(wake.run)
    with trio.fail_after(10):
        for _ in range(5):
            await wake.wait(1)
    nursery.cancel_scope.cancel()
