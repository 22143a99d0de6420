"""What Tab completes, in a real bash on a real terminal."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

import click
import pytest
from click.shell_completion import get_completion_class

from sfa_engine.cli import completion
from sfa_engine.cli.main import main

pytestmark = pytest.mark.slow
TIMEOUT_S = 30.0


class Bash:
    """An interactive bash that completes `sfa`."""

    def __init__(self, folder, environment):
        (folder / "bin").mkdir()
        program = folder / "bin" / "sfa"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sfa_engine.cli.main "$@"\n')
        program.chmod(0o755)
        self._ours, theirs = pty.openpty()
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=folder,
            env={
                **os.environ,
                **environment,
                "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
                "PS1": "> ",
                "TERM": "dumb",
                "INPUTRC": "/dev/null",
            },
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._write("bind 'set enable-bracketed-paste off'; bind 'set bell-style none'\n")
        self._write('eval "$(sfa completion bash)"; complete -p sfa; echo R""EADY\n')
        assert "complete -o nosort" in self._read_until("READY")

    def _write(self, text):
        os.write(self._ours, text.encode())

    def _read_until(self, sign):
        said, give_up = "", time.monotonic() + TIMEOUT_S
        while sign not in said:
            assert time.monotonic() < give_up, said
            if select.select([self._ours], [], [], 0.1)[0]:
                said += os.read(self._ours, 65536).decode(errors="replace")
        return said

    def complete(self, line):
        """Press Tab behind a line; return the line as it is then."""
        self._write(f"{line}\t\x01echo '\x05' E\"\"ND\n")  # echo it in quotes: nothing is run
        said = self._read_until("END\r\n")
        return said.rpartition(" END")[0].rpartition("\n")[2].rstrip()

    def close(self):
        self._bash.send_signal(signal.SIGHUP)
        try:
            self._bash.wait(10.0)
        except subprocess.TimeoutExpired:  # it looks at signals between commands alone
            self._bash.kill()
            self._bash.wait()
        os.close(self._ours)


@pytest.fixture
def bash(tmp_path):
    """A bash where nothing of the product runs."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    (tmp_path / "music.flac").touch()
    (tmp_path / "music of others").mkdir()
    (tmp_path / "set.mix").touch()
    running = Bash(tmp_path, {"SFA_RUNTIME": str(tmp_path / "run")})
    yield running
    running.close()


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("sfa prep music.", "sfa prep music.flac"),
        ("sfa prep ./music.", "sfa prep ./music.flac"),
        ("sfa render s", "sfa render set.mix"),
        ("sfa load 1 music.", "sfa load 1 music.flac"),
        ("sfa stat", "sfa status"),
        ("sfa set deck1.eq.low.g", "sfa set deck1.eq.low.gain"),
        ("sfa set deck1.sync te", "sfa set deck1.sync tempo"),
        ("sfa set deck1.eq.low.kill of", "sfa set deck1.eq.low.kill off"),
        ("sfa set crossfader_curve p", "sfa set crossfader_curve power"),
        ("sfa set deck1.play on --at ph", "sfa set deck1.play on --at phrase"),
        ("sfa press deck2.loop.d", "sfa press deck2.loop.double"),
        ("sfa get deck1.temp", "sfa get deck1.tempo"),
        ("sfa get deck1.tempo master.rm", "sfa get deck1.tempo master.rms"),
        ("sfa prep --engine sk", "sfa prep --engine sketch"),
        ("sfa secret set sp", "sfa secret set spotify"),
        ("sfa master music.", "sfa master music.flac"),
        ("sfa master a --reference music.", "sfa master a --reference music.flac"),
        ("sfa master a --preset cl", "sfa master a --preset club"),
        ("sfa master a --codec mp3-3", "sfa master a --codec mp3-320"),
        ("sfa completion f", "sfa completion fish"),
    ],
)
def test_tab_completes_commands_controls_values_and_files(bash, line, whole):
    assert bash.complete(line) == whole


@pytest.mark.parametrize(
    "line", ["sfa load 1 Halcy", "sfa library playlist show w", "sfa jobs cancel 1", "sfa set x y"]
)
def test_tab_is_silent_where_nothing_runs_and_starts_nothing(bash, tmp_path, line):
    assert bash.complete(line) == line
    assert not any(path.name.startswith("backstage") for path in (tmp_path / "run").glob("*"))


def test_tab_completes_tracks_and_playlists_of_the_library(backstage, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main",
         "library", "playlist", "add", "warm up; later", "halcyon"],
        env={**os.environ, **backstage}, check=True, capture_output=True,
    )  # fmt: skip
    running = Bash(tmp_path, backstage)
    try:
        assert running.complete("sfa load 1 Halc") == "sfa load 1 Halcyon"
        assert running.complete("sfa library show Ha") == "sfa library show Halcyon"
        whole = running.complete("sfa library playlist show wa")
        assert whole == "sfa library playlist show warm\\ up\\;\\ later"
    finally:
        running.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "name", ["a\nwords,$(touch sign)", "a\tb", "a\x1b[2Jb", "a\x85b", "a\u2028b"]
)
def test_a_name_that_is_no_line_is_not_offered(monkeypatch, shell, name):
    listed = [{"name": name, "tracks": 1}, {"name": "an evening", "tracks": 1}]
    monkeypatch.setattr(completion, "_ask", lambda *_, **__: listed)
    found = completion.playlists(click.Context(main), click.Argument(["name"]), "a")
    assert [item.value for item in found] == ["an evening"]
    kind = get_completion_class(shell)
    lines = kind(main, {}, "sfa", "_SFA_COMPLETE").format_completion(found[0])
    assert "sign" not in lines


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_given_titles_as_plain_words(backstage, shell):
    asked = {
        "_SFA_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "sfa load 1 Halc",
        "COMP_CWORD": "3" if shell == "zsh" else "Halc",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sfa_engine.cli.main"],
        env={**os.environ, **backstage, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "plain" in done.stdout
    assert "Halcyon" in done.stdout


def test_completion_completes_every_command():
    context = main.make_context("sfa", [], resilient_parsing=True)
    for name in main.list_commands(context):
        assert main.get_command(context, name) is not None
