"""What the terminal is given: nothing that controls it, nothing that it cannot show."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.cli.screen import SafeConsole
from sfa_engine.cli.terminal import json_text, one_line, printable

# A colour, a title (C0 and C1), a bell, a backspace, a bidi override, a line of its own.
HARMFUL = "a\x1b[31mb\x1b]0;title\x07c\x9b31md\x08\x9d0;x\x9ce\u202eabc\u2066f\rg\x7f"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SFA = [sys.executable, "-m", "sfa_engine.cli.main"]


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "config.toml").touch()
    return {
        **os.environ,
        "SFA_RUNTIME": str(tmp_path / "run"),
        "SFA_CONFIG": str(tmp_path / "config.toml"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }


def on_terminal(environment, *words):
    """Run the command on a terminal; return all that the terminal is given."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*SFA, *words], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        said = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            said += more
    os.close(ours)
    return said.decode()


@given(st.text())
def test_a_printable_text_has_no_controls_and_keeps_its_length(text):
    shown = printable(text)
    assert not CONTROLS.search(shown)
    assert len(shown) == len(text)
    shown.encode()


@pytest.mark.parametrize("text", ["Ænglish ø ł ß", "駆ける", "שלום\u200f", "👩‍🚀", "a\tb\n"])
def test_a_text_of_any_script_stays_as_it_is(text):
    assert printable(text) == text


@given(st.text())
def test_a_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1


@given(st.text() | st.just(HARMFUL) | st.just("caf\udce9"))
def test_json_is_exact_and_has_no_controls(text):
    said = json_text({text: [text]})
    assert json.loads(said) == {text: [text]}
    assert not CONTROLS.search(said)
    said.encode()


def test_a_console_shows_controls_and_writes_its_own():
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, color_system="standard", width=200)
    console.print(f"[bold]{HARMFUL}[/bold]", highlight=False)
    said = file.getvalue()
    assert said.startswith("\x1b[1m")
    assert not CONTROLS.search(re.sub("\x1b\\[[01]m", "", said))


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["load", "1", f"./{HARMFUL}"],
        ["watch", "x", "--rate", HARMFUL],
        [HARMFUL],
        ["start", "--device", HARMFUL, "--block", HARMFUL],
        ["render", HARMFUL, "-o", "x.wav"],
        ["describe", HARMFUL],
        ["analyze", f"{HARMFUL}.flac"],
        ["secret", "set", HARMFUL],
        ["prep", f"./{HARMFUL}"],
    ],
    ids=lambda words: words[0] if words[0] != HARMFUL else "command",
)
def test_an_error_names_what_is_wrong_without_its_controls(environment, words):
    said = on_terminal(environment, *words)
    assert "[31mb" in said
    # Rich hides its cursor while a bar is shown; that is its own.
    said = re.sub(r"\x1b\[(\?25[lh]|[0-9;]*m|2K|1A)", "", said).replace("\r", "")
    assert not CONTROLS.search(said)


@pytest.mark.slow
def test_a_track_with_controls_in_its_name_is_listed_without_them(ask, tmp_path):
    (tmp_path / f"{HARMFUL}.mp3").write_bytes(b"ID3" + b"no music" * 500)
    assert ask("prep", tmp_path / f"{HARMFUL}.mp3")[0] == 1
    status, out, _ = ask("jobs", "list", "--failed")
    assert status == 0
    assert not CONTROLS.search(out)
    listed = json.loads(ask("jobs", "list", "--failed", "--json")[1])["jobs"]
    assert HARMFUL in {job["title"].removesuffix(".mp3") for job in listed}


@pytest.mark.slow
@pytest.mark.parametrize(
    "coding",
    [
        "ascii:strict",
        *(pytest.param(c, marks=pytest.mark.nightly) for c in ("ascii", "latin-1", "utf-8:strict")),
    ],
)
def test_a_terminal_of_any_encoding_is_no_traceback(silent_engine, coding):
    silent_engine.environment["PYTHONIOENCODING"] = coding
    for words in (["status"], ["describe"], ["library", "search"], ["health"], ["--help"]):
        done = subprocess.run(
            [*SFA, *words], env=silent_engine.environment, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode(coding.partition(":")[0])
    done = subprocess.run(
        [*SFA, "load", "1", "Trentemøller \udcff 駆ける"],
        env=silent_engine.environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"sfa: ")
    assert b"Trentem" in done.stderr


@pytest.mark.slow
def test_a_terminal_of_no_locale_is_no_traceback(silent_engine):
    silent_engine.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    status, out, err = silent_engine.command("status")
    assert (status, err) == (0, "")
    assert "master" in out
    assert out.isascii()
    assert json.loads(silent_engine.command("status", "--json")[1])["engine"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["describe"], ["describe", "--json"], ["--help"], ["doctor"]])
def test_a_full_disk_is_named_in_one_line(environment, words):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [*SFA, *words], env=environment, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "sfa: cannot write to standard output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["describe"], ["describe", "--json"]])
def test_a_reader_that_has_seen_enough_is_no_error(environment, words):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*SFA, *words], env=environment, stdout=theirs, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_question_without_standard_input_is_one_line(environment):
    done = subprocess.run(
        ["bash", "-c", '"$@" <&-', "bash", *SFA, "library", "restore"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("sfa: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&-"])
@pytest.mark.parametrize("words", [["describe", "deck1.*"], ["library", "search"], ["devices"]])
def test_closed_streams_are_no_error(environment, closed, words):
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *SFA, *words],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sign"),
    [
        (["status", "--watch", "--json"], "{"),
        (["status", "--watch"], "\n"),
        (["watch", "master.*"], "master."),
        (["jobs", "watch"], ""),
    ],
    ids=" ".join,
)
def test_ctrl_c_ends_with_130(silent_engine, words, sign):
    running = subprocess.Popen(
        # Where tests run in the background, Ctrl-C is nothing to those that they start.
        ["env", "--default-signal=INT", *SFA, *words],
        env={**silent_engine.environment, "TERM": "xterm", "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        if sign:
            assert sign in running.stdout.readline()
        else:
            assert running.stderr.readline()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30.0)
    assert running.returncode == 130
    assert "Traceback" not in err
