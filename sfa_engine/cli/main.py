"""The ``sfa`` command."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from sfa_engine import __version__
from sfa_engine.cli import analyze, secret, separate, tracks, usage
from sfa_engine.cli import config as configuration
from sfa_engine.cli import jobs as job_commands
from sfa_engine.cli import library as library_commands
from sfa_engine.cli import prep as preparing
from sfa_engine.cli import spotify as spotify_commands
from sfa_engine.cli.tracks import connect
from sfa_engine.errors import EngineError, Refused, SfaError, did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])
SPELLINGS = {"analyse": "analyze"}  # that are taken too, and not listed
RATE = click.IntRange(*configuration.RATES_HZ)


class Group(click.Group):
    """A group whose errors are one line: ours, and those of a wrong command line."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, context: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(context)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        return super().get_command(context, SPELLINGS.get(name, name))


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Write an error of the block as one line, and end with its status."""
    try:
        yield
    except SfaError as error:
        raise click.exceptions.Exit(_complain(error, 1)) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise click.exceptions.Exit(_complain(usage.refusal_of(error), usage.STATUS)) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None


def _complain(error: SfaError, status: int) -> int:
    from sfa_engine.cli.screen import complain

    complain(error)
    return status


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _complete_control(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a control's name from the desk, with its sentence beside it."""
    from sfa_engine.desk import CONTROLS, Button, Meter

    verb = context.info_name
    fits: dict[str | None, Callable[[Any], bool]] = {
        "set": lambda c: c.settable,
        "press": lambda c: isinstance(c, Button),
        "get": lambda c: c.settable or isinstance(c, Meter),
        "watch": lambda c: c.settable or isinstance(c, Meter),
    }
    fit = fits.get(verb, lambda _: True)
    return [
        CompletionItem(path, help=control.sentence)
        for path, control in CONTROLS.items()
        if path.startswith(incomplete) and not control.planned and fit(control)
    ]


def _moment(_: click.Context, __: click.Parameter, words: str | None) -> str | int | None:
    """Return a moment as the protocol has it: a word, or an engine frame as a number."""
    return int(words) if words is not None and words.isdecimal() else words


def _when_option(command: Command) -> Command:
    return click.option(
        "--at", "when", callback=_moment,
        help="beat, bar or phrase, of the session or `bar deck1`; or an engine frame.",
    )(command)  # fmt: skip


def _device_option(command: Command) -> Command:
    return click.option(
        "--device", metavar="NAME", help="Name or number, `none` for a timer, `file:NAME.wav`."
    )(command)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sfa")
def main() -> None:
    """Sound Forge Alchemy: a headless stem-performance engine.

    Start with `sfa demo`, or `sfa start` and then `sfa status --watch`.
    """
    # Else the programs that are started would take modules from the folder one is in.
    os.environ["PYTHONSAFEPATH"] = "1"


# ---------------------------------------------------------------------- engine


@main.command()
@_device_option
@click.option("--rate", type=RATE, help="Frames a second; the device's own if left out.")
@click.option("--block", type=click.IntRange(16, 8192), help="Frames a block; JACK has its own.")
@click.option("--channels", type=click.Choice(["2", "4"]), help="4 has headphones on 3 and 4.")
@click.option("--no-backstage", is_flag=True, help="Perform only: no library, no preparation.")
def start(
    device: str | None,
    rate: int | None,
    block: int | None,
    channels: str | None,
    no_backstage: bool,
) -> None:
    """Start the engine here, and watch over it until Ctrl-C or `sfa stop`."""
    from dataclasses import replace

    from sfa_engine.cli import screen
    from sfa_engine.cli.supervise import Supervisor
    from sfa_engine.cli.verdict import tell_health

    audio = configuration.load_config().audio
    audio = replace(
        audio,
        device=audio.device if device is None else device,
        rate=audio.rate if rate is None else rate,
        block=block or audio.block,
        channels=int(channels or audio.channels),
    )
    runtime = configuration.runtime_path()
    screen.build_kernel()

    def say(line: str) -> None:
        screen.errors.print(line, highlight=False, markup=False, soft_wrap=True)

    supervisor = Supervisor(runtime, audio, say, backstage=not no_backstage)
    say(f"engine starting in {runtime}; Ctrl-C or `sfa stop` ends it")
    supervisor.run(lambda: tell_health(runtime, say))


@main.command()
def stop() -> None:
    """Stop the engine."""
    from sfa_engine.cli.supervise import stop_all

    if not stop_all(configuration.runtime_path(), click.echo):
        raise EngineError("the engine is not running")


@main.command()
@click.option("--watch", "-w", is_flag=True, help="Stay, and show it live.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(watch: bool, as_json: bool) -> None:
    """Show what plays, and how the engine is."""
    from sfa_engine.cli import screen

    with connect() as client:
        if as_json and not watch:
            _print_json(client.call("status"))
        elif as_json:
            while True:
                click.echo(json.dumps(client.call("status")))
                time.sleep(0.5)
        elif not watch:
            screen.console.print(screen.status_view(client.call("status")))
        else:
            from rich.live import Live

            view = screen.status_view(client.call("status"))
            try:
                with Live(view, console=screen.console, refresh_per_second=15) as live:
                    while True:
                        time.sleep(1 / 15)
                        live.update(screen.status_view(client.call("status")))
            except KeyboardInterrupt:
                pass


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def health(as_json: bool) -> None:
    """Say how the engine is, in one word and its reasons; exit 0 only when it plays well."""
    try:
        with connect() as client:
            said = client.call("health")
    except EngineError as error:
        said = {"health": "down", "reasons": [str(error)]}
    if as_json:
        _print_json(said)
    else:
        click.echo(said["health"])
        for reason in said["reasons"]:
            click.echo(f"  {reason}")
    raise click.exceptions.Exit({"ok": 0, "strained": 0, "poor": 2, "down": 3}[said["health"]])


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def devices(as_json: bool) -> None:
    """List the sound devices."""
    from dataclasses import asdict

    from sfa_engine.audio.device import devices as list_devices

    found = list_devices()
    if as_json:
        _print_json([asdict(device) for device in found])
        return
    for d in found:
        click.echo(f"{d.index:3d}  {d.name}  ({d.system}, {d.channels} out, {d.rate:g} Hz)")
    if not found:
        click.echo("no sound device; `--device none` runs the engine on a timer")


# ---------------------------------------------------------------------- desk


@main.command()
@click.argument("path", shell_complete=_complete_control)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def get(path: str, as_json: bool) -> None:
    """Show a control's value, or a reading."""
    with connect() as client:
        said = client.call("get", path=path)
    _print_json(said) if as_json else click.echo(said["text"])


@main.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_complete_control)
@click.argument("value")
@_when_option
def set_(path: str, value: str, when: str | int | None) -> None:
    """Set a control: `sfa set deck1.stem.vocals.volume -6`."""
    with connect() as client:
        said = client.call("set", path=path, value=value, when=when)
    click.echo(said["text"])


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("path", shell_complete=_complete_control)
@click.argument("value", required=False)
@_when_option
def press(path: str, value: str | None, when: str | int | None) -> None:
    """Press a button: `sfa press deck1.hotcue1.press`."""
    with connect() as client:
        client.call("press", path=path, value=value, when=when)


@main.command()
@click.argument("paths", nargs=-1, required=True, shell_complete=_complete_control)
@click.option("--rate", default=10.0, show_default=True, help="Times a second, at most.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def watch(paths: tuple[str, ...], rate: float, as_json: bool) -> None:
    """Show what changes: `sfa watch 'deck1.*'`."""
    from sfa_engine.desk import find

    def show(values: dict[str, float]) -> None:
        if as_json:
            click.echo(json.dumps(values))
            return
        for path, value in values.items():
            click.echo(f"{path}  {find(path).text(value)}")

    with connect() as client:
        show(client.call("watch", paths=list(paths), rate_hz=rate)["values"])
        try:
            for _, said in client.notices():
                show(said["values"])
        except KeyboardInterrupt:
            pass


@main.command()
@click.argument("pattern", default="*")
@click.option("--planned", is_flag=True, help="Only what is declared and not built yet.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def describe(pattern: str, planned: bool, as_json: bool) -> None:
    """List the controls: `sfa describe 'deck1.eq.*'`."""
    import fnmatch

    from sfa_engine.desk import CONTROLS

    found = [c for p, c in CONTROLS.items() if fnmatch.fnmatchcase(p, pattern)]
    found = [c for c in found if c.planned or not planned]
    if not found:
        raise Refused(f'no control fits "{pattern}"', did_you_mean(pattern, CONTROLS))
    if as_json:
        _print_json(
            [
                {"path": c.path, "kind": c.kind, "sentence": c.sentence, "planned": c.planned}
                for c in found
            ]
        )
        return
    width = max(len(c.path) for c in found)
    for c in found:
        note = " (planned)" if c.planned and not planned else ""
        click.echo(f"{c.path:{width}}  {c.kind:6}  {c.sentence}{note}")


# ---------------------------------------------------------------------- tracks

for _command in (
    *(tracks.load, tracks.eject, tracks.bundle),
    *(preparing.prep, job_commands.jobs, library_commands.library, spotify_commands.spotify),
    *(analyze.analyze, separate.separate, secret.secret),
):
    main.add_command(_command)


# ---------------------------------------------------------------------- offline


@main.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--rate", type=RATE, default=48_000, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def render(script: Path, output: Path, rate: int, quiet: bool, as_json: bool) -> None:
    """Render a script of a mix into a file, faster than real time."""
    from sfa_engine.audio.build import provenance
    from sfa_engine.cli import screen
    from sfa_engine.studio.render import perform, write_wav
    from sfa_engine.studio.script import parse_script

    try:
        text = script.read_text()
    except OSError as error:
        raise Refused(f"{script} cannot be read: {error.strerror}", "name a script") from None
    except UnicodeDecodeError:
        raise Refused(f"{script} is not a text", "name a script; `sfa demo` writes one") from None
    parsed = parse_script(text, script.resolve().parent)
    screen.build_kernel(quiet=quiet)
    frames = round(parsed.end_s * rate)
    with screen.progress_bar("rendering", quiet=quiet) as bar:
        made_by = provenance()
        comment = "sfa-engine {version}, kernel {kernel}, CPU {cpu}".format(**made_by)
        peak = write_wav(output, perform(parsed, rate), rate, frames, bar, comment=comment)
    if as_json:
        _print_json({"file": str(output), "frames": frames, "peak": peak, **made_by})
    else:
        click.echo(f"{output}: {parsed.end_s:.1f} s, peak {_decibels(peak)}")


def _decibels(peak: float) -> str:
    import math

    return f"{20 * math.log10(peak):.1f} dB" if peak > 0 else "silence"


@main.command()
@click.argument("tracks", nargs=-1, type=click.Path(path_type=Path))
@_device_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("demo.wav"), show_default=True,
    help="Where the sound goes when there is no device; a picture goes beside it.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress bars.")
def demo(
    tracks: tuple[Path, ...],
    device: str | None,
    output: Path,
    quiet: bool,
) -> None:
    """Mix two tracks for a minute: yours (files, stem folders, bundles), or two of ours.

    Without a sound device the mix is written as a file, with a picture of it.
    """
    from sfa_engine.cli.demo import run_demo

    run_demo(tracks, device, output, quiet=quiet)


# ---------------------------------------------------------------------- machine


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Check what the machine does for or against real-time sound; changes nothing."""
    from sfa_engine.cli.doctor import examine

    findings = examine()
    if as_json:
        _print_json([vars(finding) for finding in findings])
    else:
        for f in findings:
            click.echo(f"{f.verdict:5} {f.what}: {f.found}" + (f"; {f.cure}" if f.cure else ""))
    if any(f.verdict == "bad" for f in findings):
        raise click.exceptions.Exit(1)


@main.group(cls=Group)
def bench() -> None:
    """Measure the engine on this machine, against a client that does nothing."""


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--seconds", default=8.0, show_default=True, help="Of each live scene.")
@click.option("--hog-seconds", default=20.0, show_default=True, help="Under hogged interpreters.")
@click.option("--only", multiple=True, help="A part: kernel, live, hogs, latency, start, load.")
@_device_option
def engine(
    as_json: bool, seconds: float, hog_seconds: float, only: tuple[str, ...], device: str | None
) -> None:
    """Measure the audio thread, latency, start and load."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.bench import run_bench

    screen.build_kernel(quiet=as_json)
    results = run_bench(
        seconds=seconds, hog_seconds=hog_seconds, only=only, device=device, quiet=as_json
    )
    _show_results(results, as_json=as_json)


@bench.command(name="separate")
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--set", "folder", type=click.Path(path_type=Path),
              help="Folder of true stems, or of such folders.")  # fmt: skip
@click.option("--seconds", default=120.0, show_default=True, help="Of noise, for the cost.")
@click.option("--only", multiple=True, help="An engine: embedded, sketch, demucs.")
def separate_(as_json: bool, folder: Path | None, seconds: float, only: tuple[str, ...]) -> None:
    """Measure stem separation: cost, quality, and Demucs beside its own command."""
    from sfa_engine.cli.bench_separate import run_bench

    results = run_bench(folder=folder, seconds=seconds, only=only, quiet=as_json)
    _show_results(results, as_json=as_json)


@bench.command(name="prep")
@click.option("--json", "as_json", is_flag=True, help="One object, for programs.")
@click.option("--tracks", default=100, show_default=True, help="In the queue of the crowd.")
@click.option("--engine", default="none", show_default=True, help="Of their separation.")
@click.option("--only", multiple=True, help="A part: analysis, crowd.")
@_device_option
def prep_(
    as_json: bool, tracks: int, engine: str, only: tuple[str, ...], device: str | None
) -> None:
    """Measure the analysis, and two decks that play while many tracks are prepared."""
    from sfa_engine.cli import screen
    from sfa_engine.cli.bench_prep import run_bench

    screen.build_kernel(quiet=as_json)
    results = run_bench(tracks=tracks, engine=engine, only=only, device=device, quiet=as_json)
    _show_results(results, as_json=as_json)


def _show_results(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        _print_json({"results": results})
        return
    for r in results:
        baseline = f"  baseline {r['baseline']:.6g}" if r["baseline"] is not None else ""
        ratio = f"  ratio {r['ratio']:.3g}" if r["ratio"] is not None else ""
        click.echo(f"{r['name']:34} {r['value']:.6g} {r['unit']}{baseline}{ratio}  n={r['n']}")


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion for a shell: `eval "$(sfa completion bash)"`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "sfa", "_SFA_COMPLETE").source())


if __name__ == "__main__":
    main(prog_name="sfa")
