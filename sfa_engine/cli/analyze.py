"""`sfa analyze`: tempo, beats, key, loudness, sections and cues of sound files.

Each file is analysed by a worker program in a process of its own: what crashes there, or eats
memory, is that file's misfortune only.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from sfa_engine.errors import Refused, SfaError

Report = Callable[[float, str], None]

_WORKER = "sfa_engine.prep.analyse"
_NOTES = 2000  # characters of a worker's own words that are kept


class WorkerError(SfaError):
    """A worker program ended without an answer."""

    code = "worker"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One object a file, a line each.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def analyze(files: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Analyse sound files: tempo, beats, key, loudness, sections and cues."""
    from sfa_engine.cli import screen

    failed = 0
    for file in files:
        try:
            with screen.progress_bar(file.name, quiet=quiet or not sys.stderr.isatty()) as bar:
                told = run_worker(file, _shown_by(bar))
                bar(1.0)
        except SfaError as error:
            failed += 1
            screen.complain(error)
            continue
        if as_json:
            named = {"file": str(file), **told} if len(files) > 1 else told
            click.echo(json.dumps(named, ensure_ascii=False))
        else:
            click.echo(f"{file}: {in_words(told)}")
    if failed:
        raise click.exceptions.Exit(1)


def _shown_by(bar: Any) -> Report:
    """Return a report that moves a bar."""
    return lambda share, _: bar(share)


def run_worker(path: Path, report: Report, command: tuple[str, ...] = ()) -> dict[str, Any]:
    """Analyse a file in a process of its own.

    Parameters
    ----------
    path : Path
    report : callable
        Told the part that is done, 0..1, and what is being done.
    command : tuple of str, optional
        Another worker program.

    Returns
    -------
    dict
        What `sfa analyze --json` prints.

    Raises
    ------
    SfaError
        What the worker says, or that it ended without a word.
    """
    request = json.dumps({"path": str(path)}) + "\n"
    process = subprocess.Popen(
        command or (sys.executable, "-m", _WORKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    notes = _Notes(process.stderr)
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(request)
            process.stdin.close()
        for message in _messages(process.stdout):
            if "progress" in message:
                report(float(message["progress"]), str(message.get("doing", "")))
            elif isinstance(message.get("result"), dict):
                result: dict[str, Any] = message["result"]
                return result
            elif "error" in message:
                kind = Refused if message.get("code") == Refused.code else SfaError
                raise kind(str(message["error"]), str(message.get("hint", "")))
        status = process.wait()
        why = f"signal {-status}" if status < 0 else f"status {status}"
        raise WorkerError(f'analysis of "{path}" ended with {why}: {notes.last}', "try it again")
    finally:
        process.kill()
        process.wait()
        notes.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _messages(lines: Any) -> Iterator[dict[str, Any]]:
    """Yield the messages among a worker's lines; anything else is its log."""
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            yield message


class _Notes(threading.Thread):
    """Reads a worker's log, so that it never waits for us."""

    def __init__(self, stream: Any) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._text = ""
        self.start()

    def run(self) -> None:
        """Read to the end, and keep the last of it."""
        for line in self._stream:
            self._text = (self._text + line)[-_NOTES:]

    @property
    def last(self) -> str:
        """The last line that was said."""
        self.join(timeout=5)
        lines = self._text.strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def in_words(told: dict[str, Any]) -> str:
    """Return a result as a line for a person."""
    if told["bpm"] is None:
        tempo = "no beat"
    else:
        tempo = f"{told['bpm']:g} BPM" + (" (varies)" if told["variable"] else "")
        if told["confidence"] < 0.5:
            tempo += ", check the grid"
    key = f"{told['key']} ({told['camelot']})" if told["key"] else "no key"
    labels = ", ".join(s["label"] for s in told["sections"]) or "no sections"
    return (
        f"{tempo}, {key}, {told['lufs']:.1f} LUFS, peak {told['peak_dbtp']:+.1f} dBTP, "
        f"energy {told['energy']:.2f}; {labels}"
    )
