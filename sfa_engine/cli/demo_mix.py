"""Two tracks mixed by the engine, over its control socket or into a file."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import platformdirs

from sfa_engine.cli import screen
from sfa_engine.cli.backstage import backstage
from sfa_engine.cli.job_progress import JobProgress, follow, tracks_of
from sfa_engine.cli.render import render_script
from sfa_engine.demo.demo import LANES, write_grooves, write_script
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
    cache = closed_folder(platformdirs.user_cache_path("sfa")) / "demo"
    cache.mkdir(exist_ok=True)
    first, second = _prepare(tracks, quiet=quiet) if tracks else _compose(cache, quiet=quiet)
    text = write_script(first, second)
    (cache / "demo.mix").write_text(text)
    script = parse_script(text)
    device = "" if output else device or _find_device()
    if device:
        _play(script, device, quiet=quiet)
    else:
        _render(script, output or Path("demo.wav"), quiet=quiet)
    click.echo(f"the script of this mix is {cache / 'demo.mix'}; change it and `sfa render` it")
    if not tracks:
        title = shlex.quote(read_bundle(first).track.title)
        click.echo(f"both tracks are in the library: `sfa start`, then `sfa load 1 {title}`")


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


def _render(script: Script, output: Path, *, quiet: bool) -> None:
    """Render a script into a file, and draw it."""
    render_script(script, output, RATE, quiet=quiet)
    files = str(output)
    if find_spec("matplotlib") is not None:
        files += f" and {_draw(output, script)}"
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


def _compose(cache: Path, *, quiet: bool) -> tuple[Path, Path]:
    """Return the bundles of our own grooves, prepared into the library as any track is."""
    with screen.progress_bar("composing two grooves", quiet=quiet) as bar:
        folders = write_grooves(cache, lambda name, part: bar(part, f"composing {name}"))
    return _prepare(folders, quiet=quiet)


def _prepare(tracks: Sequence[Path], *, quiet: bool) -> tuple[Path, Path]:
    """Return the bundles of two tracks, prepared into the library where they are not yet."""
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
    return bundles[0], bundles[1]


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


def _draw(output: Path, script: Script) -> Path:
    """Draw the mix and its script into a picture beside its sound; return its path."""
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
    marks = [(e.time_s, e.path) for e in script.events if e.verb == "mark"]
    picture = output.with_suffix(".png")
    draw_mix(picture, audio[:, :2], rate, lanes, marks, "Sound Forge Alchemy")
    return picture
