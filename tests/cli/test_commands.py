"""The command line as a person meets it."""

import json
import os
import subprocess
import sys
from resource import RLIM_INFINITY as INFINITY

import numpy as np
import pytest
import soundfile
from engine_process import until

from sfa_engine.cli import machine_checks
from sfa_engine.system.process_lock import take_lock
from sfa_engine.system.runtime_files import SUPERVISOR_LOCK

pytestmark = pytest.mark.slow
RATE = 48_000


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.flac"
    noise = np.random.default_rng(1).standard_normal((3 * RATE, 2)) * 0.1
    soundfile.write(path, noise, RATE)
    return path


def test_help_names_every_command(sfa):
    status, out, _ = sfa("--help")
    assert status == 0
    for command in [
        "start",
        "stop",
        "status",
        "health",
        "get",
        "set",
        "press",
        "watch",
        "load",
        "render",
        "demo",
        "bench",
        "doctor",
    ]:
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["status"], "start it with `sfa start`"),
        (["stop"], "not running"),
        (["load", "1", "nothing"], "start it with `sfa start`"),
        (["load", "1", "AC/DC"], "start it with `sfa start`"),
        (["describe", "deck1.stems.*"], "no control matches"),
        (["bundle", "nothing.flac"], "nothing.flac"),
        (["render", "nothing.mix", "-o", "x.wav"], "cannot be read: No such file or directory;"),
        (["render", "empty", "-o", "x.mp3"], "the script has no end"),
        (["load", "1", "/no/such"], 'no file "/no/such"'),
        (["load", "1", "such.sfa"], 'no bundle "such.sfa"'),
        (["demo", "one.flac"], "two tracks, not 1"),
        (["prep", ""], '"" is not a valid source; give a sound file, a folder'),
        (["prep", "x" * 300], "no file or folder"),
        (["prep", "~nobody-of-that-name/x"], "no file or folder"),
        (["prep", "www.example.com/song"], "write https://www.example.com/song"),
        (["prep", "Spotify:track:x"], "an id has 22 letters and digits"),
        (["prep", "ftp://example.com/a.mp3"], "unsupported kind of address"),
    ],
)
def test_a_mistake_is_one_line_and_a_status(sfa, tmp_path, words, sentence):
    (tmp_path / "empty").touch()
    status, _, err = sfa(*words)
    assert status == 1
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("sfa: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["heath"], 'no command "heath"; did you mean "health"?'),
        (["bench", "engin"], 'did you mean "engine"?'),
        (["library", "shw"], 'no command "shw"; did you mean "show"?'),
        (["jobs", "x"], "see `sfa jobs --help`"),
        (["bundle", "--bpmm", "3", "x"], 'no option "--bpmm"; did you mean "--bpm"?'),
        (["--foo"], 'no option "--foo"; see `sfa --help`'),
        (["load"], "DECK is missing; see `sfa load --help`"),
        (
            ["load", "one", "x"],
            "DECK: 'one' is not a valid integer; give a whole number",
        ),
        (["load", "1", "x", "y"], "unexpected extra argument (y); see `sfa load --help`"),
        (
            ["start", "--block", "7"],
            "--block: 7 is not in the range 16<=x<=8192; give a whole number from 16 to 8192",
        ),
        (["start", "--block"], "'--block' requires an argument"),
        (["start", "--channels", "3"], "--channels: '3' is not one of '2', '4'"),
        (["watch", "x", "--rate", "y"], "--rate: 'y' is not a valid float; give a number"),
        (["completion", "bsh"], "SHELL: 'bsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_a_command_that_is_not_understood_is_one_line_too(sfa, words, sentence):
    status, out, err = sfa(*words)
    assert status == 2
    assert not out
    assert sentence in err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("sfa: ")


@pytest.mark.parametrize("words", [[], ["library"], ["bench"]])
def test_a_group_alone_shows_what_it_has(sfa, words):
    _, out, err = sfa(*words)
    assert "Commands:" in out + err


def test_a_sound_file_is_no_script(sfa, song):
    status, _, err = sfa("render", song, "-o", "x.wav")
    assert status == 1
    assert err == f"sfa: {song} is not a text; name a script; `sfa demo` writes one\n"


@pytest.mark.parametrize("rate", ["7", "-1", "nan", "192001"])
@pytest.mark.parametrize("words", [["start"], ["render", "x.mix", "-o", "x.wav"]])
def test_a_rate_that_the_engine_is_not_run_at_is_refused(sfa, words, rate):
    status, _, err = sfa(*words, "--rate", rate)
    assert status == 2
    assert "--rate: " in err
    assert "give a" in err


def test_an_error_leaves_no_bar_behind(sfa, tmp_path):
    (tmp_path / "set.mix").write_text("0 load 1 none.sfa\n1 end\n")
    status, _, err = sfa("render", "set.mix", "-o", "x.wav")
    assert status == 1
    assert err.startswith("sfa: ")
    assert len(err.splitlines()) == 1


def test_a_broken_configuration_is_one_line(sfa, tmp_path):
    (tmp_path / "config.toml").write_text("[audio]\nblok = 3\n")
    status, _, err = sfa("start")
    assert status == 1
    assert 'did you mean "block"?' in err


def test_a_data_folder_that_cannot_be_written_is_told_with_what_to_do(sfa, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = sfa("library", "search", "x", XDG_DATA_HOME=str(tmp_path / "file"))
    assert (status, len(err.splitlines())) == (1, 1)
    assert "Not a directory; check its permissions and the free space" in err


def test_an_engine_that_is_being_started_is_waited_for_and_then_named(sfa, tmp_path):
    (tmp_path / "run").mkdir()
    held = take_lock(tmp_path / "run" / SUPERVISOR_LOCK, "the engine", "stop it")
    status, _, err = sfa("status")
    os.close(held)
    assert status == 1
    assert "the engine is being started and does not answer yet; wait a moment" in err


def test_health_of_nothing_is_down(sfa):
    status, out, _ = sfa("health", "--json")
    assert status == 3
    assert json.loads(out)["health"] == "down"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(sfa, shell):
    status, out, _ = sfa("completion", shell)
    assert status == 0
    assert "_SFA_COMPLETE" in out


def test_controls_are_completed_from_the_desk(sfa):
    _, out, _ = sfa(_SFA_COMPLETE="bash_complete", COMP_WORDS="sfa set deck1.eq.l", COMP_CWORD="2")
    assert "deck1.eq.low.gain" in out
    assert "deck1.level" not in out


def test_describe_lists_controls(sfa):
    status, out, _ = sfa("describe", "deck1.eq.*", "--json")
    assert status == 0
    assert {c["path"] for c in json.loads(out)} == {
        f"deck1.eq.{band}.{what}" for band in ("low", "mid", "high") for what in ("gain", "kill")
    }


def test_doctor_finds_words_for_everything(sfa):
    _, out, _ = sfa("doctor", "--json")
    findings = json.loads(out)
    assert {"real-time priority", "locked memory", "CPU governor"} <= {f["what"] for f in findings}
    assert {f["verdict"] for f in findings} <= {"good", "fair", "bad"}


@pytest.mark.parametrize(
    ("command", "verdict"),
    [
        ("jackd -S -d alsa", "good"),
        ("jackd --sync --driver=alsa -r 48000", "good"),
        ("jackd -RS -dalsa -dhw:USB -r 48000 -p 128", "good"),
        ("jackd -R -dalsa -dhw:USB -p128", "fair"),
        ("jackd -nStage -dalsa", "fair"),
        ("jackd -n Stage -P 70 -d alsa -d hw:0 -S", "fair"),
        ("jackd -r -S -d dummy", "bad"),
        ("jackd --no-realtime -dalsa", "bad"),
    ],
)
def test_doctor_tells_the_options_of_jack_from_those_of_its_driver(command, verdict):
    assert machine_checks.judge_jack(command.split()[1:]).verdict == verdict


@pytest.mark.parametrize(
    ("size", "verdict", "found"),
    [(212_992, "fair", "208 kB, 37 ms of 15000"), (1 << 22, "good", "4096 kB, 728 ms of 15000")],
)
def test_doctor_tells_how_much_of_osc_the_system_keeps(size, verdict, found):
    finding = machine_checks.judge_network_buffer(size)
    assert finding.verdict == verdict
    assert found in finding.found
    assert bool(finding.cure) == (verdict == "fair")
    assert "net.core.rmem_max = 4194304" in finding.cure or verdict == "good"


GRAPH = {"clock.rate": "48000", "clock.min-quantum": "32", "clock.max-quantum": "2048"}


@pytest.mark.parametrize(
    ("settings", "block", "verdict", "cure"),
    [
        ({}, 128, "good", ""),
        (GRAPH | {"clock.force-rate": "0", "clock.force-quantum": "0"}, 128, "good", ""),
        (GRAPH | {"clock.force-rate": "44100"}, 128, "fair", "clock.force-rate 0"),
        (GRAPH | {"clock.force-quantum": "64"}, 128, "fair", "clock.force-quantum 0, then start"),
        (GRAPH, 16, "fair", "clock.min-quantum 16, then start the engine again"),
    ],
)
def test_doctor_tells_what_the_graph_of_pipewire_is_told_to_do(settings, block, verdict, cure):
    found = machine_checks.judge_pipewire(settings, block)
    assert found.verdict == verdict
    assert cure in found.cure
    assert bool(found.cure) == bool(cure)


@pytest.mark.parametrize(
    ("limit", "rtkit", "verdict"),
    [(0, 0, "bad"), (0, 20, "good"), (10, 20, "good"), (30, 20, "fair"), (45, 0, "good")],
)
def test_doctor_is_content_with_the_priority_that_the_audio_thread_gets(
    monkeypatch, limit, rtkit, verdict
):
    monkeypatch.setattr(machine_checks.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine_checks.resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(machine_checks.rtkit, "highest", lambda: rtkit)
    found = next(f for f in machine_checks.examine() if f.what == "real-time priority")
    assert found.verdict == verdict


def test_doctor_finds_the_jack_servers_that_run(sfa):
    waits = "print(flush=True); import time; time.sleep(60)"
    command = ["jackd", "-c", waits, "-r", "-dalsa"]  # to Python, the first is only a name
    with subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        findings = json.loads(sfa("doctor", "--json")[1])
        server.kill()
    assert ("JACK", "bad") in {(f["what"], f["verdict"]) for f in findings}


@pytest.mark.parametrize(
    ("limit", "verdict"), [(512 << 20, "fair"), (4096 << 20, "fair"), (INFINITY, "good")]
)
def test_doctor_is_content_with_unlimited_locked_memory_only(monkeypatch, limit, verdict):
    monkeypatch.setattr(machine_checks.os, "geteuid", lambda: 1000)  # who is not root has limits
    monkeypatch.setattr(machine_checks.resource, "getrlimit", lambda _: (limit, limit))
    found = next(f for f in machine_checks.examine() if f.what == "locked memory")
    assert found.verdict == verdict
    assert ('"@audio - memlock unlimited"' in found.cure) is (verdict == "fair")


def test_a_bundle_is_made_loaded_and_rendered(sfa, song, tmp_path):
    status, out, err = sfa("bundle", song, "--bpm", "125", "--key", "8A", "-o", "song.sfa")
    assert status == 0, err
    assert "song.sfa: 3.0 s, mix" in out
    script = tmp_path / "set.mix"
    script.write_text("0 load 1 song.sfa\n0.5 set deck1.play on\n2 end  # two seconds\n")
    status, out, err = sfa("render", script, "-o", "set.wav", "--quiet")
    assert status == 0, err
    sound, rate = soundfile.read(tmp_path / "set.wav")
    assert len(sound) == 2 * rate
    assert not sound[: rate // 2].any()
    source, _ = soundfile.read(song)
    played = sound[rate // 2 + 200 : 2 * rate]
    assert np.abs(played - source[200 : 200 + len(played)]).max() < 1e-4


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0 set crossfadr 5", 'did you mean "crossfader"'),
        ("0 set crossfader 500", "out of range"),
        ("x set crossfader 5", "not a time"),
        ("0 sett crossfader 5", 'did you mean "set"'),
        ("0 ramp crossfader 0 5", "incomplete"),
        ("0 load 3 x", "names no deck"),
        ("0 set deck1.play on", "there is no track"),
    ],
)
def test_a_wrong_line_of_a_script_is_named(sfa, tmp_path, line, sentence):
    (tmp_path / "set.mix").write_text(f"# a set\n{line}\n1 end\n")
    status, _, err = sfa("render", "set.mix", "-o", "set.wav", "--quiet")
    assert status == 1
    assert sentence in err
    assert "line 2" in err or "at 0 s" in err
    assert not (tmp_path / "set.wav").exists()


@pytest.mark.parametrize("name", ["set.xyz", "nowhere/set.wav"])
def test_a_place_that_cannot_be_written_is_named(sfa, tmp_path, name):
    (tmp_path / "set.mix").write_text("1 end\n")
    status, _, err = sfa("render", "set.mix", "-o", name, "--quiet")
    assert status == 1
    assert err.startswith("sfa: ")


def test_the_demo_is_mixed_by_the_engine_into_a_file_with_its_picture(sfa, tmp_path):
    status, out, err = sfa("demo", "-o", "mine.wav", "--quiet")
    assert status == 0, err
    assert "mine.wav and mine.png: 6" in out
    assert (tmp_path / "mine.png").exists()
    sound, rate = soundfile.read(tmp_path / "mine.wav")
    assert 60 <= len(sound) / rate < 61
    assert 0.3 < np.abs(sound).max() < 0.9
    # Something is heard in every second but the first and the last.
    for second in range(1, 58):
        assert np.abs(sound[second * rate : (second + 1) * rate]).max() > 0.01
    # A newcomer has something to load.
    assert "`sfa load 1 'Slow Gold'`" in out
    found = json.loads(sfa("library", "search", "--json")[1])["tracks"]
    assert {track["title"] for track in found} == {"Slow Gold", "Quicksilver"}
    assert {track["state"] for track in found} == {"ready"}


def test_the_engine_is_started_played_and_stopped_by_hand(silent_engine, bundles):
    run = silent_engine.command
    assert run("load", "1", str(bundles[0]))[1] == "deck 1: Us - Track 1, 124 BPM, vocals, drums\n"
    assert run("set", "deck1.stem.vocals.volume", "-6")[1] == "-6.0 dB\n"
    assert run("get", "deck1.stem.vocals.volume")[1] == "-6.0 dB\n"
    assert run("set", "deck1.position", "5000")[1] == run("get", "deck1.duration")[1]
    assert run("set", "deck1.position", "0")[0] == 0
    assert run("set", "crossfader_curve", "cut", "--at", "12345")[1] == "cut at frame 12345\n"
    assert "not a moment" in run("set", "crossfader_curve", "cut", "--at", "-1")[2]
    assert run("set", "deck1.play", "on")[0] == 0
    assert run("press", "deck1.hotcue1.press")[0] == 0
    assert "not set" not in run("get", "deck1.hotcue1.position")[1]
    status, out, _ = run("status")
    assert status == 0
    assert "Us - Track 1" in out
    assert json.loads(run("status", "--json")[1])["decks"][0]["playing"] is True
    until(lambda: run("health")[0] == 0, "good health")
    assert "timer" in run("health")[1]
    status, _, err = run("start")
    assert status == 1
    assert "already" in err
    status, _, err = run("eject", "1")
    assert status == 1
    assert "deck 1 is audible: session.lock (auto) refuses ejecting" in err
    assert run("eject", "1", "--force")[0] == 0
    status, _, err = run("press", "deck1.loop.beatloop")
    assert "there is no track on the deck; load one" in err
    assert run("stop")[0] == 0
    silent_engine.parent.wait(10.0)
    assert run("status")[0] == 1
