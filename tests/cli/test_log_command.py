"""`sfa log`: what all processes wrote, merged by time, across rotations."""

import os
import pty
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from click.testing import CliRunner

from sfa_engine.cli import log
from sfa_engine.cli.main import main
from sfa_engine.errors import Refused
from sfa_engine.system import log as process_log
from sfa_engine.system.log import LogFile, numbered


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    logs = tmp_path / "sfa" / "log"
    logs.mkdir(parents=True)
    (logs / "host.log").write_text(
        "2026-11-28T20:00:01.000+01:00 INFO host[1] one\n"
        "2026-11-28T20:00:03.000+01:00 WARNING host[1] three\\ncontinued\n"
    )
    (logs / "stage.log").write_text(
        "2026-11-28T19:00:02.000+00:00 INFO stage[2] two\n"
        "Fatal Python error: Segmentation fault\n"
        "2026-11-28T19:00:04.000+00:00 ERROR stage[3] four\n"
    )
    return logs


def shown(*words):
    done = CliRunner().invoke(main, ["log", *words])
    assert done.exit_code == 0, done.output
    return [line.split("] ")[-1].strip() for line in done.output.splitlines()]


def test_records_of_all_processes_come_by_time_whatever_their_zone(folder):  # noqa: ARG001
    fatal = "Fatal Python error: Segmentation fault"
    assert shown() == ["one", "two", fatal, "three\\ncontinued", "four"]


def test_processes_levels_and_times_can_be_chosen(folder):  # noqa: ARG001
    assert shown("host") == ["one", "three\\ncontinued"]
    assert shown("host", "stage", "--level", "warning")[-2:] == ["three\\ncontinued", "four"]
    assert shown("--level", "error", "stage")[-1] == "four"
    assert shown("--since", "2026-11-28T20:00:02.500+01:00") == ["three\\ncontinued", "four"]
    assert shown("backstage") == []


@pytest.mark.parametrize(
    ("words", "ago_s"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5 d", 129_600)]
)
def test_a_time_may_be_so_long_ago(words, ago_s):
    assert log.begin_of(words, 1e6) == 1e6 - ago_s


def test_where_no_engine_ever_ran_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["log"])
    assert done.exit_code == 1
    assert "there is no log in" in done.output


def test_a_time_without_an_offset_is_local():
    assert log.begin_of("1970-01-02T00:00", 0.0) == time.mktime((1970, 1, 2, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("words", ["", "10", "10 minutes", "m", "2026-13-01", "nan", "-5m"])
def test_what_is_no_time_is_refused(words):
    with pytest.raises(Refused, match="not a valid time"):
        log.begin_of(words, 0.0)


def test_rotated_files_are_read_too_the_oldest_first(folder):
    for number in range(1, process_log.KEPT_FILES + 1):
        numbered(folder / "backstage.log", number).write_text(
            f"2026-11-28T19:0{9 - number}:00.000+00:00 INFO backstage[1] old {number}\n"
        )
    assert shown("backstage") == ["old 4", "old 3", "old 2", "old 1"]


def test_following_misses_nothing_while_the_writer_rotates(tmp_path, monkeypatch):
    monkeypatch.setattr(process_log, "MAX_FILE_BYTES", 5000)
    monkeypatch.setattr(log, "FOLLOW_POLL_S", 0.001)
    file = LogFile("host", tmp_path)
    tail = log.Tail(tmp_path / "host.log")
    seen = []

    def write():
        for number in range(400):
            file.write("info", f"number {number}")
            time.sleep(0.0005)

    with closing(tail):
        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            seen += tail.read()
            time.sleep(0.002)
        writer.join()
        seen += tail.read()
    assert [record.text.split()[-1] for record in seen] == [str(n) for n in range(400)]


def test_half_a_line_waits_for_its_rest(tmp_path):
    path = tmp_path / "host.log"
    whole = b"2026-11-28T20:00:01.000+01:00 INFO host[1] one\n"
    path.write_bytes(whole[:40])
    with closing(log.Tail(path)) as tail:
        assert list(tail.read()) == []
        with path.open("ab") as file:
            file.write(whole[40:])
        assert [record.text for record in tail.read()] == [whole.decode().rstrip()]


def test_bytes_that_are_no_text_and_control_characters_do_no_harm(folder):
    (folder / "host.log").write_bytes(b"\xff\xfe\x1b[2J raw\n2026-99-99T99:99 INFO host[1] odd\n")
    done = CliRunner().invoke(main, ["log", "host"])
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "odd" in done.output


@pytest.mark.slow
def test_on_a_terminal_a_traceback_has_lines_and_following_shows_what_comes(folder):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sfa_engine.cli.main", "log", "-f", "host"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
    )
    os.close(theirs)
    said = b""
    try:
        while b"three\r\ncontinued" not in said:
            said += os.read(ours, 4096)
        LogFile("host", folder).write("info", "it goes on")
        while b"it goes on" not in said:
            said += os.read(ours, 4096)
    finally:
        process.terminate()
        process.wait()
        os.close(ours)


def test_the_last_words_of_a_log_are_without_their_time(tmp_path):
    file = LogFile("host", tmp_path)
    assert process_log.last_message(tmp_path / "host.log") == ""
    file.write("info", "begun")
    file.write("error", "Traceback …\n  in x\nKeyError: 'y'")
    assert process_log.last_message(tmp_path / "host.log") == "KeyError: 'y'"
