"""JACK and PipeWire: which of them answers, the library that reaches it, and its graph.

PipeWire speaks JACK's interface, by a libjack of its own beside the one of jackd. Which one a
process gets is decided when the first is loaded, so this happens before PortAudio is.

=============================== ==================================================
what answers                    what is loaded
=============================== ==================================================
a JACK server                   the system's libjack
PipeWire, and no JACK server    PipeWire's libjack (what ``pw-jack`` does)
nothing                         the system's libjack; PortAudio then offers ALSA
=============================== ==================================================

``$JACK_DEFAULT_SERVER`` asks for a JACK server of that name: PipeWire is left out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sfa_engine.errors import DeviceError

JACK = "JACK"
PIPEWIRE = "PipeWire"
SONAME = "libjack.so.0"
USR = Path("/usr")
JACK_FOLDER = Path("/dev/shm")  # noqa: S108 - where jackd has its sockets
CONNECT_TIMEOUT_S = 0.2
NO_START_SERVER = 1  # JackNoStartServer
IS_INPUT, IS_OUTPUT, IS_PHYSICAL = 1, 2, 4  # JackPortIsInput and so on
AUDIO = b"32 bit float mono audio"  # JACK_DEFAULT_AUDIO_TYPE
# Of a client of PipeWire: what it asks of the graph. A client that has asked is answered with
# what it asked for, not with what the graph does.
ASKS = ("PIPEWIRE_LATENCY", "PIPEWIRE_QUANTUM", "PIPEWIRE_RATE")

_loaded: list[str] = []  # the server that the loaded library was chosen for
_keep: list[ctypes.CDLL] = []


def _answers(path: Path) -> bool:
    """Return whether something listens on a socket."""
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.settimeout(CONNECT_TIMEOUT_S)
        try:
            line.connect(str(path))
        except BlockingIOError:  # too many wait to be accepted by a server that stands still
            return True
        return True
    return False


def server() -> str:
    """Return what answers, `JACK` or `PIPEWIRE`; empty if neither does."""
    named = os.environ.get("JACK_DEFAULT_SERVER", "")
    name, user = named or "default", os.getuid()
    # jackd2's socket, and jackd1's
    for path in (f"jack_{name}_{user}_0", f"jack-{user}/{name}/jack_0"):
        if _answers(JACK_FOLDER / path):
            return JACK
    return PIPEWIRE if not named and _answers(pipewire_socket()) else ""


def pipewire_socket() -> Path:
    """Return where PipeWire would answer."""
    folders = (os.environ.get(name) for name in ("PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"))
    folder = next(filter(None, folders), "/run/pipewire")
    return Path(folder) / (os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0")


def pipewire_libraries() -> list[Path]:
    """Return PipeWire's libjack, wherever distributions put it; empty if it is not installed."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    places = (f"lib/{multiarch}", "lib64", "lib", "local/lib64", "local/lib")
    found = [USR / place / "pipewire-0.3" / "jack" / SONAME for place in places]
    return [path for path in found if path.exists()]


def load() -> str:
    """Load the libjack that reaches the server that answers; return that server's name.

    Once a process: a library that is loaded stays.
    """
    if not _loaded:
        _loaded.append(server())
        candidates = pipewire_libraries() if _loaded[0] == PIPEWIRE else []
        for path in candidates:
            with suppress(OSError):  # of another architecture
                _keep.append(ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL))
                break
    return _loaded[0]


def outdated() -> bool:
    """Return whether a server answers that the loaded library was not chosen for."""
    return bool(_loaded) and server() not in {"", _loaded[0]}


def gone() -> bool:
    """Return whether the server that the loaded library was chosen for answers no more."""
    return bool(_loaded) and server() != _loaded[0]


def _library() -> ctypes.CDLL | None:
    """Return the libjack of this process; None if there is none."""
    load()
    try:
        library = ctypes.CDLL(SONAME)
    except OSError:
        return None
    signatures = {
        "jack_client_open": (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p),
        "jack_client_close": (ctypes.c_int, ctypes.c_void_p),
        "jack_get_sample_rate": (ctypes.c_uint32, ctypes.c_void_p),
        "jack_get_ports": (
            *(ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p),
            *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong),
        ),
        "jack_port_by_name": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p),
        "jack_port_get_all_connections": (
            *(ctypes.POINTER(ctypes.c_char_p), ctypes.c_void_p),
            ctypes.c_void_p,
        ),
        "jack_connect": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p),
        "jack_disconnect": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p),
        "jack_free": (None, ctypes.c_void_p),
        "jack_get_version_string": (ctypes.c_char_p,),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def speaks_to_pipewire() -> bool:
    """Return whether the libjack of this process is PipeWire's."""
    library = _library()
    return library is not None and b"PipeWire" in (library.jack_get_version_string() or b"")


@contextmanager
def _environment(**changes: str | None) -> Iterator[None]:
    """Change variables of the environment, which libjack reads, inside the block."""
    before = {name: os.environ.get(name) for name in changes}

    def put(values: dict[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(changes)
    try:
        yield
    finally:
        put(before)


class Graph:
    """A client that plays nothing: it looks at the server's graph, and links ports.

    Parameters
    ----------
    name : str
        Its name there.

    Raises
    ------
    DeviceError
        No server answers.
    """

    def __init__(self, name: str = "sfa-graph") -> None:
        library = _library()
        if library is None:
            raise DeviceError("there is no libjack", "install the package libjack-jackd2-0")
        self._jack = library
        with _environment(**dict.fromkeys(ASKS)):
            self._client = library.jack_client_open(encoded(name), NO_START_SERVER, None)
        if not self._client:
            raise DeviceError("no JACK server answers", "start JACK or PipeWire")

    def close(self) -> None:
        """Let the server go."""
        self._jack.jack_client_close(self._client)

    @property
    def rate(self) -> int:
        """Return the rate that the graph ran at when this was read first, or runs at now.

        PipeWire 1.0 keeps the answer of the first call, 0.3 does not.
        """
        return int(self._jack.jack_get_sample_rate(self._client))

    def _take(self, names: ctypes._Pointer[ctypes.c_char_p]) -> list[str]:
        """Return a list that libjack has allocated, and free it."""
        found: list[str] = []
        if names:
            while (name := names[len(found)]) is not None:
                found.append(name.decode(errors="surrogateescape"))
            self._jack.jack_free(names)
        return found

    def inputs(self, *, physical: bool = False) -> list[str]:
        """Return the ports that sound can go to, those of the default sink first."""
        flags = IS_INPUT | (IS_PHYSICAL if physical else 0)
        return self._take(self._jack.jack_get_ports(self._client, None, AUDIO, flags))

    def players(self) -> set[str]:
        """Return the clients that have outputs."""
        ports = self._take(self._jack.jack_get_ports(self._client, None, AUDIO, IS_OUTPUT))
        return {port.rpartition(":")[0] for port in ports}

    def links(self, port: str) -> list[str] | None:
        """Return the ports that a port is linked to; None if it is not there."""
        found = self._jack.jack_port_by_name(self._client, encoded(port))
        if not found:
            return None
        return self._take(self._jack.jack_port_get_all_connections(self._client, found))

    def link(self, output: str, to: str) -> None:
        """Link two ports; nothing happens if one is gone."""
        self._jack.jack_connect(self._client, encoded(output), encoded(to))

    def unlink(self, output: str, to: str) -> None:
        """Part two ports."""
        self._jack.jack_disconnect(self._client, encoded(output), encoded(to))


def encoded(name: str) -> bytes:
    """Return a name as libjack has it."""
    return name.encode(errors="surrogateescape")


@contextmanager
def asking(block: int) -> Iterator[set[str]]:
    """Let what connects inside the block ask PipeWire for a block of frames.

    It is a time to PipeWire, so that it takes the graph's own rate to be so many frames there.
    What the environment asks for already is left as it is.

    Yields
    ------
    set of str
        Names of clients that are taken there. PipeWire, unlike JACK, gives one twice.
    """
    try:
        graph = Graph() if speaks_to_pipewire() else None
    except DeviceError:
        graph = None
    if graph is None:
        yield set()
        return
    rate, taken = graph.rate, graph.players()
    graph.close()
    asked = any(os.environ.get(name) for name in ASKS)
    with _environment(**({} if asked else {"PIPEWIRE_LATENCY": f"{block}/{rate}"})):
        yield taken
