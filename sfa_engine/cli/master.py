"""`sfa master`: a report on a finished mix, and a master of it with numbers and reasons.

The work is done by a worker program, so that a crash there, or exhausted memory, is an error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.options import json_option
from sfa_engine.cli.terminal import json_text, one_line, print_json
from sfa_engine.errors import EngineError, MediaError, Refused

WORKER = "sfa_engine.prep.master"


@click.command()
@click.argument("track", metavar="FILE")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The master: .wav or .flac.")
@click.option(
    "--preset", default="streaming", show_default=True,
    help="streaming, apple, club, dj or broadcast.",
)  # fmt: skip
@click.option("--target", type=float, metavar="LUFS", help="Loudness, in place of the preset's.")
@click.option("--ceiling", type=float, metavar="DBTP", help="Highest true peak.")
@click.option("--limit", type=float, metavar="DB", help="What the limiter may take; 3.")
@click.option(
    "--reference", metavar="FILE", help="Music whose spectrum, width and loudness to match."
)
@click.option(
    "--codec", default="aac-256", show_default=True,
    help="To measure the overshoot: aac-256, aac-128, mp3-320, mp3-128, opus-128 or none.",
)  # fmt: skip
@click.option("--bits", type=int, default=24, show_default=True, help="Of the master: 16 or 24.")
@click.option(
    "--compare", type=click.Path(path_type=Path), metavar="FOLDER",
    help="For the loudest 30 s before and after, equally loud.",
)  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path), help="Write the report: .json or .txt.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def master(track: str, output: Path | None, report: Path | None, quiet: bool, as_json: bool,
           **options: Any) -> None:  # fmt: skip
    """Measure a mix, and master it: FILE is a sound file, a bundle, or words of the library.

    Without -o nothing is written: the report, what each platform does to it, and the chain that
    would be applied.
    """
    from sfa_engine.cli import screen
    from sfa_engine.cli.run_worker import run_worker

    path, reference = _source(track), options["reference"]
    if report is not None:
        _check_report(report, path, output)
    request: dict[str, Any] = {
        "path": str(path),
        "out": "" if output is None else str(output),
        "preset": options["preset"],
        "target_lufs": options["target"],
        "ceiling_dbtp": options["ceiling"],
        "limit_db": options["limit"],
        "reference": "" if reference is None else str(_source(reference)),
        "codec": options["codec"],
        "bits": options["bits"],
        "compare": "" if options["compare"] is None else str(options["compare"]),
    }
    if output is not None:
        screen.build_kernel(quiet=quiet)
    with screen.progress_bar(path.name, quiet=quiet or not sys.stderr.isatty()) as bar:
        answer = run_worker(WORKER, request, bar)
        bar(1.0)
    from sfa_engine.mix.mastering.text import as_text

    lines = as_text(answer)
    if report is not None:
        is_json = report.suffix.lower() == ".json"
        _write_report(report, json_text(answer, 1) + "\n" if is_json else "\n".join(lines) + "\n")
    if as_json:
        print_json(answer)
        return
    for line in lines:
        click.echo(one_line(line))


def _source(track: str) -> Path:
    """Return the file, or the bundle, that is meant; the library is asked last.

    Of a track of the library it is the file that it came from, if that is still there.
    """
    here = Path(track).expanduser()
    if here.exists() or track.startswith(("/", "./", "../", "~")):
        return here.resolve()
    from sfa_engine.cli.connect import backstage

    try:
        with backstage() as client:
            shown = client.call("library.show", track=track)
    except EngineError:
        raise MediaError(f'no file "{track}"', "check its name and folder") from None
    for name in ("source_path", "bundle"):
        if shown[name] and Path(shown[name]).exists():
            return Path(shown[name])
    raise Refused(f'"{shown["name"]}" is not imported yet', "see `sfa jobs`")


def _check_report(report: Path, *others: Path | None) -> None:
    """Refuse a report that cannot be written, before the work."""
    if report.suffix.lower() not in {".json", ".txt"}:
        raise Refused(f'"{report}": no report "{report.suffix}"', "end it with .json or .txt")
    if not report.parent.is_dir():
        raise MediaError(f'"{report.parent}" is not a folder', "make it first")
    for other in others:
        if other is not None and report.resolve() == other.resolve():
            raise Refused(f'"{report}" is the sound', "name another file for the report")


def _write_report(report: Path, text: str) -> None:
    from sfa_engine.system.atomic import write_durably

    try:
        write_durably(report, text.encode("utf-8", "replace"))
    except OSError as error:
        raise MediaError(
            f'"{report}" cannot be written: {error.strerror}', "choose another path"
        ) from None
