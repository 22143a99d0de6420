"""The audio process: owns the device, the engine's memory and the PCM, and outlives everybody.

It goes on playing whatever happens to the others. What needs files or devices is asked of it
on a socket, one JSON line each way; everything else goes by the command ring.

::

    main thread     watches that the device still asks for blocks
    asked threads   one a connection: load, eject, info, quit
    resume threads  one a deck, for what the host before us had on it
    graph thread    watches the links of our outputs, and the rate of JACK's or PipeWire's graph
    follow thread   looks what the bundles on the decks say anew
    fill threads    one a track being read
    audio thread    PortAudio's, JACK's or the timer's: machine code only
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from sfa_engine import log
from sfa_engine.audio import build, device, jack, realtime
from sfa_engine.audio.device import Driver, File, Stream, Timer, Wish
from sfa_engine.audio.graph import Watch
from sfa_engine.audio.layout import DECKS, LATENCY
from sfa_engine.audio.loader import Loader, Mounted
from sfa_engine.audio.lock import take_lock
from sfa_engine.audio.media import DESCRIPTION, Bundle, deck_cues, read_bundle
from sfa_engine.audio.memory import Memory
from sfa_engine.audio.rack import Rack
from sfa_engine.audio.reception import Reception, in_words
from sfa_engine.door import open_door
from sfa_engine.errors import DeviceError, EngineError, Refused, SfaError

MEMORY = "engine.memory"
SOCKET = "host.sock"
LOCK = "host.lock"
STALLED_S = 0.3  # without a block, and without four of them: the device is gone
GRAPH_STALLED_S = 1.0  # of JACK or PipeWire: the server may stand still for a moment
SERVER_GONE_S = 0.15  # without a block, if the server answers no more
MAX_STEP_S = 0.1  # that a look counts: if the whole machine stood still, we did too
RETRY_S = 1.0  # between two looks for the device that was asked for
AGAIN_S = 0.3  # that a device waits for the tracks of the host before us
FOLLOW_S = 0.5  # between two looks at what the bundles on the decks say
FOLLOWED = ("title", "artist", "album", "key", "grid", "grid_by_hand", "cues", "sections")
MOST_PATH_BYTES = 1023  # of a bundle, in the engine's memory


class Host:
    """The audio process's Python side.

    Parameters
    ----------
    runtime : pathlib.Path
        Where memory and socket are.
    wish : Wish
        The device.
    """

    def __init__(self, runtime: Path, wish: Wish) -> None:
        self.runtime = runtime
        self.wish = wish
        prefix = device.FILE_PREFIX
        self._file = wish.name.removeprefix(prefix) if wish.name.startswith(prefix) else ""
        self._kernel = build.load(build.ensure())
        self._lock = take_lock(runtime / LOCK, "a host", "stop it first with `sfa stop`")
        self.locked = False
        path = runtime / MEMORY
        try:
            self.memory = Memory.open(path)
            self._adopted = int(self.memory.engine["blocks"]) > 0
        except EngineError:
            self.memory = Memory.create(path)
            self._adopted = False
        self.driver: Driver | None = None
        self.rack: Rack
        self.loader: Loader
        self._tracks: dict[int, Bundle] = {}
        self._troubles: dict[int, str] = {}
        self._followed: dict[int, tuple[int, int, int]] = {}
        self._stop = threading.Event()
        self._deck_mutex = [threading.Lock() for _ in range(DECKS)]
        self._look_at, self._watched_at = 0.0, time.monotonic()
        self._silent_s, self._blocks = 0.0, 0
        self._priority = realtime.Priority(self.memory.engine)
        self._graph = Watch(self.memory, wish.name, wish.channels, self._stop)
        self._reception = Reception(
            {
                "load": self.load,
                "eject": self.eject,
                "info": self.info,
                "advance": self.advance,
                "finish": self.finish,
                "quit": self.quit,
                "ping": self.ping,
            },
            self._stop,
        )

    # ------------------------------------------------------------------ device

    def open(self) -> None:
        """Open the device that is wished for, or the timer while that one cannot be had."""
        engine = self.memory.engine
        trouble = ""
        found = None
        if self.wish.name != device.TIMER_NAME and not self._file:
            try:
                found = device.choose(self.wish)
            except DeviceError as error:
                trouble = str(error)
        rate = device.rate_for(self.wish, found) if found else self.wish.rate
        rate = rate or float(engine["sample_rate"]) or 48_000.0
        if self._adopted:
            self._rebase(rate)
        self.rack = Rack(self.memory, rate, self.wish.channels)
        self.locked = realtime.lock_memory()
        self.loader = Loader(self.rack, lock=self.locked)
        for count in ("late", "device_misses", "reports_lost", "worst_ns", "relinked_ns"):
            engine[count] = 0
        engine["host_pid"] = os.getpid()
        engine["host_started_ns"] = time.monotonic_ns()
        engine["locked"] = self.locked
        engine["resuming"] = self._adopted
        engine["block"] = self.wish.block
        if self._adopted:
            self._load_again()
        self._drive(found, rate, trouble)

    def _drive(self, found: device.Found | None, rate: float, trouble: str) -> None:
        """Start a driver on the rack as it is."""
        engine = self.memory.engine
        if self._file:
            self._drive_file(rate)
            return
        engine["thread"] = 0  # until the first block says which it is
        stream = None
        self.rack.record["in_graph"] = found is not None and found.in_graph
        if found is not None:
            try:
                stream = Stream(self.wish, found, rate, self._kernel.stream, self.rack.address)
                stream.start()
            except DeviceError as error:
                trouble = str(error)
                stream = None
                self.rack.record["in_graph"] = 0
        driver: Driver = stream or Timer(
            self.wish, rate, self._kernel, self._kernel.stream, self.rack.address
        )
        if stream is None:
            driver.start()
        self._name_driver(driver, trouble)
        self._look_at = time.monotonic() + RETRY_S
        self._wait_for_block()
        self._silent_s = 0.0
        self._priority.ask()

    def _drive_file(self, rate: float) -> None:
        """Render into a file; whoever asks for it makes time pass."""
        user, target = self.rack.address, Path(self._file)
        driver = File(self.wish, target, rate, self._kernel.stream, user, LATENCY)
        driver.start()
        self._name_driver(driver, "")

    def _name_driver(self, driver: Driver, trouble: str) -> None:
        engine = self.memory.engine
        self.driver = self._graph.driver = driver
        engine["driver"] = driver.name.encode()
        engine["device"] = device.cut(driver.device, 119)
        engine["trouble"] = device.cut(trouble, 255)

    def _wait_for_block(self) -> None:
        engine = self.memory.engine
        give_up = time.monotonic() + 2.0
        while int(engine["fresh"]):
            if time.monotonic() > give_up:
                return  # the watch in `run` takes it from here
            time.sleep(0.0005)

    def _rebase(self, rate: float) -> None:
        """Carry positions over to a device of another rate; times stay, frames do not."""
        engine = self.memory.engine
        before = float(engine["sample_rate"])
        if before in {0.0, rate}:
            return
        frame = int(engine["emitted"])
        for transport in engine["transport"]:
            head = transport["head"][0]
            if transport["playing"]:
                gone = frame - int(head["anchor_frame"])
                head["anchor_position"] += gone * float(head["speed"])
            head["anchor_frame"] = frame
            head["speed"] *= before / rate
        engine["clock_beat"] += (frame - int(engine["clock_frame"])) * float(engine["clock_speed"])
        engine["clock_frame"] = frame
        engine["clock_speed"] *= before / rate

    def _load_again(self) -> None:
        """Mount what the host before us had on its decks, where each should be by now.

        A disk that hangs does not hold the device: what comes later is heard later.
        """
        engine = self.memory.engine
        gone_s = (time.monotonic_ns() - int(engine["monotonic_ns"])) / 1e9
        frame = int(engine["emitted"]) + gone_s * float(engine["sample_rate"])
        readers = []
        for deck, transport in enumerate(engine["transport"]):
            path = bytes(transport["bundle"])
            if not path:
                continue
            head = transport["head"][0]
            position = float(transport["position"])
            if transport["playing"]:
                since = frame - int(head["anchor_frame"])
                position = float(head["anchor_position"]) + since * float(head["speed"])
            rate = float(transport["track_rate"]) or 48_000.0
            # A second before, for a head that runs backwards or jumps into a loop.
            asked = (deck, path, position / rate - 1.0)
            readers.append(threading.Thread(target=self._resume, args=asked, daemon=True))
            readers[-1].start()
        give_up = time.monotonic() + AGAIN_S
        for reader in readers:
            reader.join(max(0.0, give_up - time.monotonic()))

    def _resume(self, deck: int, path: bytes, position_s: float) -> None:
        """Give a deck the track again that it had, unless it has another by then."""
        transport = self.memory.engine["transport"][deck]
        mounted, trouble = None, ""
        try:
            mounted, bundle = self.loader.mount_bundle(
                Path(path.decode(errors="replace")), position_s
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the other deck plays on
            trouble = str(in_words(error))
        with self._deck_mutex[deck]:
            if deck in self._tracks or bytes(transport["bundle"]) != path:
                if mounted is not None:
                    self.loader.let_go(mounted)
            elif mounted is None:
                self._troubles[deck] = trouble
                transport["bundle"] = b""
                self.loader.hand_over(deck, None)
            else:
                try:
                    self.loader.hand_over(deck, mounted, resumed=True)
                except EngineError as error:
                    self._troubles[deck] = str(error)
                else:
                    self._tracks[deck] = bundle

    def _watch(self) -> None:
        """Look whether blocks are still asked for, and for the device that was not there."""
        self.loader.free()
        self._priority.look()
        engine = self.memory.engine
        assert self.driver is not None
        if self._is_stalled() and self.driver.name == Stream.name:
            # PortAudio hangs on a server that died; a new image of ourselves does not.
            log.write("warning", "the device asks for no more blocks, restarting")
            self._begin_anew()
        if self._graph.new_rate:
            log.write("warning", f"{self._graph.new_rate}, reopening the device")
            engine["reopened_ns"] = time.monotonic_ns()
            self._begin_anew()
        waiting = self.driver.name == Timer.name and engine["trouble"] != b""
        if waiting and time.monotonic() > self._look_at:
            self._look_at = time.monotonic() + RETRY_S
            self._look_for_device()

    def _count_silence(self, step_s: float) -> None:
        """Count for how long there was no block, in looks of ours."""
        blocks = int(self.memory.engine["blocks"])
        self._silent_s = self._silent_s + min(step_s, MAX_STEP_S) if blocks == self._blocks else 0.0
        self._blocks = blocks

    def _is_stalled(self) -> bool:
        """Return whether the device was without a block for longer than one that lives may be."""
        if self._silent_s > self._patience_s():
            return True
        in_graph = bool(self.rack.record["in_graph"])
        return in_graph and self._silent_s > SERVER_GONE_S and jack.gone()

    def _patience_s(self) -> float:
        """Return how long a device that lives may be without a block."""
        engine = self.memory.engine
        stalled_s = GRAPH_STALLED_S if self.rack.record["in_graph"] else STALLED_S
        return max(stalled_s, 4.0 * int(engine["block"]) / float(engine["sample_rate"]))

    def _follow_all(self) -> None:
        """Follow every deck; a disk that hangs holds this thread and nobody else."""
        while not self._stop.wait(FOLLOW_S):
            for deck in list(self._tracks):
                # One that was moved, or is not whole: what is in memory goes on.
                with contextlib.suppress(Exception):
                    self._follow(deck)

    def _follow(self, deck: int) -> None:
        """Take what the library says anew of the track on a deck: its names, and its grid."""
        there = self._tracks.get(deck)
        if there is None:
            return
        status = (there.path / DESCRIPTION).stat()
        version = status.st_ino, status.st_ctime_ns
        if self._followed.get(deck) == (id(there), *version):
            return
        track, said = there.track, read_bundle(there.path).track
        with self._deck_mutex[deck]:
            if self._tracks.get(deck) is not there:
                return  # another was loaded meanwhile
            # of the same sound, or of stems of it that came since
            same = said.digest == track.digest or (bool(said.uuid) and said.uuid == track.uuid)
            if same and (said.frames, said.rate) == (track.frames, track.rate):
                if said.grid != track.grid and not self.loader.give_grid(deck, said.grid):
                    return  # soon
                known = {name: getattr(said, name) for name in FOLLOWED}
                self._tracks[deck] = there = replace(there, track=replace(track, **known))
            self._followed[deck] = (id(there), *version)

    @staticmethod
    def _begin_anew() -> NoReturn:
        """Become a new host in this process's place, which takes up where this one was.

        It keeps nothing open: a sound server that hangs, but lives, goes on waiting for a client
        whose sockets are there, and what asks it to be a client then waits for the server.
        """
        for handle in Path("/proc/self/fd").iterdir():
            if int(handle.name) > sys.stderr.fileno():
                with contextlib.suppress(OSError):  # the listing's own
                    os.set_inheritable(int(handle.name), False)
        log.before_exec()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

    def _look_for_device(self) -> None:
        if jack.outdated():
            log.write("info", "another sound server answers, restarting")
            self._begin_anew()
        try:
            device.rescan(self.wish.block)
            found = device.choose(self.wish)
        except DeviceError as error:
            self.memory.engine["trouble"] = device.cut(str(error), 255)
            return
        rate = device.rate_for(self.wish, found)
        if rate != float(self.rack.record["sample_rate"]):
            self._begin_anew()
        assert self.driver is not None
        self.driver.close()
        self.memory.engine["resuming"] = 1
        self.memory.engine["fresh"] = 1
        self._drive(found, rate, "")

    # ------------------------------------------------------------------ requests

    def load(
        self, deck: int, path: str, position_s: float = 0.0, until: float = math.inf
    ) -> dict[str, Any]:
        """Put a bundle on a deck; return when it can be played, the rest follows.

        Parameters
        ----------
        deck : int
            From 0.
        path : str
        position_s : float
            Where it will play.
        until : float
            When nobody waits for it any more, of `time.monotonic`: the deck stays as it is then,
            for what is on it may play.
        """
        began = time.monotonic_ns()
        try:
            whole = str(Path(path).resolve()).encode()
        except ValueError:  # a zero byte, or bytes that are no UTF-8
            raise Refused(f"{path!r:.80} cannot be a path", "give a bundle's folder") from None
        if len(whole) > MOST_PATH_BYTES:
            raise Refused(f"the path has {len(whole)} bytes", f"{MOST_PATH_BYTES} are the most")
        with self._deck_mutex[deck]:
            mounted, bundle = self.loader.mount_bundle(Path(path), position_s)
            if time.monotonic() > until:
                self.loader.let_go(mounted)
                raise EngineError(f"{path} could not be read in time", "check its disk")
            self._give(deck, mounted, position_s)
            transport = self.memory.engine["transport"][deck]
            transport["bundle"] = whole
            transport["digest"] = bundle.track.digest.encode()
            transport["track_rate"] = bundle.track.rate
            transport["track_frames"] = bundle.track.frames
            self._tracks[deck] = bundle
            self._troubles.pop(deck, None)
        took_ms = (time.monotonic_ns() - began) / 1e6
        return {"playable_ms": took_ms, **self.describe(deck)}

    def eject(self, deck: int, until: float = math.inf) -> dict[str, Any]:
        """Take a deck's track away, unless nobody waits for that any more."""
        with self._deck_mutex[deck]:
            if time.monotonic() > until:
                raise EngineError("the deck was being loaded for too long", "eject it again")
            self._give(deck, None, 0.0)
            self.memory.engine["transport"][deck]["bundle"] = b""
            self._tracks.pop(deck, None)
        return {}

    def _give(self, deck: int, mounted: Mounted | None, position_s: float) -> None:
        self.loader.hand_over(deck, mounted, position_s)
        if isinstance(self.driver, File):
            if mounted is not None:
                mounted.filled.wait()
            self.driver.nudge()
        self.loader.wait_taken(deck, mounted)

    def describe(self, deck: int) -> dict[str, Any]:
        """Return what is on a deck, in words."""
        bundle = self._tracks.get(deck)
        if bundle is None:
            return {"loaded": False, "trouble": self._troubles.get(deck, "")}
        track = bundle.track
        mounted = self.loader.on_deck(deck)
        return {
            "loaded": True,
            "path": str(bundle.path),
            "title": track.title,
            "artist": track.artist,
            "key": track.key,
            "bpm": track.grid.bpm if track.grid else None,
            "duration_s": track.frames / track.rate,
            "track_rate": track.rate,
            "stems": [stem.name for stem in track.stems],
            "digest": track.digest,
            "cues": deck_cues(track.cues),
            "trouble": mounted.trouble if mounted else "",
        }

    def info(self) -> dict[str, Any]:
        """Return how the process is, for health and status."""
        engine = self.memory.engine
        return {
            "pid": os.getpid(),
            "driver": engine["driver"].decode(),
            "device": engine["device"].decode(errors="replace"),
            "trouble": engine["trouble"].decode(errors="replace"),
            "rate": float(engine["sample_rate"]),
            "block": int(engine["block"]),
            "channels": int(engine["channels"]),
            "realtime": int(engine["realtime"]),
            "locked": self.locked and self.loader.locked,
            "decks": [self.describe(deck) for deck in range(DECKS)],
        }

    def advance(self, frames: int) -> dict[str, Any]:
        """Let time pass, where a file takes the device's place."""
        if not isinstance(self.driver, File):
            raise Refused("time passes by itself on a device", "start the engine on file:NAME.wav")
        if not isinstance(frames, int) or not 0 <= frames <= 1 << 31:
            raise Refused(f"{frames!r} frames cannot pass")
        self.driver.advance(frames)
        return {"frame": int(self.memory.engine["emitted"])}

    def finish(self) -> dict[str, Any]:
        """Close the file that takes the device's place."""
        if not isinstance(self.driver, File):
            raise Refused("there is no file to finish", "start the engine on file:NAME.wav")
        self.driver.close()
        return {}

    def ping(self) -> dict[str, Any]:
        """Return how long ago the main thread went round: requests have threads of their own."""
        return {"idle_s": time.monotonic() - self._watched_at}

    def quit(self) -> dict[str, Any]:
        """End the process after this answer."""
        self._stop.set()
        return {}

    # ------------------------------------------------------------------ life

    def run(self) -> None:
        """Play until somebody ends it."""
        path = self.runtime / SOCKET
        server = open_door(path, backlog=16)
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._priority.handle_overload()
        self.open()
        threading.Thread(target=self._reception.serve, args=(server,), daemon=True).start()
        threading.Thread(target=self._follow_all, name="follow", daemon=True).start()
        threading.Thread(target=self._graph.run, name="graph", daemon=True).start()
        woken, waker = socket.socketpair()  # by a signal, whichever thread it interrupts
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        woken.settimeout(0.05)
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                woken.recv(64)
            before_s, self._watched_at = self._watched_at, time.monotonic()
            self._count_silence(self._watched_at - before_s)
            self._watch()
        assert self.driver is not None
        self.driver.close()
        self.memory.engine["host_pid"] = 0
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def main() -> int:
    """Run the audio process; the ``sfa`` command starts it."""
    parser = argparse.ArgumentParser(prog="sfa-host", description=main.__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--device", default="default")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--block", type=int, default=128)
    parser.add_argument("--channels", type=int, default=2)
    parser.add_argument("--log", type=Path, help="folder of the logs")
    given = parser.parse_args()
    log.start("host", given.log)
    wish = Wish(given.device, given.rate, given.block, given.channels)
    try:
        Host(given.runtime, wish).run()
    except SfaError as error:
        log.write("error", str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
