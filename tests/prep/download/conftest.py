"""Sound files, stand-ins for spotdl and yt-dlp, and the tools' own parsers."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sfa_engine.prep.download.tool import SPOTDL_VENV

RATE = 48_000
ROOT = Path(__file__).parents[3]
Parser = Callable[[list[str]], dict[str, Any] | None]
STAND_IN = Path(__file__).parent / "stand_in.py"

# Answers one line of arguments with one line: what the parser made of it, or null.
SPOTDL_PARSER = """
import json, sys
from spotdl.utils.arguments import parse_arguments
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    sys.argv = ["spotdl", *json.loads(line)]
    try:
        answer = vars(parse_arguments())
    except SystemExit:
        answer = None
    print(json.dumps(answer, default=str), file=answers, flush=True)
"""


def write_song(path: Path, seconds: float = 2.0) -> None:
    """Write some sound in the format of the file's name."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 440 * time_s), RATE)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sound files of some lengths."""
    folder = tmp_path_factory.mktemp("songs")
    write_song(folder / "two.mp3", 2.0)
    write_song(folder / "twenty.mp3", 20.0)
    write_song(folder / "whole.wav", 4.2)
    whole = (folder / "whole.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    write_song(folder / "three.mp3", 3.0)
    write_song(folder / "three.flac", 3.0)
    (folder / "page.html").write_text("<html><title>No music here</title></html>")
    (folder / "page.mp3").write_text("<html>Not found</html>" * 50)
    return folder


@pytest.fixture(scope="session")
def spotdl_parser_if_any() -> Iterator[Parser | None]:
    """Return spotdl's own parser, in its own venv, if it is installed."""
    python = SPOTDL_VENV / "bin/python"
    if not (SPOTDL_VENV / "bin/spotdl").exists():
        yield None
        return
    with subprocess.Popen(
        [python, "-c", SPOTDL_PARSER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def parse(arguments: list[str]) -> dict[str, Any] | None:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] | None = json.loads(process.stdout.readline())
            return answer

        yield parse


@pytest.fixture
def spotdl_parser(spotdl_parser_if_any: Parser | None) -> Parser:
    """Return spotdl's own parser: a command line's options, or None."""
    if spotdl_parser_if_any is None:
        pytest.skip("no spotdl: make setup EXTRAS=dev,download")
    return spotdl_parser_if_any


class Bench:
    """Stand-ins on PATH, and a worker that finds them there."""

    def __init__(self, folder: Path, songs: Path) -> None:
        self.bin = folder / "bin"
        self.out = folder / "music"
        self.songs = songs
        self.bin.mkdir()

    def stand_in(self, tool: str, *scenario: str) -> None:
        """Put a program on PATH that does as `stand_in.py` says, or nothing of that name."""
        program = self.bin / tool
        program.write_text(
            f"#!/bin/sh\nexec {sys.executable} {STAND_IN} {tool} {self.bin} {self.songs}"
            f" '{' '.join(scenario)}' \"$@\"\n"
        )
        program.chmod(0o755)

    def request(self, url: str, **more: Any) -> dict[str, Any]:
        tools = {name: str(self.bin / name) for name in ("spotdl", "yt-dlp")}
        return {"url": url, "out": str(self.out), "tools": tools} | more

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sfa_engine.prep.download"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def fetch(self, url: str, **more: Any) -> list[dict[str, Any]]:
        """Return all that the worker answers."""
        request = self.request(url, **more)
        with self.start() as process:
            out, err = process.communicate(json.dumps(request) + "\n", timeout=60)
        answers: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
        assert (process.returncode == 0) is ("result" in answers[-1]), err
        assert answers[-1].get("code") != "fault", err
        return answers

    def asked(self, tool: str) -> list[list[str]]:
        """Return the command lines that a tool was given."""
        log = self.bin / f"{tool}.asked"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def visible(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir() if path.name[0] != ".")

    def everything(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def bench(tmp_path: Path, songs: Path, spotdl_parser_if_any: Parser | None) -> Iterator[Bench]:
    """A bench whose stand-ins were asked nothing that the real tools would not understand."""
    bench = Bench(tmp_path, songs)
    yield bench
    if spotdl_parser_if_any:
        assert all(spotdl_parser_if_any(asked) for asked in bench.asked("spotdl"))
    if importlib.util.find_spec("yt_dlp"):
        parse = importlib.import_module("yt_dlp").parse_options
        assert all(len(parse(asked).urls) == 1 for asked in bench.asked("yt-dlp"))
