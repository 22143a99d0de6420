"""`sfa get`, `set`, `press` and `describe`, and the status at any width."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_process import until
from rich.cells import cell_len

from sfa_engine.cli.startup_health import report_health
from sfa_engine.cli.status import status_lines
from sfa_engine.script.script import parse_script
from sfa_engine.stage.core import Core
from sfa_engine.system.process_lock import lock_holder
from sfa_engine.wire.blocking import SocketClient

TITLE = "Sleater Kinney - Modern Girl"


def status(**of):
    """What the stage tells, with a track on deck 1."""
    deck = {
        "loaded": True, "playing": True, "artist": "Sleater Kinney", "title": "Modern Girl",
        "tempo": 120.0, "position_s": 61.0, "duration_s": 302.0, "key": "G# minor", "beat": 3.0,
        "level_db": -6.0,
    }  # fmt: skip
    engine = {
        "device": "none", "rate": 48_000, "block": 128, "latency_ms": 3.0, "load_pct": 1.0,
        "worst_pct": 2.0, "late": 0, "device_misses": 0,
    }  # fmt: skip
    return {
        "engine": engine, "health": "ok", "reasons": [], "decks": [deck, {"loaded": False}],
        "master_db": -6.0, "reduction_db": 0.0, "crossfader": 0.0, **of,
    }  # fmt: skip


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80, 120])
def test_the_status_shows_titles_at_every_width(width):
    lines = ["".join(text for text, _ in line) for line in status_lines(status(), width)]
    (line,) = [line for line in lines if line.startswith("1 ▶")]
    shown = line.removeprefix("1 ▶  ").partition("…")[0].partition("  ")[0].strip()
    assert shown in {TITLE, TITLE.partition(" - ")[2]}  # never a piece of the artist alone
    assert cell_len(line) <= width
    assert "1:01.0" in line
    assert "120.00" in line


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_the_status_shows_hot_cues_as_far_as_there_is_room(width):
    said = status()
    kinds = {1: "cue", 2: "loop", 9: "fade_in"}
    said["decks"][0]["hotcues"] = [
        {"number": n, "position_s": 60.0 * n, "kind": kind, "label": label, "color": color}
        for (n, kind), label, color in zip(
            kinds.items(), ("", "The drop", "Rise"), ("", "#ff8800", ""), strict=True
        )
    ]
    lines = status_lines(said, width)
    (cues,) = [line for line in lines if any("cues" in text for text, _ in line)]
    text = "".join(text for text, _ in cues)
    assert cell_len(text) <= width
    if width < 50:
        assert text.endswith("…")
    else:
        assert text.split("cues")[1].strip() == "1 1:00.0  2↻ The drop  9◢ Rise"
        assert ("2↻ The drop", "#ff8800") in cues


def test_describe_lists_the_verbs_of_all_classes(sfa):
    names = {each["name"] for each in json.loads(sfa("describe", "--verbs", "--json")[1])}
    stage = {
        "set",
        "pad.load",
        "record.start",
        "preset.recall",
        "trace",
        "osc.peers",
        "midi.network",
    }
    assert stage | {"library.rows", "library.usage", "webhooks.add", "jobs.watch"} <= names


def test_no_range_pushes_the_sentences_of_all_controls_to_the_side(sfa):
    lines = sfa("describe")[1].splitlines()
    assert lines[0].endswith("Runs the track.")
    assert len(lines[0]) < 120


def test_describe_says_that_nothing_is_planned(sfa):
    assert sfa("describe", "--planned")[:2] == (0, "every control is built\n")


def test_describe_says_what_the_socket_says(sfa):
    told = json.loads(sfa("describe", "--json")[1])
    assert told == Core.describe(None)["controls"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("deck1.fader", ["fader", "off to 6 dB"]),
        ("deck1.sync", ["choice", "off, tempo, beat"]),
        ("deck1.position", ["fader", "-60 to 86400 s"]),
        ("deck1.rate", ["0.25 to 4 x"]),
        ("deck1.tempo", ["meter", "BPM"]),
    ],
)
def test_describe_shows_unit_and_range(sfa, pattern, words):
    status, out, _ = sfa("describe", pattern)
    assert status == 0
    for word in words:
        assert word in out


@pytest.mark.slow
def test_values_are_read_set_and_pressed(silent_engine, bundles):
    run = silent_engine.command
    assert run("get", "crossfader")[1] == "0.0 %\n"
    assert json.loads(run("get", "crossfader", "--json")[1])["path"] == "crossfader"

    # Several names and patterns, each once and in order.
    out = run("get", "master.volume", "deck1.eq.*", "deck1.eq.low.gain")[1].splitlines()
    assert [line.split()[0] for line in out] == [
        "master.volume",
        *(
            f"deck1.eq.{band}.{what}"
            for band in ("low", "mid", "high")
            for what in ("gain", "kill")
        ),
    ]
    assert out[0] == "master.volume       0.0 dB"
    found = json.loads(run("get", "deck?.fader", "--json")[1])
    assert [each["path"] for each in found] == ["deck1.fader", "deck2.fader"]
    every = json.loads(run("get", "deck1.*", "--json")[1])
    assert len(every) > 80
    for wrong in ("deck1.bpm.*", "deck1.hotcue1.pr*"):
        assert run("get", wrong)[::2] == (
            1, f'sfa: no value or reading matches "{wrong}"; see `sfa describe` for all controls\n'
        )  # fmt: skip
    assert 'did you mean "deck1.tempo"?' in run("get", "crossfader", "deck1.tempoo")[2]

    # A press of a hot cue says whether it stored or jumped.
    assert run("load", "1", str(bundles[0]))[0] == 0
    assert run("set", "deck1.position", "0:02")[1] == "2.000 s\n"
    assert run("press", "deck1.hotcue7.press")[1] == "stored at 0:02.0\n"
    assert run("set", "deck1.position", "0:01")[0] == 0
    assert run("press", "deck1.hotcue7.press")[1] == "jumped to 0:02.0\n"
    assert run("get", "deck1.position")[1] == "2.000 s\n"
    assert run("press", "deck1.hotcue6.store")[1] == "stored at 0:02.0\n"
    later = run("press", "deck1.hotcue6.press", "--at", "bar deck1")
    assert later[1] == "at the next bar of deck1\n"
    for quiet in ("deck1.hotcue7.clear", "deck1.loop.beatloop"):
        assert run("press", quiet)[:2] == (0, "")
    assert run("press", "deck1.hotcue7.press")[1] == "stored at 0:02.0\n"


def test_a_script_takes_times_in_minutes():
    script = parse_script("0 set deck1.position 0:30\n1 end\n")
    assert script.events[0].value == 30.0


@pytest.mark.slow
def test_health_is_told_in_one_line_with_all_its_reasons(silent_engine):
    until(lambda: "health " in silent_engine.said(), "a word on health")
    told = [line for line in silent_engine.said().splitlines() if line.startswith("health ")]
    with silent_engine.connect() as client:
        reasons = client.call("health")["reasons"]
    assert told == [f"health degraded: {'; '.join(reasons)}"]


def test_health_of_nothing_is_one_line_too(tmp_path, monkeypatch):
    monkeypatch.setattr("sfa_engine.cli.startup_health.START_TIMEOUT_S", 0.0)
    said, heard = [], threading.Event()
    report_health(tmp_path, lambda line: (said.append(line), heard.set()))
    assert heard.wait(10.0)
    assert len(said) == 1
    assert said[0].startswith("health down: the engine does not answer")


@pytest.mark.slow
def test_jobs_that_run_are_shown_at_once_though_they_are_silent(backstage, tmp_path):
    noise = np.random.default_rng(1).standard_normal((180 * 48_000, 2)) * 0.1
    soundfile.write(tmp_path / "long.wav", noise, 48_000)
    runtime = Path(backstage["SFA_RUNTIME"])
    parent = lock_holder(runtime / "backstage.lock")
    with SocketClient(runtime / "backstage.sock", 30.0, "backstage") as client:
        client.call("prep.add", sources=[str(tmp_path / "long.wav")], engine="none")
        until(lambda: client.call("jobs.list", states=["running"])["jobs"], "a job that runs")
        until(lambda: workers_of(parent), "its worker")
        stopped = workers_of(parent)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "sfa_engine.cli.main", "jobs", "watch", "--json"],
                env={**os.environ, **backstage},
                stdout=subprocess.PIPE,
            ) as watching:
                assert select.select([watching.stdout], [], [], 30.0)[0]
                event = json.loads(watching.stdout.readline())
                watching.terminate()
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        client.call("jobs.cancel", everything=True)
    assert event["state"] == "running"
    assert "long" in event["title"]


def workers_of(parent):
    """The worker programs that a process has started; not one that is being started.

    Whoever starts a program waits until it has begun: a stop before that would stop both.
    """
    pids = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            pids += map(int, (task / "children").read_text().split())
    programs = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids}
    return [pid for pid, words in programs.items() if b"sfa_engine.prep" in words]
