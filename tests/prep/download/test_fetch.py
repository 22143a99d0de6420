"""The download worker as a program, with stand-ins for the tools."""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress

import pytest

from sfa_engine.prep.decode import decode

pytestmark = pytest.mark.slow

TRACK = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
SITE = "https://site.example/abc"
WANTED = {"title": "Song 1", "artists": ["The Band", "A Guest"], "duration_s": 2.2}


def gone(pid: int) -> bool:
    """Wait for a process that is not our child to end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def pids(bench):
    return [int(pid) for pid in (bench.bin / "pids").read_text().split()]


def test_spotdl_brings_a_track_of_spotify(bench):
    bench.stand_in("spotdl", "make:two.mp3")
    answers = bench.fetch(TRACK, expected=WANTED)
    result = answers[-1]["result"]
    assert result | {"bitrate": ""} == {
        "path": str(bench.out / "The Band, A Guest - Song 1.mp3"),
        "tool": "spotdl",
        "version": "2026.11.01",
        "bitrate": "",
        "source_url": "https://music.youtube.com/watch?v=abc",
        "title": "Song 1",
        "artist": "The Band, A Guest",
    }
    size_bytes = (bench.songs / "two.mp3").stat().st_size
    assert result["bitrate"] == f"{size_bytes * 8 / 2 / 1000:.0f}k"
    assert len(decode(result["path"]).sound) == 2 * 48_000
    assert bench.everything() == ["The Band, A Guest - Song 1.mp3"]


def test_progress_grows_from_nothing_to_all(bench):
    bench.stand_in("yt-dlp", "make:two.mp3")
    answers = bench.fetch(SITE)
    shares = [answer["progress"] for answer in answers[:-1]]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert len([share for share in shares if 0.1 < share < 0.9]) >= 3
    assert shares[-1] == 1.0
    assert {answer["doing"] for answer in answers[:-1]} >= {"downloading", "checking"}


def test_another_site_is_yt_dlps_and_names_the_music_itself(bench):
    bench.stand_in("spotdl", "say:odd", "exit:1")
    bench.stand_in("yt-dlp", "make:two.mp3")
    result = bench.fetch(SITE)[-1]["result"]
    assert (result["title"], result["artist"], result["tool"]) == ("A Title", "Someone", "yt-dlp")
    assert bench.visible() == ["Someone - A Title.mp3"]
    assert bench.asked("spotdl") == []
    assert bench.asked("yt-dlp")[0][-2:] == ["--", SITE]


@pytest.mark.parametrize(
    "scenario",
    [
        ["say:nothing"],
        ["say:odd", "exit:1"],
        ["part", "exit:1"],
        ["make:two.mp3", "exit:1"],
        ["make:twenty.mp3"],
        ["make:page.mp3"],
        ["make:cut.wav"],
        ["garbage"],
        ["crash"],
        [],
    ],
    ids=" ".join,
)
def test_when_spotdl_brings_nothing_right_yt_dlp_searches(bench, scenario):
    bench.stand_in("spotdl", *scenario)
    bench.stand_in("yt-dlp", "make:two.mp3", "exit:101")
    result = bench.fetch(TRACK, expected=WANTED)[-1]["result"]
    assert result["tool"] == "yt-dlp"
    assert result["source_url"] == SITE
    assert bench.asked("yt-dlp")[0][-1] == "ytsearch5:The Band, A Guest - Song 1"
    assert bench.everything() == ["The Band, A Guest - Song 1.mp3"]


@pytest.mark.parametrize(
    ("scenario", "code", "said"),
    [
        ("say:drm exit:1", "drm", "protected against copying"),
        ("say:geo exit:1", "geo-blocked", "not available in your country"),
        ("say:bot exit:1", "rate-limited", "limits the number of requests"),
        ("say:gone exit:1", "no-result", "nothing was found"),
        ("say:offline exit:1", "network", "cannot be reached"),
        ("say:full exit:1", "disk-full", "disk is full"),
        ("say:ffmpeg exit:1", "ffmpeg-missing", "ffmpeg is missing"),
        ("say:old exit:1", "refused", "site refuses"),
        ("say:odd exit:1", "download", "nobody has seen before"),
        ("say:warning", "no-result", "nothing was found"),
        ("crash", "download", "without output: status -6"),
        ("make:page.mp3", "unsound", "is not audio"),
        ("make:cut.wav", "unsound", "damaged or ends early"),
        ("make:twenty.mp3", "wrong-length", "20 s long, not 2 s"),
    ],
)
def test_each_failure_has_its_code_and_leaves_nothing(bench, scenario, code, said):
    bench.stand_in("yt-dlp", *scenario.split())
    error = bench.fetch(SITE, expected=WANTED)[-1]
    assert error["code"] == code
    assert said in error["error"]
    assert error["hint"]
    assert bench.everything() == []


def test_the_error_has_the_message_of_each_tool_and_the_last_ones_code(bench):
    bench.stand_in("spotdl", "say:nothing")
    bench.stand_in("yt-dlp", "say:geo", "exit:1")
    error = bench.fetch(TRACK, expected=WANTED)[-1]
    assert error["code"] == "geo-blocked"
    assert error["error"].startswith("spotdl: nothing was found")
    assert "; yt-dlp: it is not available in your country" in error["error"]


def test_on_a_full_disk_no_other_tool_is_tried(bench):
    bench.stand_in("spotdl", "say:full", "exit:1")
    bench.stand_in("yt-dlp", "make:two.mp3")
    assert bench.fetch(TRACK, expected=WANTED)[-1]["code"] == "disk-full"
    assert bench.asked("yt-dlp") == []


def test_a_missing_tool_is_reported_with_how_to_install_it(bench):
    error = bench.fetch(TRACK, expected=WANTED)[-1]
    assert error["code"] == "tool-missing"
    assert "pip install spotdl" in error["hint"]
    assert "pip install yt-dlp" in error["hint"]


def test_a_tool_that_is_missing_does_not_hide_what_the_other_said(bench):
    bench.stand_in("yt-dlp", "say:geo", "exit:1")
    error = bench.fetch(TRACK, expected=WANTED)[-1]
    assert error["code"] == "geo-blocked"
    assert error["error"].startswith(f'no program "{bench.bin / "spotdl"}"; yt-dlp: ')


def test_a_failure_that_may_pass_is_tried_again_and_another_is_not(bench):
    bench.stand_in("yt-dlp", "first:offline", "make:two.mp3")
    assert "result" in bench.fetch(SITE, attempts=3)[-1]
    assert len(bench.asked("yt-dlp")) == 2
    bench.stand_in("yt-dlp", "say:drm", "exit:1")
    assert bench.fetch(SITE, attempts=3)[-1]["code"] == "drm"
    assert len(bench.asked("yt-dlp")) == 3


def test_a_name_that_is_taken_is_left_alone(bench):
    bench.stand_in("yt-dlp", "make:two.mp3")
    bench.out.mkdir()
    (bench.out / "Someone - A Title.mp3").write_text("mine")
    bench.fetch(SITE)
    assert bench.visible() == ["Someone - A Title (2).mp3", "Someone - A Title.mp3"]
    assert (bench.out / "Someone - A Title.mp3").read_text() == "mine"


def test_a_version_that_is_no_text_is_no_reason_to_lose_the_file(bench):
    bench.stand_in("yt-dlp", "odd-version", "make:two.mp3")
    assert bench.fetch(SITE)[-1]["result"]["version"] == "\ufffd"
    assert bench.everything() == ["Someone - A Title.mp3"]


def test_the_tools_get_a_wide_screen_and_none_of_our_python_path(bench):
    bench.stand_in("yt-dlp", "environment", "make:two.mp3")
    bench.fetch(SITE)
    environment = json.loads((bench.bin / "environment").read_text())
    assert environment["COLUMNS"] == "4096"
    assert "PYTHONPATH" not in environment


def test_a_tool_that_hangs_is_ended_with_its_children_and_the_next_is_tried(bench):
    bench.stand_in("spotdl", "hang")
    bench.stand_in("yt-dlp", "make:two.mp3")
    for stall_s in (0.5, 5.0, 25.0):  # a busy machine takes longer to start it
        said = bench.fetch(TRACK, expected=WANTED, stall_s=stall_s)[-1]
        if "result" in said and (bench.bin / "pids").exists():
            break
    assert said["result"]["tool"] == "yt-dlp"
    assert all(gone(pid) for pid in pids(bench))


def test_a_tool_that_hangs_is_reported_when_there_is_no_other(bench):
    bench.stand_in("yt-dlp", "hang")
    error = bench.fetch(SITE, stall_s=0.5)[-1]
    assert error["code"] == "stalled"
    assert "for 0.5 s" in error["error"]


def test_a_child_that_a_tool_leaves_behind_is_not_waited_for(bench):
    bench.stand_in("yt-dlp", "make:two.mp3", "orphan")
    assert "result" in bench.fetch(SITE)[-1]
    assert all(gone(pid) for pid in pids(bench))


def test_a_worker_that_is_killed_leaves_no_process_and_no_file_that_is_seen(bench):
    bench.stand_in("yt-dlp", "part", "hang")
    request = bench.request(SITE)
    with bench.start() as process:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        while '"progress": 0.0,' in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        with suppress(BrokenPipeError):
            process.stdin.close()
    assert all(gone(pid) for pid in pids(bench))
    assert bench.visible() == []
    assert len(bench.everything()) == 1
    bench.stand_in("yt-dlp", "make:two.mp3")
    bench.fetch(SITE)
    assert bench.everything() == ["Someone - A Title.mp3"], "the dead worker's folder is removed"


def test_on_a_leash_the_worker_ends_with_its_tool_when_the_asker_is_gone(bench):
    bench.stand_in("yt-dlp", "hang")
    with bench.start() as process:
        process.stdin.write(json.dumps(bench.request(SITE, leash=True)) + "\n")
        process.stdin.flush()
        while '"progress": 0.0,' in process.stdout.readline():
            pass
        process.stdin.close()
        assert process.wait(10) == -signal.SIGKILL
    assert all(gone(pid) for pid in pids(bench))
    assert bench.visible() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "file:///etc/passwd"},
        {"url": "--exec=touch x"},
        {"url": "https://"},
        {"url": "https://a b"},
        {"url": 5},
        {"quality": "9000k"},
        {"tools": {"wget": "x"}},
        {"tools": {"spotdl": 1}},
        {"attempts": 0},
        {"stall_s": 0},
        {"expected": []},
        {"expected": {"title": 1}},
        {"expected": {"artists": "one"}},
        {"expected": {"duration_s": -1}},
        {"out": "/proc/nothing"},
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_before_anything_is_started(bench, wrong):
    bench.stand_in("yt-dlp", "make:two.mp3")
    error = bench.fetch(**({"url": SITE} | wrong))[-1]
    assert error["code"] == "refused"
    assert bench.asked("yt-dlp") == []


def test_a_track_of_which_nothing_is_known_is_not_searched_for(bench):
    bench.stand_in("spotdl", "say:nothing")
    bench.stand_in("yt-dlp", "make:two.mp3")
    assert bench.fetch(TRACK)[-1]["code"] == "no-result"
    assert bench.asked("yt-dlp") == []
