"""Real-time priority from RTKit: asked for as it wants to be asked, and not missed where it is not.

A bus of the tests' own, with a service on it that answers as RTKit does.
"""

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from jeepney import DBus, HeaderFields, MessageType, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg

from sfa_engine.host import realtime, rtkit
from sfa_engine.host.realtime import PRIORITY

TIMEOUT_S = 20.0
# Of a process of its own: the limit that it sets itself stays.
PROGRAM = """
import resource, threading
from sfa_engine.host import realtime
realtime.ask_rtkit(threading.get_native_id())
print(threading.get_native_id(), *resource.getrlimit(resource.RLIMIT_RTTIME))
"""
OVERLOAD = """
import ctypes, hashlib, os, threading, time
from sfa_engine.host import realtime
from sfa_engine.engine.memory import Memory

def play():
    engine["thread"] = threading.get_native_id()
    asked.wait()
    for _ in range(2):  # half a second without a pause, and without Python's lock
        hashlib.pbkdf2_hmac("sha256", b"", b"", rounds)
        while not engine["realtime"] and not stop.is_set():
            time.sleep(0.01)
    stop.wait()

began = time.perf_counter()
hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)
rounds = int(100_000 * 0.5 / (time.perf_counter() - began))
memory = Memory.anonymous()
engine = memory.engine
asked, stop = threading.Event(), threading.Event()
threading.Thread(target=play, daemon=True).start()
while not engine["thread"]:
    time.sleep(0.01)
thread = int(engine["thread"])
realtime.raise_thread = lambda _: 0  # a user without rights
realtime.RETRY_S = 0.3
priority = realtime.Priority(memory)
priority.handle_overload()
priority.ask()
head, caps = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.capget(head, caps) == 0
caps[0] &= ~(1 << 23)  # CAP_SYS_NICE, of those in effect
assert libc.capset(head, caps) == 0
had = [int(engine["realtime"])]
asked.set()
time.sleep(0.02)
ctypes.PyDLL(None).usleep(400_000)  # this thread does nothing, and keeps Python's lock
give_up = time.monotonic() + 20.0
while len(had) < 4 and time.monotonic() < give_up:
    if engine["realtime"] != had[-1]:
        had.append(int(engine["realtime"]))
        print(had[-1], os.sched_getscheduler(thread), flush=True)
    priority.look()
    time.sleep(0.02)
stop.set()
print("alive", *had)
"""


@pytest.fixture(autouse=True)
def _no_priority():
    """Take away the priority that a host of another test, in this thread, gave it."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class Service:
    """RTKit, as far as it is asked here."""

    def __init__(self, refuses, gives=False):
        self.refuses = refuses
        self.gives = gives
        self.calls = []
        self._bus = open_dbus_connection(bus="SYSTEM")
        unwrap_msg(self._bus.send_and_get_reply(DBus().RequestName(rtkit.RTKIT.bus_name)))
        self._stop = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._stop:
            try:
                message = self._bus.receive(timeout=0.05)
            except TimeoutError:
                continue
            if message.header.message_type is MessageType.method_call:
                self._bus.send(self._answer(message))

    def _answer(self, message):
        properties = {"RTTimeUSecMax": ("x", 200_000), "MaxRealtimePriority": ("i", 20)}
        name = message.header.fields[HeaderFields.member]
        if name == "GetAll":
            return new_method_return(message, "a{sv}", (properties,))
        if name == "Get":
            return new_method_return(message, "v", (properties[message.body[1]],))
        self.calls.append((name, *message.body))
        if self.refuses:
            return new_error(message, "org.freedesktop.DBus.Error.AccessDenied", "s", ("no",))
        if self.gives:
            thread, priority = message.body
            policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(thread, policy, os.sched_param(priority))
        return new_method_return(message)

    def close(self):
        self._stop = True
        self._thread.join()
        self._bus.close()


@pytest.fixture
def bus(tmp_path, monkeypatch):
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed: apt-get install dbus-daemon")
    address = f"unix:path={tmp_path}/bus"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    command = ["dbus-daemon", "--session", f"--address={address}", "--nofork", "--nopidfile"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        give_up = time.monotonic() + TIMEOUT_S
        while not (tmp_path / "bus").exists():
            assert time.monotonic() < give_up
            time.sleep(0.01)
        yield
        daemon.terminate()


@pytest.fixture
def service(request):
    request.getfixturevalue("bus")
    made = Service(refuses=getattr(request, "param", False))
    yield made
    made.close()


def ask():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize("service", [False, True], indirect=True, ids=["grants", "refuses"])
def test_rtkit_is_asked_for_no_more_than_it_gives_and_after_the_limit_that_it_wants(service):
    thread, soft, hard = ask()
    assert service.calls == [("MakeThreadRealtime", thread, min(PRIORITY, 20))]
    assert (soft, hard) == (100_000, 200_000)


@pytest.mark.slow
@pytest.mark.usefixtures("bus")
def test_an_overload_takes_the_priority_for_a_while_and_not_the_process():
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError:
        pytest.skip("no right to give a real-time priority")
    service = Service(refuses=False, gives=True)
    try:
        done = subprocess.run(
            [sys.executable, "-c", OVERLOAD], capture_output=True, text=True, check=False
        )
    finally:
        service.close()
    assert done.returncode == 0, done
    *seen, last = done.stdout.splitlines()
    assert last == "alive 20 0 20 0", done
    other = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK
    assert seen[0] == f"0 {other}"


@pytest.mark.usefixtures("service")
def test_the_highest_priority_that_rtkit_gives_is_told():
    assert rtkit.highest() == 20


@pytest.mark.usefixtures("bus")
def test_a_bus_without_rtkit_gives_no_priority():
    assert rtkit.highest() == 0
    assert not rtkit.raise_thread(threading.get_native_id(), PRIORITY)
    assert realtime.ask_rtkit(threading.get_native_id()) == 0


@pytest.mark.parametrize("address", ["unix:path=/nowhere", "no address", "tcp:host=localhost"])
def test_no_bus_gives_no_priority(monkeypatch, address):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    assert rtkit.highest() == 0


def test_the_priority_lies_below_threaded_interrupts():
    assert PRIORITY < 50
