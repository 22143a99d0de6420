"""Our demonstrations, mixed by the engine, over its control socket or into a file."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import platformdirs

from sfa_engine.cli import screen
from sfa_engine.cli.backstage import backstage
from sfa_engine.cli.job_progress import JobProgress, follow, tracks_of
from sfa_engine.cli.render import render_script
from sfa_engine.demo.demo import GROOVES, LANES, write_grooves, write_script
from sfa_engine.demo.long_demo import GROOVES as LONG_GROOVES
from sfa_engine.demo.long_demo import SCRIPT, Watch, long_script, script_path
from sfa_engine.errors import DeviceError, EngineError, Refused, SfaError
from sfa_engine.host import device as devices
from sfa_engine.run import config as configuration
from sfa_engine.run.folders import closed_folder, memory_path
from sfa_engine.script.player import play_script
from sfa_engine.script.script import Script, parse_script
from sfa_engine.system.child import spawned, wait_for
from sfa_engine.system.runtime_files import ENGINE_SOCKET
from sfa_engine.track.media import MANIFEST, read_bundle
from sfa_engine.wire.blocking import SocketClient

RATE = 48_000  # of the mix where it is rendered


def run_demo(
    tracks: Sequence[Path], device: str | None, output: Path | None, *, quiet: bool
) -> None:
    """Prepare two tracks, write the script of their mix, and play or render it."""
    if len(tracks) not in {0, 2}:
        raise Refused(f"the demo mixes two tracks, not {len(tracks)}", "give two, or none")
    screen.build_kernel(quiet=quiet)
    cache = _cache()
    if tracks:
        first, second = _prepare(tracks, quiet=quiet)
    else:
        first, second = _compose(cache, GROOVES, quiet=quiet)
    text = write_script(first, second)
    (cache / "demo.mix").write_text(text)
    script = parse_script(text)
    if device := "" if output else device or _find_device():
        _play(script, device, quiet=quiet)
    else:
        _render(script, output or Path("demo.wav"), partial(_draw_mix, script), quiet=quiet)
    click.echo(f"the script of this mix is {cache / 'demo.mix'}; change it and `sfa render` it")
    if not tracks:
        _say_loadable(first, "both")


def run_long_demo(
    tracks: Sequence[Path], device: str | None, output: Path | None, *, quiet: bool
) -> None:
    """Prepare the tracks of the long set, and play or render it."""
    if tracks:
        raise Refused(
            "the long demo is written for tracks of its own",
            "leave yours out; `sfa demo TRACK TRACK` mixes them",
        )
    text = script_path().read_text()
    screen.build_kernel(quiet=quiet)
    cache = _cache()
    bundles = _compose(cache, LONG_GROOVES, quiet=quiet)
    script = long_script(text, {read_bundle(path).track.title: path for path in bundles})
    (cache / SCRIPT).write_text(text)
    if device := "" if output else device or _find_device():
        _play(script, device, quiet=quiet)
    else:
        watch = Watch()
        draw = partial(_draw_set, script, watch)
        _render(script, output or Path("long-demo.wav"), draw, watch, quiet=quiet)
    click.echo(f"the script of this set is {cache / SCRIPT}; change it and `sfa render` it")
    _say_loadable(bundles[0], "all")


def _cache() -> Path:
    """Return the folder of the demo's tracks and scripts."""
    cache: Path = closed_folder(platformdirs.user_cache_path("sfa")) / "demo"
    cache.mkdir(exist_ok=True)
    return cache


def _say_loadable(bundle: Path, how_many: str) -> None:
    title = shlex.quote(read_bundle(bundle).track.title)
    click.echo(f"{how_many} tracks are in the library: `sfa start`, then `sfa load 1 {title}`")


def _play(script: Script, device: str, *, quiet: bool) -> None:
    """Play a script on an engine of its own."""
    with _engine(device) as socket, SocketClient(socket) as client:
        opened = client.call("status")["engine"]["device"]
        with screen.progress_bar(f"mixing on {opened}", quiet=quiet) as bar:
            play_script(client, script, lambda s: bar(s / script.end_s))
        engine = client.call("status")["engine"]
    if device == devices.TIMER_NAME:
        click.echo("played on a timer: without a sound device nothing is heard")
    click.echo(f"blocks {engine['blocks']}, late {engine['late']}")


def _render(
    script: Script,
    output: Path,
    draw: Callable[[Path, Path], None],
    watch: Watch | None = None,
    *,
    quiet: bool,
) -> None:
    """Render a script into a file, and draw it beside it if matplotlib is installed."""
    render_script(script, output, RATE, quiet=quiet, watch=watch)
    files = str(output)
    if find_spec("matplotlib") is not None:
        picture = output.with_suffix(".png")
        draw(output, picture)
        files += f" and {picture}"
    click.echo(f"{files}: {script.end_s:.0f} s, by the engine")
    if find_spec("matplotlib") is None:
        click.echo("for a picture of the mix: pip install 'sfa-engine[demo]'", err=True)


def _find_device() -> str:
    """Return the configured device if it can be opened, else an empty name."""
    audio = configuration.load_config().audio
    try:
        devices.choose(devices.DeviceRequest(audio.device))
    except DeviceError:
        return ""
    return audio.device


def _compose(cache: Path, names: Sequence[str], *, quiet: bool) -> list[Path]:
    """Return the bundles of our own grooves, prepared into the library as any track is."""
    with screen.progress_bar("composing grooves", quiet=quiet) as bar:
        folders = write_grooves(cache, names, lambda name, part: bar(part, f"composing {name}"))
    return _prepare(folders, quiet=quiet)


def _prepare(tracks: Sequence[Path], *, quiet: bool) -> list[Path]:
    """Return the bundles of tracks, prepared into the library where they are not yet."""
    for track in tracks:
        if not track.exists():
            raise Refused(f'no file or folder "{track}"', "give two tracks, or none")
    bundles = []
    with backstage() as client:
        for track in map(Path.absolute, tracks):
            if (track / MANIFEST).exists():
                bundles.append(track)
                continue
            batch = client.call("prep.add", sources=[str(track)])["batch"]
            client.call("jobs.watch", batch=batch)
            with JobProgress(quiet=quiet) as progress:
                follow(client, batch, progress)
            found = list(tracks_of(client, batch))
            if len(found) != 1:
                raise Refused(f'"{track}" is {len(found)} tracks', "name one track, or its stems")
            found_id = found[0]["id"]
            bundles.append(Path(client.call("library.find", words=f"#{found_id}")["bundle"]))
    return bundles


@contextmanager
def _engine(device: str) -> Iterator[Path]:
    """Run an engine of the demo's own, beside any that runs already; yield its socket."""
    with tempfile.TemporaryDirectory(prefix="sfa-demo-", dir=memory_path()) as folder:
        runtime = Path(folder)
        log = runtime / "start.log"
        command = [sys.executable, "-m", "sfa_engine.cli.main", "start", "--device", device]
        command.append("--no-backstage")
        apart = {"SFA_RUNTIME": folder, "XDG_DATA_HOME": folder}  # its hot cues are not kept
        with spawned(command, apart, log) as parent:
            socket = runtime / ENGINE_SOCKET
            wait_for(lambda: parent.poll() is not None or _answers(socket), "the engine")
            if parent.poll() is not None:
                words = log.read_text(errors="replace").strip().splitlines()
                raise EngineError(f"the engine did not start: {words[-1] if words else ''}")
            yield socket


def _answers(socket: Path) -> bool:
    try:
        with SocketClient(socket, timeout_s=1.0) as client:
            return bool(client.call("status")["engine"]["blocks"])
    except SfaError:
        return False


def _draw_mix(script: Script, output: Path, picture: Path) -> None:
    """Draw a mix and what its script does."""
    import soundfile

    from sfa_engine.demo.picture import draw_mix

    audio, rate = soundfile.read(output, dtype="float32", always_2d=True)
    lanes = {}
    for path in LANES:
        events = [e for e in script.events if e.path == path]
        if events:
            lanes[path] = (
                np.array([e.time_s for e in events]),
                np.array([e.value for e in events]),
            )
    draw_mix(picture, audio[:, :2], rate, lanes, _marks(script), "Sound Forge Alchemy")


def _draw_set(script: Script, watch: Watch, output: Path, picture: Path) -> None:
    """Draw a set and what its decks did."""
    import soundfile

    from sfa_engine.demo.set_picture import draw_set

    audio, rate = soundfile.read(output, dtype="float32", always_2d=True)
    title = "Sound Forge Alchemy: the long demo"
    draw_set(picture, audio[:, :2], rate, watch.curves(), watch.titles, _marks(script), title)


def _marks(script: Script) -> list[tuple[float, str]]:
    return [(e.time_s, e.path) for e in script.events if e.verb == "mark"]
