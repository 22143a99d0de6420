"""A process's log: one record is one line on the disk, whatever dies, however full the disk is."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from sfa_engine.system import log
from sfa_engine.system.log import KEPT_FILES, LogFile, escape, unescape

RECORD = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (\w+) host\[(\d+)\] (.*)\n"
)


def lines(folder, name="host.log"):
    return (folder / name).read_text().splitlines(keepends=True)


def test_a_record_has_time_level_process_and_text(tmp_path):
    LogFile("host", tmp_path).write("warning", "the device is gone")
    (line,) = lines(tmp_path)
    found = RECORD.fullmatch(line)
    assert found
    assert found.groups() == ("WARNING", str(os.getpid()), "the device is gone")
    assert (tmp_path / "host.log").stat().st_mode & 0o777 == 0o600


def test_the_time_is_local_with_its_offset(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        LogFile("host", tmp_path).write("info", "x")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert lines(tmp_path)[0][23:29] == "+05:30"


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "\x1b[31mred\x9b0m\x07", "a\r\0b", "\\n is no newline", "\udcff", "\u2028"],
)
def test_whatever_is_written_is_one_line_that_a_terminal_may_show(tmp_path, text):
    LogFile("host", tmp_path).write("info", text)
    (line,) = (tmp_path / "host.log").read_bytes().splitlines(keepends=True)
    assert not any(byte < 32 or byte == 127 for byte in line[:-1])
    assert not any("\x80" <= letter < "\xa0" for letter in line.decode())


@pytest.mark.parametrize("text", ["two\nlines", "\\n", "\\\\n\n\\", "C:\\new\n", ""])
def test_unescaping_gives_the_lines_back(text):
    assert "\n" not in escape(text)
    assert unescape(escape(text)) == text


def test_an_exception_is_one_record_with_its_traceback(tmp_path):
    try:
        _ = {}["missing"]
    except KeyError as error:
        LogFile("host", tmp_path).exception(error, "a request")
    (line,) = lines(tmp_path)
    assert "a request\\nTraceback" in line
    assert line.endswith("KeyError: 'missing'\n")


def test_of_a_record_that_is_too_long_both_ends_stay(tmp_path):
    LogFile("host", tmp_path).write("info", "begin" + "é" * 100_000 + "end")
    (line,) = lines(tmp_path)
    assert len(line.encode()) < log.MAX_RECORD_BYTES + 100
    assert "begin" in line
    assert line.endswith("end\n")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hush-hush",
        "authorization=license hush-hush",
        '{"access_token": "hush-hush", "x": 1}',
        "refresh_token='hush-hush'",
        "client_secret = hush-hush",
        "https://example.org/callback?code=hush-hush&x=1",
        "https://me:hush-hush@example.org/",
        "api_key: hush-hush",
        "https://cdn.example.org/a?expire=1&sig=hush-hush",
        "password=hush-hush",
    ],
)
def test_nothing_private_is_written(tmp_path, text):
    LogFile("host", tmp_path).write("error", text)
    assert "hush" not in lines(tmp_path)[0]
    assert "***" in lines(tmp_path)[0]


def test_a_plain_url_stays_whole(tmp_path):
    LogFile("host", tmp_path).write("info", "https://example.org/watch?v=abc&list=def#t")
    assert "https://example.org/watch?v=abc&list=def#t" in lines(tmp_path)[0]


def test_rotation_keeps_so_many_files_and_loses_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "MAX_FILE_BYTES", 4000)
    file = LogFile("host", tmp_path)
    for number in range(1000):
        file.write("info", f"record {number}")
    names = ["host.log", *(f"host.log.{n}" for n in range(1, KEPT_FILES + 1))]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name).stat().st_size <= 4000 for name in names)
    kept = [line.split()[-1] for name in reversed(names) for line in lines(tmp_path, name)]
    assert kept == [str(number) for number in range(1000 - len(kept), 1000)]
    assert len(kept) > KEPT_FILES * 4000 // 70


WRITER = """
import sys
from pathlib import Path
from sfa_engine.system import log
log.MAX_FILE_BYTES, log.KEPT_FILES = 20_000, 40
file = log.LogFile("host", Path(sys.argv[1]))
for number in range(1000):
    file.write("info", f"{sys.argv[2]} {number} " + "x" * 50)
"""


@pytest.mark.slow
def test_two_writers_of_one_file_neither_tear_nor_lose_a_record(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = {"a": [], "b": []}
    for path in tmp_path.iterdir():
        for line in path.read_text().splitlines(keepends=True):
            if line == "\n":  # one opened the file in the middle of the other's write, and ended it
                continue
            assert RECORD.fullmatch(line), line
            name, number = line.split()[3:5]
            found[name].append(int(number))
    assert [sorted(numbers) for numbers in found.values()] == [list(range(1000))] * 2


def test_a_removed_log_is_made_again(tmp_path):
    file = LogFile("host", tmp_path)
    file.write("info", "one")
    (tmp_path / "host.log").unlink()
    file.write("info", "two")
    assert [line.split()[-1] for line in lines(tmp_path)] == ["two"]


def test_a_full_disk_harms_no_caller_and_is_reported_when_there_is_room(tmp_path):
    file = LogFile("host", tmp_path)
    file.write("info", "before")
    size = (tmp_path / "host.log").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # Half of the next record has room: a disk that is full tears it so.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, limits[1]))
        for number in range(3):
            file.write("info", f"lost {number}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    file.write("info", "after")
    there = lines(tmp_path)
    whole = [found[3] for found in map(RECORD.fullmatch, there) if found]
    assert whole == ["before", "3 records were lost: File too large", "after"] or whole == [
        "before",
        "3 records were lost: No space left on device",
        "after",
    ]


def test_a_record_after_one_that_a_killed_process_left_torn_is_whole(tmp_path):
    (tmp_path / "host.log").write_text("2026-11-28T19:35:01.123+01:00 INFO ho")
    LogFile("host", tmp_path).write("info", "whole")
    assert RECORD.fullmatch(lines(tmp_path)[-1])


def test_a_folder_that_cannot_be_made_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "OPEN_RETRY_S", 0.0)
    (tmp_path / "state").write_text("a file is in the way")
    file = LogFile("host", tmp_path / "state")
    file.write("info", "lost")
    (tmp_path / "state").unlink()
    file.write("info", "kept")
    said = (tmp_path / "state" / "host.log").read_text()
    assert "1 records were lost" in said
    assert "kept" in said


def test_the_folders_of_a_log_are_closed_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        LogFile("host", tmp_path / "state" / "sfa" / "log").write("info", "x")
    finally:
        os.umask(before)
    made = [tmp_path / "state", tmp_path / "state" / "sfa", tmp_path / "state" / "sfa" / "log"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3


def test_a_disk_error_when_a_log_is_opened_harms_no_caller(tmp_path):
    path = tmp_path / "host.log"
    path.symlink_to("/proc/self/mem")  # opens, and gives an error when it is read
    file = LogFile("host", tmp_path)
    file.write("info", "lost")
    path.unlink()
    file._open_at = 0.0
    file.write("info", "kept")
    assert [line.split()[-1] for line in lines(tmp_path)][-1] == "kept"


# ---------------------------------------------------------------------- a process


BEGIN = """
import os, sys, threading, time, ctypes, signal
from pathlib import Path
from sfa_engine.system import log
log.start("host", Path(sys.argv[1]))
"""


def run(folder, code, **options):
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code, str(folder)],
        check=False,
        capture_output=True,
        timeout=60,
        **options,
    )


def wait_for(folder, text):
    give_up = time.monotonic() + 30
    while text not in (said := (folder / "host.log").read_text()):
        assert time.monotonic() < give_up, said
        time.sleep(0.01)


@pytest.mark.slow
def test_kill_minus_nine_loses_no_record_that_is_a_moment_old(tmp_path):
    code = "log.write('info', 'last'); time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)"
    done = run(tmp_path, code)
    assert done.returncode == -signal.SIGKILL
    assert lines(tmp_path)[-1].endswith(" last\n")


@pytest.mark.slow
def test_a_record_is_in_the_file_within_milliseconds(tmp_path):
    code = """
took = []
log._log.flush(5.0)  # the writer opens the file
for number in range(50):
    log.write('info', f'number {number}.')
    began = time.monotonic()
    while f'number {number}.' not in Path(sys.argv[1], 'host.log').read_text():
        time.sleep(0.0002)
    took.append(time.monotonic() - began)
os.write(log._output._kept[1], b"%g" % sorted(took)[25])
"""
    assert float(run(tmp_path, code).stderr) < 0.05


# A pipe that nobody reads takes the place of a disk that hangs.
HANG = """
ours, theirs = os.pipe()
log._log.flush(5.0)
os.dup2(theirs, log._log.descriptor, inheritable=False)
os.set_blocking(theirs, False)
try:
    while True:
        os.write(theirs, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(theirs, True)
"""


@pytest.mark.slow
def test_on_a_disk_that_hangs_no_caller_waits_and_losses_are_reported(tmp_path):
    code = """
slowest = 0.0
for number in range(log.MAX_QUEUED + 500):
    began = time.monotonic()
    log.write('info', f'number {number}')
    slowest = max(slowest, time.monotonic() - began)
began = time.monotonic()
log.before_exec()
assert time.monotonic() - began < 0.5
assert slowest < 0.3, slowest
said = b""
while b"records were lost" not in said:
    said += os.read(ours, 65536)
assert b"number 999" in said and b"number 1400" not in said
os.write(log._output._kept[1], b"%d" % int(said.split(b" records were lost")[0].split()[-1]))
"""
    done = run(tmp_path, HANG + code)
    assert done.returncode == 0, done.stderr
    assert 490 <= int(done.stderr) <= 500


@pytest.mark.slow
def test_a_process_ends_though_the_disk_hangs(tmp_path):
    began = time.monotonic()
    assert run(tmp_path, HANG + "log.write('info', 'x'); raise SystemExit(3)").returncode == 3
    assert run(tmp_path, HANG + "raise ValueError").returncode == 1
    assert time.monotonic() - began < 15.0


@pytest.mark.slow
def test_what_was_logged_last_is_there_when_a_process_ends_or_becomes_another(tmp_path):
    run(tmp_path, "for n in range(900): log.write('info', f'number {n}')")
    assert len(lines(tmp_path)) == 900
    run(tmp_path, "log.write('info', 'old'); log.before_exec(); os.execv('/bin/true', ['true'])")
    assert lines(tmp_path)[-1].endswith(" old\n")


@pytest.mark.slow
def test_a_fork_writes_too(tmp_path):
    code = """
log.write('info', 'parent')
child = os.fork()
log.write('info', 'both')
if child:
    os.waitpid(child, 0)
else:
    log._log.flush(5.0)
    os._exit(0)
"""
    run(tmp_path, code)
    assert sorted(line.split()[-1] for line in lines(tmp_path)) == ["both", "both", "parent"]
    assert len({RECORD.fullmatch(line)[2] for line in lines(tmp_path)}) == 2


@pytest.mark.slow
def test_a_signal_handler_may_write(tmp_path):
    code = """
signal.signal(signal.SIGALRM, lambda *_: log.write('info', 'handler'))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
give_up = time.monotonic() + 1.0
while time.monotonic() < give_up:
    log.write('info', 'main')
    time.sleep(0.001)
signal.setitimer(signal.ITIMER_REAL, 0.0)
"""
    assert run(tmp_path, code).returncode == 0
    assert {line.split()[-1] for line in lines(tmp_path)} == {"handler", "main"}


@pytest.mark.slow
def test_a_journal_that_takes_nothing_holds_neither_process_nor_file(tmp_path):
    ours, theirs = socket.socketpair()
    there = os.fstat(theirs.fileno())
    environment = {**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
    code = "for n in range(900): log.write('info', 'y' * 2000)"
    done = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, str(tmp_path)], stderr=theirs, env=environment
    )
    theirs.close()
    assert done.wait(60) == 0
    ours.close()
    assert len(lines(tmp_path)) == 900


@pytest.mark.slow
def test_what_a_c_library_prints_is_a_record_and_repeats_are_counted(tmp_path):
    code = """
for _ in range(500):
    os.write(2, b"ALSA lib: no such card\\n")
os.write(1, b"JACK: said\\n")
while "JACK" not in Path(sys.argv[1], "host.log").read_text():
    time.sleep(0.01)
"""
    assert run(tmp_path, code).returncode == 0
    found = [RECORD.fullmatch(line) for line in lines(tmp_path)]
    assert all(found)
    assert [each[3] for each in found] == ["ALSA lib: no such card", "JACK: said"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "level", "words"),
    [
        ("raise KeyError('in main')", "CRITICAL", "KeyError: 'in main'"),
        (
            "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
            "ERROR",
            "ZeroDivisionError",
        ),
        (
            "class Bad:\n    def __del__(self):\n        raise ValueError('in del')\nBad()",
            "ERROR",
            "ValueError: in del",
        ),
    ],
    ids=["main", "thread", "finaliser"],
)
def test_an_uncaught_exception_is_one_record(tmp_path, code, level, words):
    run(tmp_path, code)
    (line,) = lines(tmp_path)
    assert RECORD.fullmatch(line)[1] == level
    assert words in line


@pytest.mark.slow
def test_a_crash_of_machine_code_leaves_where_it_was(tmp_path):
    # The log is opened by its writer, so the process has to live until a record is in it.
    code = """
log.write("info", "playing")
path = Path(sys.argv[1], "host.log")
while not (path.exists() and path.stat().st_size):
    time.sleep(0.01)
ctypes.string_at(8)
"""
    done = run(tmp_path, code)
    assert done.returncode == -signal.SIGSEGV
    said = (tmp_path / "host.log").read_text()
    assert "Fatal Python error: Segmentation fault" in said
    assert "string_at" in said


@pytest.mark.slow
def test_a_hung_process_dumps_its_stacks_on_request(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + "log.write('info', 'begun')\nwhile True: pass", tmp_path]
    )
    try:
        while not (tmp_path / "host.log").exists():
            time.sleep(0.01)
        wait_for(tmp_path, "begun")
        process.send_signal(log.DUMP_SIGNAL)
        wait_for(tmp_path, 'File "<string>", line ')
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_writer_of_standard_error_never_waits(tmp_path):
    code = """
def stuck(*_):  # nobody reads the pipe
    time.sleep(60)
log._Output._take = stuck
os.write(2, b"x\\n")
for _ in range(10_000):
    try:
        os.write(2, b"y" * 100 + b"\\n")
    except BlockingIOError:
        os._exit(7)
"""
    assert run(tmp_path, code).returncode == 7


@pytest.mark.slow
def test_under_systemd_records_go_to_the_journal_too(tmp_path):
    ours, theirs = socket.socketpair()
    there = os.fstat(theirs.fileno())
    environment = {**os.environ, "JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}
    code = "log.write('warning', 'two\\nlines'); log.write('error', 'token=hush')"
    done = subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, str(tmp_path)], stderr=theirs, env=environment
    )
    theirs.close()
    assert done.wait(60) == 0
    with ours:
        assert ours.recv(4096) == b"<4>host: two\\nlines\n<3>host: token=***\n"
    assert len(lines(tmp_path)) == 2


def test_a_journal_of_another_process_is_not_ours(monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    assert not LogFile("host").is_journal
