"""The sound device: PortAudio on the compiled callback, or a timer where there is none.

PipeWire and JACK come before ALSA; see `sfa_engine.host.jack` for how they are reached.
PortAudio calls machine code; Python is not on the way. What sounddevice's own stream classes
wrap around a callback is left out by deriving from their base.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import numpy as np

from sfa_engine.errors import DeviceError, did_you_mean
from sfa_engine.host import jack, realtime
from sfa_engine.host.build import TIMER, Kernel

DEFAULT = "default"
TIMER_NAME = "none"
CLIENT_NAME = "Sound Forge Alchemy"  # in the graph; another engine gets a number after it
BLOCK = 128
MOST_LATENCY_S = 2.0  # of a device that says what may be true; radio speakers take 0.3


@dataclass(frozen=True)
class DeviceRequest:
    """The device that is asked for.

    Parameters
    ----------
    name : str
        Part of a name, a number of PortAudio's list, ``default`` or ``none`` for the timer.
    rate : float
        Frames a second; 0 is the device's own.
    block : int
        Frames; PipeWire is asked for it, a JACK server has its own.
    channels : int
        2, 4 with the headphones, or 6 with the booth too.
    """

    name: str = DEFAULT
    rate: float = 0.0
    block: int = BLOCK
    channels: int = 2


@dataclass(frozen=True)
class Found:
    """A device that can be opened.

    Parameters
    ----------
    index : int
        Its number among those that have outputs. An engine that runs is a device without any to
        PortAudio, and would shift the others.
    handle : int
        PortAudio's number, of now.
    """

    index: int
    name: str
    system: str
    rate: float
    channels: int
    handle: int = 0

    @property
    def in_graph(self) -> bool:
        """Whether it is a port of JACK's or PipeWire's graph, which has its own rate and block."""
        return jack.JACK in self.system or self.system == jack.PIPEWIRE


def rate_for(request: DeviceRequest, found: Found) -> float:
    """Return the rate that a device is opened at: a graph has its own, whatever is asked for."""
    return found.rate if found.in_graph else request.rate or found.rate


class Driver(Protocol):
    """What calls the kernel, block by block.

    Attributes
    ----------
    name : str
        ``portaudio`` or ``timer``.
    device : str
        What is opened, in words.
    """

    name: str
    device: str

    @property
    def latency_s(self) -> float:
        """What it takes itself after a block, as far as it says."""

    def start(self) -> None:
        """Begin to call."""

    def close(self) -> None:
        """Stop calling, and let the device go."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ALSA and JACK from writing to the terminal; their errors come as ours."""
    saved = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


@contextmanager
def _blame() -> Iterator[None]:
    """Raise as a DeviceError whatever PortAudio raises inside the block."""
    try:
        yield
    except DeviceError:
        raise
    except Exception as error:
        raise DeviceError(
            f"PortAudio does not answer: {in_words(error)}", "see whether the sound server runs"
        ) from error


def _sounddevice(block: int = BLOCK) -> Any:
    """Return the module, which makes PortAudio look for devices when it is imported first."""
    if (module := sys.modules.get("sounddevice")) is not None:
        return module
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    with _blame(), _quiet(), jack.asking(block) as taken:
        _name_client(taken)
        try:
            import sounddevice
        except OSError as error:
            raise DeviceError(
                f"PortAudio cannot be loaded: {error}", "install the package libportaudio2"
            ) from None
    return sounddevice


def _portaudio() -> ctypes.CDLL | None:
    """Return PortAudio for what sounddevice leaves out; None if it is not there."""
    library = ctypes.util.find_library("portaudio")
    with suppress(OSError):
        return ctypes.CDLL(library) if library else None
    return None


def _name_client(taken: set[str]) -> None:
    """Give our client in the graph its name, before PortAudio connects."""
    number = next(n for n in count(1) if _numbered(n) not in taken)
    _named[:] = [ctypes.c_char_p(_numbered(number).encode())]  # PortAudio keeps the address
    with suppress(AttributeError):  # a PortAudio without JACK
        _portaudio().PaJack_SetClientName(_named[0])  # type: ignore[union-attr]


_named: list[ctypes.c_char_p] = []


def _numbered(number: int) -> str:
    return CLIENT_NAME if number == 1 else f"{CLIENT_NAME} {number}"


def client_name() -> str:
    """Return the name that our client has in the graph."""
    name = ctypes.c_char_p()
    with suppress(AttributeError):
        _portaudio().PaJack_GetClientName(ctypes.byref(name))  # type: ignore[union-attr]
    return name.value.decode(errors="surrogateescape") if name.value else CLIENT_NAME


def rescan(block: int = BLOCK) -> None:
    """Look again which devices there are. No stream may be open."""
    sounddevice = _sounddevice(block)
    with _blame(), _quiet(), jack.asking(block) as taken:
        _name_client(taken)
        if sounddevice._initialized:  # noqa: SLF001 - else it failed when it looked last
            sounddevice._terminate()  # noqa: SLF001 - the only way to make PortAudio look again
        sounddevice._initialize()  # noqa: SLF001


def devices(block: int = BLOCK) -> list[Found]:
    """Return the devices that sound can go to."""
    sounddevice = _sounddevice(block)
    with _blame():
        systems = [str(api["name"]) for api in sounddevice.query_hostapis()]
        if jack.speaks_to_pipewire():
            systems = [jack.PIPEWIRE if jack.JACK in name else name for name in systems]
        outputs = [
            (handle, d)
            for handle, d in enumerate(sounddevice.query_devices())
            if d["max_output_channels"] > 0
        ]
        return [
            Found(
                index,
                str(d["name"]),
                systems[d["hostapi"]],
                float(d["default_samplerate"]),
                int(d["max_output_channels"]),
                handle,
            )
            for index, (handle, d) in enumerate(outputs)
        ]


def choose(request: DeviceRequest) -> Found:
    """Return the device that a request means.

    Raises
    ------
    DeviceError
        There is none, or more than one fits, or it has too few channels.
    """
    found = devices(request.block)
    if not found:
        raise DeviceError("there is no sound device", _without_device())
    if request.name == DEFAULT:
        # JACK and PipeWire first: ALSA would take the card from them, or be resampled.
        best = next((d for d in found if d.in_graph), None)
        if best is None:
            with _blame():
                index = int(_sounddevice().query_hostapis()[0]["default_output_device"])
            best = next((d for d in found if d.handle == index), found[0])
    elif request.name.isdecimal():
        best = next((d for d in found if d.index == int(request.name)), None)
    else:
        fits = [d for d in found if request.name.lower() in d.name.lower()]
        exact = [d for d in fits if d.name.lower() == request.name.lower()]
        if len(fits) > 1 and len(exact) != 1:
            names = ", ".join(f'{d.index}: "{d.name}"' for d in fits)
            raise DeviceError(f'"{request.name}" may be {names}', "give the number")
        best = next(iter(exact or fits), None)
    if best is None:
        names = ", ".join(f'{d.index}: "{d.name}"' for d in found)
        near = did_you_mean(request.name, [d.name for d in found])
        raise DeviceError(
            f'no device "{request.name}"; there are {names}', near or "give one of them"
        )
    if best.channels < request.channels:
        raise DeviceError(
            f'"{best.name}" has {best.channels} channels and {request.channels} are asked for',
            "set audio.channels to 2",
        )
    return best


def _without_device() -> str:
    """Return what to do where no device is found."""
    if jack.server() != jack.PIPEWIRE:
        return "start JACK or PipeWire, or use the device `none`"
    if jack.speaks_to_pipewire():
        return "PipeWire runs without a sink: connect a sound card, or use the device `none`"
    return "PipeWire runs, but its JACK library is missing: install the package pipewire-jack"


def cut(text: str, most_bytes: int) -> bytes:
    """Return a text for the engine's memory, cut between two characters if it is too long."""
    return text.encode(errors="replace")[:most_bytes].decode(errors="ignore").encode()


def in_words(error: Exception) -> str:
    """Return what PortAudio complains of, without the names and numbers of its own."""
    words = error.args[0] if error.args else ""
    host = error.args[2][2] if len(error.args) > 2 else ""
    return str(host or words).removeprefix("Error opening Compiled: ").strip().lower()


class Stream:
    """PortAudio on a device.

    Parameters
    ----------
    request : DeviceRequest
    found : Found
    callback, user : int
        Addresses of the machine code, and of what it is handed.
    """

    name = "portaudio"

    def __init__(
        self, request: DeviceRequest, found: Found, rate: float, callback: int, user: int
    ) -> None:
        sounddevice = _sounddevice()
        ffi = sounddevice._ffi  # noqa: SLF001 - a callback by its address

        class Compiled(sounddevice._StreamBase):  # type: ignore[misc, name-defined]  # noqa: SLF001
            def __init__(self, **settings: Any) -> None:
                super().__init__(
                    kind="output",
                    wrap_callback=None,
                    callback=ffi.cast("PaStreamCallback*", callback),
                    userdata=ffi.cast("void*", user),
                    **settings,
                )

        system = found.system
        if found.in_graph and request.rate not in {0.0, rate}:
            system += f" at its own {rate:g} Hz, not at {request.rate:g}"
        self.device = f"{found.name} ({system})"
        self.found = found
        if found.in_graph and rate != found.rate:
            raise DeviceError(
                f'"{found.name}" runs at {found.rate:g} Hz and {rate:g} Hz are asked for',
                f"set audio.rate to 0, or let {found.system} run at {rate:g} Hz",
            )
        try:
            with _quiet():
                self._stream = Compiled(
                    samplerate=rate,
                    blocksize=0 if found.in_graph else request.block,
                    device=found.handle,
                    channels=request.channels,
                    dtype="float32",
                    latency="low",
                    finished_callback=None,
                    clip_off=True,
                    dither_off=True,
                    never_drop_input=None,
                    prime_output_buffers_using_stream_callback=None,
                    extra_settings=None,
                )
        except sounddevice.PortAudioError as error:
            raise DeviceError(
                f'"{found.name}" cannot be opened at {rate:g} Hz: {in_words(error)}',
                "close what uses it, or set audio.rate",
            ) from None

    @property
    def latency_s(self) -> float:
        """What the device says that it takes after a block; 0 where it says nothing of use."""
        said = float(self._stream.latency)
        return said if 0.0 <= said <= MOST_LATENCY_S else 0.0

    def start(self) -> None:
        """Begin to call the kernel.

        Raises
        ------
        DeviceError
            It does not start.
        """
        sounddevice = _sounddevice()
        try:
            with _quiet():
                self._stream.start()
        except sounddevice.PortAudioError as error:
            self.close()
            raise DeviceError(
                f'"{self.device}" does not start: {in_words(error)}', "close what uses it"
            ) from None

    def close(self) -> None:
        """Stop, and let the device go."""
        with _quiet():
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)


class Timer:
    """No device: a thread of machine code that calls the kernel on time, and says so."""

    name = "timer"
    device = "none: a timer, nothing is heard"
    latency_s = 0.0

    def __init__(
        self, request: DeviceRequest, rate: float, kernel: Kernel, callback: int, user: int
    ) -> None:
        self._out = np.zeros(request.block * request.channels, np.float32)
        # stop, and a timespec
        self._state = np.zeros(3, np.int64)
        period_ns = round(request.block / rate * 1e9)
        loop = TIMER(kernel.timer)
        arguments = (
            callback,
            self._out.ctypes.data,
            request.block,
            user,
            ctypes.c_void_p(self._state.ctypes.data),
            period_ns,
        )

        def run() -> None:
            realtime.raise_thread(threading.get_native_id())
            loop(*arguments)

        self._thread = threading.Thread(target=run, name="timer", daemon=True)

    def start(self) -> None:
        """Begin to call the kernel."""
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when the last block is done."""
        self._state[0] = 1
        if self._thread.is_alive():
            self._thread.join()
