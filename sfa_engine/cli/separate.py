"""`sfa separate`: stems of sound files, each made by a worker program of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli.bundle import check_free
from sfa_engine.cli.terminal import print_error, print_json_line
from sfa_engine.errors import Refused, SfaError
from sfa_engine.run import config as configuration
from sfa_engine.run.folders import PRIVATE_UMASK

WORKER = "sfa_engine.prep.separate"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-m", "--model", default=None, help="htdemucs, htdemucs_ft, htdemucs_6s, mdx_extra, "
              "one of your folder; embedded; sketch; lalalai:vocals,drums.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for a folder each.")
@click.option("--engine", help="auto, demucs, embedded, sketch or lalalai.")
@click.option("--bundle", is_flag=True, help="Make NAME.sfa in that folder instead of files.")
@click.option("--replace", is_flag=True, help="Replace an existing bundle.")
@click.option("--format", "form", default="wav", show_default=True, help="wav (float) or flac.")
@click.option("--preview", "preview_s", type=float, default=0.0, metavar="SECONDS",
              help="Only so much, from where most goes on.")  # fmt: skip
@click.option("--models", type=click.Path(path_type=Path), help="Folder of Demucs's weights.")
@click.option("--device", help="auto, cpu, cuda or mps.")
@click.option("--rate", type=int, help="Hz of the stems; the library's if left out.")
@click.option("--fetch", is_flag=True, help="Download weights that are missing.")
@click.option("--json", "as_json", is_flag=True, help="One object a file, a line each.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def separate(
    files: tuple[Path, ...],
    model: str | None,
    output: Path | None,
    engine: str | None,
    bundle: bool,
    replace: bool,
    form: str,
    preview_s: float,
    models: Path | None,
    device: str | None,
    rate: int | None,
    fetch: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Separate sound files into stems that sum to the original.

    Without a model: htdemucs if its weights are at hand, else a sketch.
    """
    from sfa_engine.cli import screen
    from sfa_engine.cli.run_worker import run_worker

    settings = configuration.load_config()
    chosen = settings.separation
    if model or engine:  # options replace the configuration as a whole
        engine, model = engine or "auto", model or ""
    request: dict[str, Any] = {
        "engine": chosen.engine if engine is None else engine,
        "model": chosen.model if model is None else model,
        "models_folder": str(models or chosen.models),
        "device": device or chosen.device,
        "url": chosen.lalalai_url,
        "rate": rate or settings.library.rate,
        "preview_s": preview_s,
        "fetch": fetch,
        "format": form,
    }
    if bundle:
        request["pcm"] = settings.library.pcm
        folder = output or configuration.library_path(settings)
    else:
        folder = output or Path()
    targets = _targets(files, folder, ".sfa" if bundle else "")
    if bundle:
        if output is None:
            os.umask(PRIVATE_UMASK)
            configuration.private_data_path()
        for target in targets:
            check_free(settings, target, replace=replace)
    failed = 0
    for file, target in zip(files, targets, strict=True):
        target_of = {"bundle" if bundle else "out": str(target)}
        try:
            with screen.progress_bar(file.name, quiet=quiet) as bar:
                result = run_worker(WORKER, request | {"path": str(file)} | target_of, bar)
        except SfaError as error:
            failed += 1
            print_error(error)
            continue
        if as_json:
            print_json_line({"file": str(file), **result})
        else:
            click.echo(f"{target}: {_in_words(result, preview=preview_s > 0.0)}")
    if failed:
        raise click.exceptions.Exit(1)


def _targets(files: tuple[Path, ...], folder: Path, suffix: str) -> list[Path]:
    """Return the folder of each file's stems; refuse two files with one folder."""
    targets = [folder / f"{file.stem}{suffix}" for file in files]
    for target in targets:
        if targets.count(target) > 1:
            raise Refused(
                f'"{target}" would hold the stems of {targets.count(target)} files',
                "separate them into different folders",
            )
    return targets


def _in_words(result: dict[str, Any], *, preview: bool) -> str:
    """Return a separation as one line of text."""
    seconds = result["frames"] / result["rate"]
    said = [f"{', '.join(result['stems'])}, {seconds:.1f} s"]
    if preview:
        said[0] += f" from {result['start_s']:.0f} s on"
    said.append(" ".join(dict.fromkeys([result["engine"], result["model"]])))
    if result["words"]:
        said.append(result["words"])
    if "quota" in result:
        said.append(
            f"{result['quota']['left_min']:g} minutes were left ({result['quota']['plan']})"
        )
    return "; ".join(said)
