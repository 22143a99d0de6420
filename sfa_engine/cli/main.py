"""The ``sfa`` command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfa_engine import __version__
from sfa_engine.cli import RATES_HZ, terminal, tracks
from sfa_engine.cli.folders import PRIVATE_UMASK, runtime_path
from sfa_engine.cli.terminal import print_json, print_json_line
from sfa_engine.cli.tracks import connect
from sfa_engine.errors import EngineError, Refused, SfaError

if TYPE_CHECKING:
    from rich.console import RenderableType

Command = TypeVar("Command", bound=Callable[..., Any])
SPELLINGS = {"analyse": "analyze"}  # that are taken too, and not listed
# Commands in modules of their own, which are imported when they are called.
ELSEWHERE = {
    name: f"sfa_engine.cli.{name}"
    for name in ("analyze", "jobs", "library", "log", "prep", "secret", "separate", "spotify")
} | dict.fromkeys(("describe", "get", "press", "set", "watch"), "sfa_engine.cli.controls")
RATE = click.IntRange(*RATES_HZ)
COMPLETE = "_SFA_COMPLETE"  # set by a shell that asks for completions
INTERRUPTED = 130  # status after Ctrl-C, as shells have it: 128 + SIGINT


class Group(click.Group):
    """A group whose errors are one line: ours, and those of a wrong command line."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _in_one_line():
            return super().make_context(*args, **extra)

    def invoke(self, context: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(context)


class Main(Group):
    """The whole command: imports of its commands what is called, and prints safely."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *ELSEWHERE})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        name = SPELLINGS.get(name, name)
        if name in ELSEWHERE:
            module = import_module(ELSEWHERE[name])
            self.add_command(getattr(module, "set_" if name == "set" else name))
        command = super().get_command(context, name)
        if command is not None and context.resilient_parsing:  # a shell asks for completions
            from sfa_engine.cli.completion import attach

            attach(command)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        if COMPLETE in os.environ:
            import sfa_engine.cli.completion  # noqa: F401 - its shells take the places of click's
        with terminal.guarded():
            return super().main(*args, **extra)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Write an error of the block as one line, and end with its status."""
    try:
        yield
    except terminal.OutputError as error:
        terminal.complain(error)
        terminal.discard_output()
        raise click.exceptions.Exit(1) from None
    except SfaError as error:
        terminal.complain(error)
        raise click.exceptions.Exit(1) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        from sfa_engine.cli import usage

        terminal.complain(usage.refusal_of(error))
        raise click.exceptions.Exit(usage.STATUS) from None
    except BrokenPipeError:
        terminal.discard_output()
        raise click.exceptions.Exit(0) from None
    except (KeyboardInterrupt, click.Abort) as error:
        # A prompt answers Ctrl-C and Ctrl-D alike, by an Abort.
        cause = error if isinstance(error, KeyboardInterrupt) else error.__context__
        interrupted = isinstance(cause, KeyboardInterrupt)
        raise click.exceptions.Exit(INTERRUPTED if interrupted else 1) from None


def _device_option(command: Command) -> Command:
    return click.option(
        "--device", metavar="NAME", help="Name or number, `none` for a timer, `file:NAME.wav`."
    )(command)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
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
    from sfa_engine.cli.config import load_config
    from sfa_engine.cli.supervise import Supervisor
    from sfa_engine.cli.verdict import tell_health

    os.umask(PRIVATE_UMASK)  # its children have it from here
    audio = load_config().audio
    audio = replace(
        audio,
        device=audio.device if device is None else device,
        rate=audio.rate if rate is None else rate,
        block=block or audio.block,
        channels=int(channels or audio.channels),
    )
    runtime = runtime_path()
    screen.build_kernel()

    def say(line: str) -> None:
        with suppress(terminal.OutputError):  # who started it has closed the terminal
            screen.errors.print(line, highlight=False, markup=False, soft_wrap=True)

    supervisor = Supervisor(runtime, audio, say, backstage=not no_backstage)
    say(f"engine starting in {runtime}; Ctrl-C or `sfa stop` ends it")
    supervisor.run(lambda: tell_health(runtime, say))


@main.command()
def stop() -> None:
    """Stop the engine."""
    from sfa_engine.cli.supervise import stop_all

    if not stop_all(runtime_path(), click.echo):
        raise EngineError("the engine is not running")


@main.command()
@click.option("--watch", "-w", is_flag=True, help="Stay, and show it live.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(watch: bool, as_json: bool) -> None:
    """Show what plays, and how the engine is."""
    from sfa_engine.cli import screen

    with connect() as client:
        if as_json and not watch:
            print_json(client.call("status"))
        elif as_json:
            while True:
                print_json_line(client.call("status"))
                time.sleep(0.5)
        elif not watch:
            screen.console.print(screen.status_view(client.call("status"), screen.console.width))
        else:
            from rich.live import Live

            def view() -> RenderableType:
                return screen.status_view(client.call("status"), screen.console.width)

            with Live(view(), console=screen.console, refresh_per_second=15) as live:
                while True:
                    time.sleep(1 / 15)
                    live.update(view())


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
        print_json(said)
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
        print_json([asdict(device) for device in found])
        return
    for d in found:
        click.echo(f"{d.index:3d}  {d.name}  ({d.system}, {d.channels} out, {d.rate:g} Hz)")
    if not found:
        click.echo("no sound device; `--device none` runs the engine on a timer")


# ---------------------------------------------------------------------- tracks

for _command in (tracks.load, tracks.eject, tracks.bundle):
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
    from sfa_engine.cli import config as configuration
    from sfa_engine.cli import screen
    from sfa_engine.library.places import Places
    from sfa_engine.studio.bundles import with_bundles
    from sfa_engine.studio.render import perform, write_wav
    from sfa_engine.studio.script import parse_script

    try:
        text = script.read_text()
    except OSError as error:
        raise Refused(f"{script} cannot be read: {error.strerror}", "name a script") from None
    except UnicodeDecodeError:
        raise Refused(f"{script} is not a text", "name a script; `sfa demo` writes one") from None
    config = configuration.load_config()
    places = Places(configuration.data_path(), configuration.library_path(config))
    parsed = with_bundles(parse_script(text, script.resolve().parent), places)
    screen.build_kernel(quiet=quiet)
    frames = round(parsed.end_s * rate)
    with screen.progress_bar("rendering", quiet=quiet) as bar:
        made_by = provenance()
        comment = "sfa-engine {version}, kernel {kernel}, CPU {cpu}".format(**made_by)
        peak = write_wav(output, perform(parsed, rate), rate, frames, bar, comment=comment)
    if as_json:
        print_json({"file": str(output), "frames": frames, "peak": peak, **made_by})
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
        print_json([vars(finding) for finding in findings])
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
        print_json({"results": results})
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

    import sfa_engine.cli.completion  # noqa: F401 - ours take the places of click's

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "sfa", COMPLETE).source())


if __name__ == "__main__":
    main(prog_name="sfa")
