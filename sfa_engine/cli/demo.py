"""`sfa demo`: the engine in processes of its own, played over its control socket."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs

from sfa_engine.audio import device as devices
from sfa_engine.audio.media import DESCRIPTION, read_bundle
from sfa_engine.cli import config as configuration
from sfa_engine.cli import screen
from sfa_engine.cli.backstage import backstage
from sfa_engine.cli.board import Board, follow, tracks_of
from sfa_engine.cli.folders import closed_folder, memory_path
from sfa_engine.cli.rig import spawned, wait_for
from sfa_engine.errors import DeviceError, EngineError, Refused, SfaError
from sfa_engine.studio.demo import LANES, write_grooves, write_script
from sfa_engine.studio.player import play_script
from sfa_engine.studio.script import Script, parse_script
from sfa_engine.surfaces.socket.client import SocketClient
from sfa_engine.wire import ENGINE


def run_demo(tracks: Sequence[Path], device: str | None, output: Path, *, quiet: bool) -> None:
    """Prepare two tracks, start the engine, play the demonstration, stop the engine."""
    if len(tracks) not in {0, 2}:
        raise Refused(f"the demo mixes two tracks, not {len(tracks)}", "give two, or none")
    screen.build_kernel(quiet=quiet)
    cache = closed_folder(platformdirs.user_cache_path("sfa")) / "demo"
    cache.mkdir(exist_ok=True)
    first, second = _theirs(tracks, quiet=quiet) if tracks else _ours(cache, quiet=quiet)
    text = write_script(first, second)
    (cache / "demo.mix").write_text(text)
    script = parse_script(text)
    name = device or _device()
    live = not name.startswith(devices.FILE_PREFIX)
    if not live:
        output = Path(name.removeprefix(devices.FILE_PREFIX) or output)
        name = devices.FILE_PREFIX + str(output.resolve())
    with _engine(name) as socket, SocketClient(socket) as client:
        heard = client.call("status")["engine"]["device"]
        where = f"on {heard}" if live else f"into {output}"
        with screen.progress_bar(f"mixing {where}", quiet=quiet) as bar:
            play_script(client, script, lambda s: bar(s / script.end_s), wait=live)
        status = client.call("status")
    if not live:
        _picture(output, script)
        print(f"{output} and {output.with_suffix('.png')}: {script.end_s:.0f} s, by the engine")
    elif name == devices.TIMER_NAME:
        print("played on a timer: nothing was heard, for there is no sound device")
    print(f"the script of this mix is {cache / 'demo.mix'}; change it and `sfa render` it")
    if not tracks:
        title = shlex.quote(read_bundle(first).track.title)
        print(f"both tracks are in the library: `sfa start`, then `sfa load 1 {title}`")
    late = f", late {status['engine']['late']}" if live else ""  # nobody waits for a file
    print(f"blocks {status['engine']['blocks']}{late}")


def _device() -> str:
    """Return the device to play on, or the file's prefix where there is none."""
    audio = configuration.load_config().audio
    try:
        devices.choose(devices.Wish(audio.device))
    except DeviceError:
        return devices.FILE_PREFIX
    return audio.device


def _ours(cache: Path, *, quiet: bool) -> tuple[Path, Path]:
    """Return the bundles of our own grooves, prepared into the library as any track is."""
    with screen.progress_bar("composing two grooves", quiet=quiet) as bar:
        folders = write_grooves(cache, lambda name, part: bar(part, f"composing {name}"))
    with backstage() as client:
        return _prepared(client, folders, quiet=quiet)


def _theirs(tracks: Sequence[Path], *, quiet: bool) -> tuple[Path, Path]:
    """Return the bundles of the user's tracks, prepared into the library where they are not yet."""
    for track in tracks:
        if not track.exists():
            raise Refused(f'there is no file or folder "{track}"', "give two tracks, or none")
    with backstage() as client:
        return _prepared(client, [track.absolute() for track in tracks], quiet=quiet)


def _prepared(client: SocketClient, tracks: Sequence[Path], *, quiet: bool) -> tuple[Path, Path]:
    """Have two tracks prepared, and return their bundles."""
    bundles = []
    for track in tracks:
        if (track / DESCRIPTION).exists():
            bundles.append(track)
            continue
        batch = client.call("prep.add", sources=[str(track)])["batch"]
        client.call("jobs.watch", batch=batch)
        with Board(quiet=quiet) as board:
            follow(client, batch, board)
        found = list(tracks_of(client, batch))
        if len(found) != 1:
            raise Refused(f'"{track}" is {len(found)} tracks', "name one track, or its stems")
        bundles.append(Path(client.call("library.find", words=f"#{found[0]['id']}")["bundle"]))
    return bundles[0], bundles[1]


@contextmanager
def _engine(device: str) -> Iterator[Path]:
    """Run an engine of the demo's own, beside any that runs already; yield its socket."""
    with tempfile.TemporaryDirectory(prefix="sfa-demo-", dir=memory_path()) as folder:
        runtime = Path(folder)
        log = runtime / "start.log"
        command = [sys.executable, "-m", "sfa_engine.cli.main", "start", "--device", device]
        command.append("--no-backstage")
        apart = {"SFA_RUNTIME": folder, "XDG_DATA_HOME": folder}  # its cues are nobody's marks
        with spawned(command, apart, log) as parent:
            socket = runtime / ENGINE
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


def _picture(output: Path, script: Script) -> None:
    """Draw the mix and what was done to it, beside its sound."""
    import soundfile

    from sfa_engine.studio.picture import draw_mix

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
    draw_mix(output.with_suffix(".png"), audio[:, :2], rate, lanes, marks, "Sound Forge Alchemy")
