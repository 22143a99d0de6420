"""The audio process's Python side: what it asks of disks, devices and clients may fail."""

import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trio
from any_values import faults, parameters

from sfa_engine.engine.command import Op, Ring
from sfa_engine.engine.layout import SLOTS, VALUE_INDEX
from sfa_engine.engine.memory import Memory
from sfa_engine.engine.ring import Command, CommandWriter, ReportReader
from sfa_engine.host import build, device_keeper, jack, loader, realtime
from sfa_engine.host.device import DeviceRequest, Found
from sfa_engine.host.device_keeper import DeviceKeeper
from sfa_engine.host.process import Host
from sfa_engine.host.requests import Requests
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.stage.host_link import ANSWER_TIMEOUT_S, ask_host
from sfa_engine.wire import connection
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.connection import Connection
from sfa_engine.wire.frames import unpack

RATE = 48_000
TIMEOUT_S = 20.0


def wait_until(condition):
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def bundle(tmp_path):
    sound = np.full((4 * RATE, 2), 0.1, np.float32)
    return write_bundle_arrays(tmp_path / "x.sfa", {"mix": sound}, title="X", artist="", bpm=120.0)


@pytest.fixture
def process(tmp_path):
    """A host in a process of its own, on a timer, in a program that may spoil what it uses."""
    build.ensure()
    begun = []

    def begin(spoil=""):
        program = (
            f"import sys\nfrom sfa_engine.host import process\n{spoil}\nsys.exit(process.main())"
        )
        options = ["--runtime", str(tmp_path), "--device", "none"]
        begun.append(subprocess.Popen([sys.executable, "-c", program, *options]))
        wait_until((tmp_path / "host.sock").exists)
        return begun[-1]

    yield begin
    for one in begun:
        one.kill()
        one.wait()


def ask(runtime, verb, **params):
    """Ask a host; return ``{"ok": …}`` or ``{"error": …}``."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(runtime / "host.sock"))
        return ask_on(line, verb, params)


def ask_on(line, verb, params):
    line.settimeout(TIMEOUT_S)
    line.sendall(connection.request(1, verb, params))
    reader = Connection()
    while (answer := reader.next_event()) is None:
        data = line.recv(65_536)
        if not data:
            raise ConnectionError("the host closed the connection")
        reader.receive_data(data)
    return {"error": answer.error.to_wire()} if answer.error else {"ok": unpack(answer.result)}


@contextmanager
def attended(silent):
    """Lend a connection that a host of this process serves."""
    ours, theirs = socket.socketpair()
    with ours:
        thread = threading.Thread(target=silent.requests.server.attend, args=(theirs,))
        thread.start()
        yield ours
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


class OneBlock:
    """A driver that asks for one block and no more."""

    name = "timer"
    device = "none: one block"
    latency_s = 0.0

    def __init__(self, request, _rate, _kernel, callback, user):
        self._process = build.STREAM(callback)
        self._out = np.zeros((request.block, request.channels), np.float32)
        self._user = user

    def start(self):
        self._process(None, self._out.ctypes.data, len(self._out), None, 0, self._user)

    def close(self):
        pass


def opened(tmp_path, monkeypatch):
    monkeypatch.setattr(realtime, "lock_memory", lambda: False)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    made = Host(runtime, DeviceRequest("none"))
    made.open()
    return made


@pytest.fixture(autouse=True)
def _no_priority():
    """Take away the priority that a host gave this thread, which is its audio thread here."""
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A host in this process, whose device asks for no second block."""
    monkeypatch.setattr(device_keeper, "Timer", OneBlock)
    made = opened(tmp_path, monkeypatch)
    yield made
    made.midi.end()  # its thread would call machine code that is not there any more


@pytest.fixture
def ticking(tmp_path, monkeypatch):
    """A host in this process, on a timer."""
    made = opened(tmp_path, monkeypatch)
    yield made
    made.keeper.close()


def test_a_load_answers_with_the_ticket_of_its_report_and_what_was_loaded(ticking, bundle):
    said = ticking.requests.load(0, str(bundle))
    reports = [r for r in ReportReader(ticking.memory).fetch() if r.op == Op.LOAD]
    assert [(r.ring, r.ticket) for r in reports] == [(Ring.HOST, said["ticket"])]
    transport = ticking.memory.engine["transport"][0]
    assert int(transport["load_ticket"]) == said["ticket"]
    assert transport["digest"].decode() == said["digest"]
    assert ticking.requests.eject(0)["ticket"] == said["ticket"] + 1


@pytest.mark.parametrize(("block", "rate", "timeout_s"), [(128, 48_000, 0.3), (8192, 16_000, 2.0)])
def test_a_device_of_long_blocks_is_given_the_time_for_them(silent, block, rate, timeout_s):
    silent.memory.engine["block"] = block
    silent.memory.engine["sample_rate"] = rate
    assert silent.keeper._stall_timeout_s() == pytest.approx(timeout_s, rel=0.1)


def test_the_time_that_the_whole_machine_stood_still_is_no_silence_of_the_device(silent):
    engine = silent.memory.engine
    silent.keeper._count_silence(0.05)
    for step_s in (5.0, 0.05):
        silent.keeper._count_silence(step_s)
    assert not silent.keeper._is_stalled()
    for _ in range(3):
        silent.keeper._count_silence(0.1)
    assert silent.keeper._is_stalled()
    engine["blocks"] += 1
    silent.keeper._count_silence(0.1)
    assert not silent.keeper._is_stalled()


def test_a_graph_is_given_a_second_while_its_server_answers(silent, monkeypatch, tmp_path):
    path = tmp_path / f"jack_default_{os.getuid()}_0"
    monkeypatch.delenv("JACK_DEFAULT_SERVER", raising=False)
    monkeypatch.setattr(jack, "JACK_FOLDER", tmp_path)
    monkeypatch.setattr(jack, "_loaded", [jack.JACK])
    silent.keeper.dsp.record["in_graph"] = 1
    silent.keeper._count_silence(0.0)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        for _ in range(9):
            silent.keeper._count_silence(0.1)
            assert not silent.keeper._is_stalled()  # also when too many wait to be accepted
    assert silent.keeper._is_stalled()
    silent.memory.engine["blocks"] += 1
    silent.keeper._count_silence(0.1)
    silent.keeper._count_silence(0.1)
    assert not silent.keeper._is_stalled()
    silent.keeper._count_silence(0.1)
    assert silent.keeper._is_stalled()


def test_a_portaudio_that_does_not_initialise_leaves_the_timer(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('no backend')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(realtime, "lock_memory", lambda: False)
    made = Host(tmp_path, DeviceRequest("default"))
    made.open()
    made.keeper.close()
    assert made.memory.engine["driver"] == b"timer"
    assert b"no backend" in made.memory.engine["error"]


def test_a_device_that_gives_no_block_raises_no_thread(tmp_path, monkeypatch):
    class Dead:
        name = "portaudio"
        device = "opens, but does not call"
        latency_s = 0.0

        def __init__(self, *_):
            pass

        def start(self):
            pass

    monkeypatch.setattr(realtime, "lock_memory", lambda: False)
    monkeypatch.setattr(
        device_keeper.device, "choose", lambda _: Found(0, "x", "ALSA", 48_000.0, 2)
    )
    monkeypatch.setattr(device_keeper, "Stream", Dead)
    monkeypatch.setattr(DeviceKeeper, "_wait_for_block", lambda _: None)
    made = Host(tmp_path, DeviceRequest("default"))
    made.memory.engine["thread"] = threading.get_native_id()  # of a host that died
    before = os.sched_getscheduler(0)
    made.open()
    assert int(made.memory.engine["realtime"]) == 0
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize(
    "name", ["é" * 100, "a" + "é" * 100, "日" * 100, "Loud\udcff"], ids=range(4)
)
def test_the_name_of_a_device_and_its_error_are_whole_characters(silent, name):
    silent.keeper.driver.device = name
    silent.keeper._name_driver(silent.keeper.driver, name * 2)
    said = silent.requests.info()
    for words, whole, most in ((said["device"], name, 119), (said["error"], name * 2, 255)):
        told = whole.replace("\udcff", "?")
        assert told.startswith(words)
        assert len(words.encode()) >= min(len(told.encode()), most - 3)
    assert silent.memory.engine["error"].decode() == said["error"]


A_DISK_THAT_HANGS = """
import os, time
from pathlib import Path
look = Path.stat

def stat(path, **how):
    while path.name == "track.json" and os.path.exists(path.parent / "hangs"):
        (path.parent / "hung").touch()
        time.sleep(0.01)
    return look(path, **how)

Path.stat = stat
"""


@pytest.mark.slow
def test_a_disk_that_hangs_under_a_track_holds_neither_its_deck_nor_the_end(
    process, bundle, tmp_path
):
    running = process(A_DISK_THAT_HANGS)
    other = bundle.rename(tmp_path / "other.sfa")
    shutil.copytree(other, bundle)
    assert "ok" in ask(tmp_path, "load", deck=0, path=str(bundle))
    (bundle / "hangs").touch()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(tmp_path / "host.sock"))
        line.sendall(connection.request(1, "refresh", {"deck": 0}))
        wait_until((bundle / "hung").exists)
        assert ask(tmp_path, "load", deck=0, path=str(other))["ok"]["path"] == str(other)
    running.terminate()
    assert running.wait(TIMEOUT_S) == 0
    assert (bundle / "hangs").exists()


@pytest.mark.slow
def test_a_host_that_begins_anew_on_a_disk_that_hangs_plays_on_and_takes_the_track_when_it_comes(
    process, bundle, tmp_path
):
    first = process(A_DISK_THAT_HANGS)
    other = tmp_path / "other.sfa"
    shutil.copytree(bundle, other)
    for deck, path in enumerate((bundle, other)):
        assert "ok" in ask(tmp_path, "load", deck=deck, path=str(path))
    first.kill()
    first.wait()
    (tmp_path / "host.sock").unlink()
    (bundle / "hangs").touch()
    second = process(A_DISK_THAT_HANGS)
    decks = ask(tmp_path, "info")["ok"]["decks"]
    assert [deck["loaded"] for deck in decks] == [False, True]
    (bundle / "hangs").unlink()
    wait_until(lambda: ask(tmp_path, "info")["ok"]["decks"][0]["loaded"])
    memory = Memory.open(tmp_path / "engine.memory")
    wait_until(lambda: memory.reading("deck1.loaded") == 1.0)
    second.terminate()
    assert second.wait(TIMEOUT_S) == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "MemoryError"),
        (RuntimeError("can't start new thread"), "RuntimeError: can't start new thread"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (KeyError("stem"), "KeyError: 'stem'"),
        (soundfile.LibsndfileError(2, "full: "), "full: System error"),
    ],
)
def test_an_error_that_nobody_expects_is_an_answer_and_in_the_log(
    silent, bundle, monkeypatch, capsys, error, words
):
    def fail(*_):
        raise error

    monkeypatch.setattr(silent.decks.loader, "mount_bundle", fail)
    with attended(silent) as line:
        for _ in range(2):
            said = ask_on(line, "load", {"deck": 0, "path": str(bundle)})["error"]
            assert said["code"] == "fault"
            assert words in said["message"]
    assert words.split()[0] in capsys.readouterr().err


@pytest.fixture
def served(silent):
    """A host that answers on a socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(silent.runtime / "host.sock"))
        server.listen()
        serving = threading.Thread(target=silent.requests.server.serve, args=(server,), daemon=True)
        serving.start()
        yield silent
        silent.requests.quit()
        with suppress(OSError, ValueError):
            ask(silent.runtime, "info")
        serving.join(TIMEOUT_S)
        assert not serving.is_alive()


def test_a_caller_for_whom_there_is_no_thread_is_sent_away_and_the_next_is_heard(
    served, monkeypatch
):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises((OSError, ValueError)):
            ask(served.runtime, "info")
    assert "ok" in ask(served.runtime, "info")


def test_callers_for_whom_there_is_no_file_are_not_looked_for_without_a_pause(silent):
    class Full:
        asked = 0

        def accept(self):
            self.asked += 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    server = Full()
    serving = threading.Thread(target=silent.requests.server.serve, args=(server,), daemon=True)
    serving.start()
    time.sleep(0.2)
    silent.requests.quit()
    serving.join(TIMEOUT_S)
    assert 1 <= server.asked < 10


def test_a_path_beyond_a_request_is_refused_in_words_and_the_next_request_is_heard(silent):
    with attended(silent) as line:
        for length in (2000, 65_536, 900_000):
            said = ask_on(line, "load", {"deck": 0, "path": "x" * length})["error"]
            assert said["code"] == "refused"
            assert f"the path has {length + len(str(Path.cwd())) + 1} bytes" in said["message"]
        assert "ok" in ask_on(line, "info", {})


@pytest.mark.parametrize(
    ("verb", "params", "sentence"),
    [
        ("load", 7, "not a map of names"),
        ("load", {"deck": 0}, "load needs path"),
        ("load", {"deck": 2, "path": "x"}, "deck is 2"),
        ("info", {"x": 1}, 'info takes no "x"'),
        ("run", {}, 'no method "run"'),
        ("describe_deck", {"deck": 0}, "no method"),
    ],
)
def test_what_is_not_a_request_is_refused(silent, verb, params, sentence):
    with attended(silent) as line:
        said = ask_on(line, verb, params)["error"]
    assert said["code"] == "refused"
    assert sentence in said["message"]


@pytest.mark.slow
def test_a_track_that_cannot_be_loaded_again_leaves_its_deck_empty_and_the_host_alive(
    process, bundle, tmp_path
):
    first = process()
    assert "ok" in ask(tmp_path, "load", deck=1, path=str(bundle))
    memory = Memory.open(tmp_path / "engine.memory")
    memory.engine["flat"][VALUE_INDEX["deck2.play"]] = 1.0
    memory.engine["transport"][1]["playing"] = 1
    first.kill()
    first.wait()
    (tmp_path / "host.sock").unlink()
    spoiled = """
def fail(*_):
    raise MemoryError

process.Loader.mount_bundle = fail
"""
    process(spoiled)
    deck = ask(tmp_path, "info")["ok"]["decks"][1]
    assert not deck["loaded"]
    assert "MemoryError" in deck["error"]
    wait_until(lambda: memory.value("deck2.play") == 0.0)
    assert not memory.engine["transport"][1]["playing"]


def test_a_load_that_nobody_waits_for_any_more_leaves_the_deck_as_it_is(
    ticking, bundle, monkeypatch
):
    ticking.decks.load(0, str(bundle))
    there = ticking.decks.loader.on_deck(0)
    read = loader.Reader.read

    def read_slowly(self, start, end):
        time.sleep(0.05)
        return read(self, start, end)

    monkeypatch.setattr(loader.Reader, "read", read_slowly)
    late = {"deck": 0, "deadline": time.monotonic() + 0.01}
    for _ in range(2 * SLOTS):
        with attended(ticking) as line:
            said = ask_on(line, "load", late | {"path": str(bundle)})["error"]
        assert (said["code"], said["hint"]) == ("engine", "check its disk")
        assert "could not be read in time" in said["message"]
    assert ticking.decks.loader.on_deck(0) is there
    wait_until(lambda: ticking.decks.loader.free() or len(ticking.decks.loader._mounted) == 1)
    with attended(ticking) as line:
        assert "error" in ask_on(line, "eject", late)
    assert ticking.decks.loader.on_deck(0) is there


def test_the_stage_says_how_long_it_waits(tmp_path):
    said = []

    def answer(server):
        client, _ = server.accept()
        reader = Connection()
        with client:
            while len(said) < 2:
                reader.receive_data(client.recv(65_536))
                while (request := reader.next_event()) is not None:
                    said.append(request)
                    client.sendall(connection.answer(request.id, {}))

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "host.sock"))
        server.listen()
        one = threading.Thread(target=answer, args=(server,))
        one.start()
        trio.run(partial(ask_host, tmp_path, "eject", deck=0))
        one.join()
    assert [request.method for request in said] == ["hello", "eject"]
    deadline = unpack(said[1].params)["deadline"]
    assert 0.0 < deadline - time.monotonic() <= ANSWER_TIMEOUT_S


@pytest.mark.slow
def test_no_value_makes_a_fault_in_the_host(served, bundle):
    (served.runtime / "song.sfa").symlink_to(bundle)
    verbs = parameters(Requests)
    assert {"load", "eject", "info", "ping", "wake"} <= set(verbs)
    del verbs["quit"]
    with SocketClient(served.runtime / "host.sock", TIMEOUT_S) as client:
        assert faults(client, verbs) == []


@pytest.mark.slow
@pytest.mark.parametrize("fate", ["on its deck", "ejected", "removed"])
def test_a_stem_of_another_track_is_there_again_after_a_restart_or_is_given_back(
    process, tmp_path, fate
):
    sound = {name: np.full((4 * RATE, 2), 0.1, np.float32) for name in ("vocals", "drums")}
    bundles = [
        write_bundle_arrays(tmp_path / f"{n}.sfa", sound, title=f"{n}", artist="", bpm=120.0 + n)
        for n in (1, 2)
    ]
    first = process()
    for deck, path in enumerate(bundles):
        assert "ok" in ask(tmp_path, "load", deck=deck, path=str(path))
    memory = Memory.open(tmp_path / "engine.memory")
    writer = CommandWriter(memory, Ring.STAGE)
    guest = memory.engine["transport"][0]["stem"][0]["now"]
    writer.push(Command(Op.STEM_SOURCE, deck=0, target=0, x=2.0))
    wait_until(lambda: guest["slot"] >= 0)
    offset = float(guest["offset"])
    if fate != "on its deck":
        assert "ok" in ask(tmp_path, "eject", deck=1)
    first.kill()
    first.wait()
    (tmp_path / "host.sock").unlink()
    if fate == "removed":
        shutil.rmtree(bundles[1])
    process()
    if fate == "removed":
        wait_until(lambda: memory.value("deck1.stem.vocals.source") == 0.0)
        assert guest["source"] == 0
    else:
        wait_until(lambda: guest["slot"] >= 0)
        assert memory.value("deck1.stem.vocals.source") == 2.0
        assert float(guest["offset"]) == offset
        on_deck = int(memory.engine["transport"][1]["head"]["slot"])
        assert (int(guest["slot"]) == on_deck) == (fate == "on its deck")
    assert ask(tmp_path, "info")["ok"]["decks"][0]["loaded"]
