"""`sfa separate`: stems of sound files, each made by a worker program of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from sfa_engine.cli import config as configuration
from sfa_engine.cli.folders import PRIVATE_UMASK
from sfa_engine.cli.terminal import complain, print_json_line
from sfa_engine.cli.tracks import check_free
from sfa_engine.errors import Refused, SfaError

WORKER = "sfa_engine.prep.separate"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-m", "--model", default=None, help="htdemucs, htdemucs_ft, htdemucs_6s, mdx_extra, "
              "one of your folder; embedded; sketch; lalalai:vocals,drums.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for a folder each.")
@click.option("--engine", help="auto, demucs, embedded, sketch or lalalai.")
@click.option("--bundle", is_flag=True, help="Make NAME.sfa in that folder instead of files.")
@click.option("--replace", is_flag=True, help="Also where there is a bundle already.")
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
    from sfa_engine.cli.errand import ask

    settings = configuration.load_config()
    chosen = settings.separation
    if model or engine:  # what is said here is not mixed with what is set
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
        place = {"bundle" if bundle else "out": str(target)}
        try:
            with screen.progress_bar(file.name, quiet=quiet) as bar:
                told = ask(WORKER, request | {"path": str(file)} | place, bar)
        except SfaError as error:
            failed += 1
            complain(error)
            continue
        if as_json:
            print_json_line({"file": str(file), **told})
        else:
            click.echo(f"{target}: {_in_words(told, preview=preview_s > 0.0)}")
    if failed:
        raise click.exceptions.Exit(1)


def _targets(files: tuple[Path, ...], folder: Path, suffix: str) -> list[Path]:
    """Return where each file's stems go; no two to one place."""
    targets = [folder / f"{file.stem}{suffix}" for file in files]
    for target in targets:
        if targets.count(target) > 1:
            raise Refused(
                f'"{target}" would hold the stems of {targets.count(target)} files',
                "separate them into different folders",
            )
    return targets


def _in_words(told: dict[str, Any], *, preview: bool) -> str:
    """Return what came out, in a line."""
    seconds = told["frames"] / told["rate"]
    said = [f"{', '.join(told['stems'])}, {seconds:.1f} s"]
    if preview:
        said[0] += f" from {told['start_s']:.0f} s on"
    said.append(" ".join(dict.fromkeys([told["engine"], told["model"]])))
    if told["words"]:
        said.append(told["words"])
    if "quota" in told:
        said.append(f"{told['quota']['left_min']:g} minutes were left ({told['quota']['plan']})")
    return "; ".join(said)
