"""The audio process's Python side: what it asks of disks, devices and clients may fail."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import soundfile
import trio

from sfa_engine.audio import build, host, loader, reception
from sfa_engine.audio.device import Found, Wish
from sfa_engine.audio.host import Host
from sfa_engine.audio.layout import SLOTS, VALUE_INDEX
from sfa_engine.audio.memory import Memory
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.stage.host_link import ANSWER_S, ask_host

RATE = 48_000
PATIENCE_S = 20.0


def wait_until(condition):
    give_up = time.monotonic() + PATIENCE_S
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
        program = f"import sys\nfrom sfa_engine.audio import host\n{spoil}\nsys.exit(host.main())"
        options = ["--runtime", str(tmp_path), "--device", "none"]
        begun.append(subprocess.Popen([sys.executable, "-c", program, *options]))
        wait_until((tmp_path / "host.sock").exists)
        return begun[-1]

    yield begin
    for one in begun:
        one.kill()
        one.wait()


def ask(runtime, verb, **arguments):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        line.connect(str(runtime / "host.sock"))
        line.sendall(json.dumps({"do": verb, "with": arguments}).encode() + b"\n")
        return json.loads(line.makefile().readline())


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A host of this process, whose time passes when it is told to."""
    monkeypatch.setattr(host.realtime, "lock_memory", lambda: False)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    made = Host(runtime, Wish(f"file:{tmp_path / 'out.wav'}"))
    made.open()
    yield made
    made.driver.close()


@pytest.mark.parametrize(("block", "rate", "patience_s"), [(128, 48_000, 0.3), (8192, 16_000, 2.0)])
def test_a_device_of_long_blocks_is_given_the_time_for_them(silent, block, rate, patience_s):
    silent.memory.engine["block"] = block
    silent.memory.engine["sample_rate"] = rate
    assert silent._patience_s() == pytest.approx(patience_s, rel=0.1)


def test_the_time_that_the_whole_machine_stood_still_is_no_silence_of_the_device(silent):
    engine = silent.memory.engine
    silent._count_silence(0.05)
    for step_s in (5.0, 0.05):
        silent._count_silence(step_s)
    assert not silent._is_stalled()
    for _ in range(3):
        silent._count_silence(0.1)
    assert silent._is_stalled()
    engine["blocks"] += 1
    silent._count_silence(0.1)
    assert not silent._is_stalled()


def test_a_graph_is_given_a_second_while_its_server_answers(silent, monkeypatch, tmp_path):
    path = tmp_path / f"jack_default_{os.getuid()}_0"
    monkeypatch.delenv("JACK_DEFAULT_SERVER", raising=False)
    monkeypatch.setattr(host.jack, "JACK_FOLDER", tmp_path)
    monkeypatch.setattr(host.jack, "_loaded", [host.jack.JACK])
    silent.rack.record["in_graph"] = 1
    silent._count_silence(0.0)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)
        for _ in range(9):
            silent._count_silence(0.1)
            assert not silent._is_stalled()  # also when too many wait to be accepted
    assert silent._is_stalled()
    silent.memory.engine["blocks"] += 1
    silent._count_silence(0.1)
    silent._count_silence(0.1)
    assert not silent._is_stalled()
    silent._count_silence(0.1)
    assert silent._is_stalled()


def test_a_portaudio_that_does_not_initialise_leaves_the_timer(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('no backend')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(host.realtime, "lock_memory", lambda: False)
    made = Host(tmp_path, Wish("default"))
    made.open()
    made.driver.close()
    assert made.memory.engine["driver"] == b"timer"
    assert b"no backend" in made.memory.engine["trouble"]


def test_a_device_that_gives_no_block_raises_no_thread(tmp_path, monkeypatch):
    class Dead:
        name = "portaudio"
        device = "opens, but does not call"

        def __init__(self, *_):
            pass

        def start(self):
            pass

    monkeypatch.setattr(host.realtime, "lock_memory", lambda: False)
    monkeypatch.setattr(host.device, "choose", lambda _: Found(0, "x", "ALSA", 48_000.0, 2))
    monkeypatch.setattr(host, "Stream", Dead)
    monkeypatch.setattr(Host, "_wait_for_block", lambda _: None)
    made = Host(tmp_path, Wish("default"))
    made.memory.engine["thread"] = threading.get_native_id()  # of a host that died
    before = os.sched_getscheduler(0)
    made.open()
    assert int(made.memory.engine["realtime"]) == 0
    assert os.sched_getscheduler(0) == before


@pytest.mark.parametrize(
    "name", ["é" * 100, "a" + "é" * 100, "日" * 100, "Loud\udcff"], ids=range(4)
)
def test_the_name_of_a_device_and_its_trouble_are_whole_characters(silent, name):
    silent.driver.device = name
    silent._name_driver(silent.driver, name * 2)
    said = silent.info()
    for words, whole, most in ((said["device"], name, 119), (said["trouble"], name * 2, 255)):
        told = whole.replace("\udcff", "?")
        assert told.startswith(words)
        assert len(words.encode()) >= min(len(told.encode()), most - 3)
    assert silent.memory.engine["trouble"].decode() == said["trouble"]


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
    wait_until((bundle / "hung").exists)
    assert ask(tmp_path, "load", deck=0, path=str(other))["ok"]["path"] == str(other)
    running.terminate()
    assert running.wait(PATIENCE_S) == 0
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
    assert second.wait(PATIENCE_S) == 0


def line(verb, **arguments):
    return json.dumps({"do": verb, "with": arguments}).encode() + b"\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "MemoryError"),
        (RuntimeError("can't start new thread"), "RuntimeError can't start new thread"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (KeyError("stem"), "KeyError 'stem'"),
        (soundfile.LibsndfileError(2, "full: "), "full: System error"),
    ],
)
def test_an_error_that_nobody_expects_is_an_answer_and_in_the_log(
    silent, bundle, monkeypatch, capsys, error, words
):
    def fail(*_):
        raise error

    monkeypatch.setattr(silent.loader, "mount_bundle", fail)
    ours, theirs = socket.socketpair()
    with ours:
        threading.Thread(target=silent._reception.attend, args=(theirs,), daemon=True).start()
        ours.settimeout(PATIENCE_S)
        answers = ours.makefile()
        for _ in range(2):
            ours.sendall(line("load", deck=0, path=str(bundle)))
            said = json.loads(answers.readline())["error"]
            assert said["code"] == "engine"
            assert words in said["message"]
    assert words.split()[0] in capsys.readouterr().err


@pytest.fixture
def served(silent):
    """A host that answers on a socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(silent.runtime / "host.sock"))
        server.listen()
        serving = threading.Thread(target=silent._reception.serve, args=(server,), daemon=True)
        serving.start()
        yield silent
        silent.quit()
        with suppress(OSError, ValueError):
            ask(silent.runtime, "info")
        serving.join(PATIENCE_S)
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
    serving = threading.Thread(target=silent._reception.serve, args=(server,), daemon=True)
    serving.start()
    time.sleep(0.2)
    silent.quit()
    serving.join(PATIENCE_S)
    assert 1 <= server.asked < 10


def test_a_path_beyond_a_request_is_refused_in_words_and_the_next_request_is_heard(silent):
    ours, theirs = socket.socketpair()
    with ours:
        threading.Thread(target=silent._reception.attend, args=(theirs,), daemon=True).start()
        ours.settimeout(PATIENCE_S)
        answers = ours.makefile()
        for length, words in (
            (2000, "the path has"),
            (reception.LINE_BYTES, "the request has 65536 bytes or more"),
            (3 * reception.LINE_BYTES, "the request has 65536 bytes or more"),
        ):
            ours.sendall(line("load", deck=0, path="x" * length))
            said = json.loads(answers.readline())["error"]
            assert said["code"] == "refused"
            assert words in said["message"]
        ours.sendall(line("info"))
        assert "ok" in json.loads(answers.readline())


@pytest.mark.parametrize(
    "words",
    [
        b"7",
        b"{}",
        b"no JSON",
        b'{"do": "load", "with": 7}',
        line("load", deck=0),
        line("info", x=1),
    ],
)
def test_what_is_not_a_request_is_refused(silent, words):
    said = silent._reception.answer(words)["error"]
    assert said["code"] == "refused"
    assert "not a request" in said["message"]


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

host.Loader.mount_bundle = fail
"""
    process(spoiled)
    deck = ask(tmp_path, "info")["ok"]["decks"][1]
    assert not deck["loaded"]
    assert "MemoryError" in deck["trouble"]
    wait_until(lambda: memory.value("deck2.play") == 0.0)
    assert not memory.engine["transport"][1]["playing"]


def test_a_load_that_nobody_waits_for_any_more_leaves_the_deck_as_it_is(
    silent, bundle, monkeypatch
):
    silent.load(0, str(bundle))
    there = silent.loader.on_deck(0)
    read = loader._Reader.read

    def read_slowly(self, start, end):
        time.sleep(0.05)
        return read(self, start, end)

    monkeypatch.setattr(loader._Reader, "read", read_slowly)
    late = json.loads(line("load", deck=0, path=str(bundle))) | {"until": time.monotonic() + 0.01}
    for _ in range(2 * SLOTS):
        said = silent._reception.answer(json.dumps(late).encode())["error"]
        assert (said["code"], said["hint"]) == ("engine", "check its disk")
        assert "could not be read in time" in said["message"]
    assert silent.loader.on_deck(0) is there
    wait_until(lambda: silent.loader.free() or len(silent.loader._mounted) == 1)
    said = silent._reception.answer(
        json.dumps(late | {"do": "eject", "with": {"deck": 0}}).encode()
    )
    assert "error" in said
    assert silent.loader.on_deck(0) is there


def test_the_stage_says_how_long_it_waits(tmp_path):
    said = []

    def answer(server):
        client, _ = server.accept()
        with client:
            said.append(json.loads(client.makefile().readline()))
            client.sendall(b'{"ok": {}}\n')

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "host.sock"))
        server.listen()
        one = threading.Thread(target=answer, args=(server,))
        one.start()
        trio.run(ask_host, tmp_path, "info")
        one.join()
    assert 0.0 < said[0]["until"] - time.monotonic() <= ANSWER_S
