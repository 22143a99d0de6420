"""`sfa jobs` as a person meets it, and its list at the width of a terminal."""

import io
import json
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from sfa_engine.cli.job_progress import job_table

WHY = "the sound of this file breaks off after 12.4 s and is not what its header promises"


def job(**of):
    """What backstage tells of a job that failed."""
    return {
        "id": 12,
        "kind": "separate",
        "state": "failed",
        "title": "Some Artist of a long name - A title that is long as well (Extended Mix)",
        "attempts": 3,
        "error": {"code": "media", "message": WHY, "hint": "fetch it again"},
        "doing": "",
        "created_s": 0.0,
        "started_s": 1.0,
        "ended_s": 2.0,
        **of,
    }


def shown(*jobs, width=80):
    """The list as a terminal of so many columns has it, line by line."""
    file = io.StringIO()
    Console(file=file, width=width).print(job_table(list(jobs), 62.0))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_number_title_and_reason_of_a_failed_job_are_read_whole_in_80_columns():
    lines = shown(job())
    assert lines[0].split() == ["job", "what", "of", "tries", "since"]
    assert lines[1].startswith("12   ✗  separate")
    assert lines[1].endswith("1 min")
    words = " ".join(" ".join(line[17:65].split()) for line in lines[1:])
    assert job()["title"] in words
    assert f"{WHY}; fetch it again" in words
    assert max(map(len, lines)) <= 80


def test_a_job_that_runs_says_below_its_title_what_it_does():
    lines = shown(job(state="running", title="Halcyon", error=None, doing="balancing"))
    assert [line.split()[-1] for line in lines[1:]] == ["min", "balancing"]


# ---------------------------------------------------------------- beside backstage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["cancel"], "sfa: no job is named; give numbers, or --all for every one\n"),
        (["retry"], "sfa: no job is named; give numbers, or --failed for all failed jobs\n"),
        (["cancel", "99"], "sfa: no job 99; see `sfa jobs list --all`\n"),
    ],
)
def test_a_job_that_is_not_named_is_a_mistake(ask, words, hint):
    assert ask("jobs", *words) == (1, "", hint)


@pytest.mark.slow
def test_a_job_that_has_ended_is_said_to_have(ask, tmp_path):
    (tmp_path / "broken.mp3").write_bytes(b"ID3" + b"no music" * 500)
    assert ask("prep", tmp_path / "broken.mp3", "--quiet")[0] == 1
    status, out, _ = ask("jobs", "list", "--failed")
    assert "broken.mp3" in out
    number = int(out.splitlines()[1].split()[0])
    status, out, err = ask("jobs", "cancel", number)
    assert (status, out) == (1, "")
    only = "only waiting and running ones can be cancelled"
    assert err == f"sfa: job {number} is failed; {only}\n"
    assert "nothing waits or runs" in ask("jobs", "cancel", "--all")[1]


@pytest.mark.slow
def test_a_file_whose_name_is_no_utf_8_is_refused_and_told_of(ask, tmp_path):
    odd = tmp_path / "music" / "caf\udce9.wav"
    odd.parent.mkdir()
    odd.write_bytes(b"sound")
    status, out, err = ask("prep", odd)
    assert (status, out) == (1, "")
    assert err == f'sfa: "{tmp_path}/music/caf\\udce9.wav" is not a UTF-8 name; rename it\n'
    assert ask("prep", odd.parent, "--quiet")[0] == 1
    listed = json.loads(ask("jobs", "list", "--failed", "--json")[1])["jobs"]
    status, out, _ = ask("jobs", "show", listed[0]["id"])
    assert status == 0
    assert json.loads(out)["args"]["path"] == f"{tmp_path}/music/caf\\udce9.wav"


@pytest.mark.slow
def test_what_is_prepared_is_told_to_programs_as_it_happens(ask, tmp_path):
    (tmp_path / "noise.mp3").write_bytes(b"ID3" + b"no noise" * 500)
    status, out, err = ask("prep", tmp_path / "noise.mp3", "--json")
    assert (status, err) == (1, "")
    *events, end = map(json.loads, out.splitlines())
    assert {event["title"] for event in events} == {"noise.mp3"}
    assert (events[-1]["state"], events[-1]["error"]["code"]) == ("failed", "media")
    assert end["counts"]["failed"] == 1
    assert (end["tracks"], end["unread"]) == ([], [])


@pytest.mark.slow
def test_jobs_alone_lists_them(ask):
    status, out, err = ask("jobs")
    assert status == 0
    assert err == "nothing to do\n"
    assert ask("jobs", "list")[1] == out


@pytest.mark.slow
def test_watching_nothing_is_no_blank_screen_and_goes_on(backstage):
    watching = subprocess.Popen(
        # Where tests run in the background, Ctrl-C is nothing to those that they start.
        [
            *("env", "--default-signal=INT"),
            *(sys.executable, "-m", "sfa_engine.cli.main", "jobs", "watch"),
        ],
        env={**os.environ, **backstage},
        stderr=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stderr.readline().startswith("nothing to do")
        assert watching.poll() is None
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=20.0)
    assert watching.returncode == 130
