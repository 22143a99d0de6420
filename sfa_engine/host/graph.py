"""The graph that a stream plays into, watched: the links of our outputs, and its rate.

JACK and PipeWire call a client without links, and PipeWire changes the rate of its graph under
one that plays. PortAudio tells of neither.
"""

from __future__ import annotations

import threading
import time

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import DeviceError
from sfa_engine.host import device, jack
from sfa_engine.host.device import Driver, Stream

POLL_S = 0.5
RELINK_S = 2.0  # a link that was taken away may be on its way to another port
REOPENED_S = 3.0  # a host that starts so soon after the last was ended for its rate is the next
IN_VAIN_S = 5.0  # until a device is reopened again that got the wrong rate when it was reopened;
MAX_IN_VAIN_S = 60.0  # twice as long after each failure, up to this
PACE_S = 5.0  # the longest time over which the pace is taken
RATE_SHARE = 0.02  # 44.1 and 48 kHz are 8 % apart
MAX_ERROR_BYTES = 255
DUMMY_SINK = "Dummy Output"  # what PipeWire and PulseAudio put in the place of a missing sink


class Outputs:
    """The links from our outputs to a sink: seen when they are gone, and made again.

    Parameters
    ----------
    graph : Graph
    client : str
        Our name in the graph.
    sink : str
        The client that was opened.
    channels : int
    any_sink : bool
        Whether the default sink will do while that one is gone.
    """

    def __init__(
        self, graph: jack.Graph, client: str, sink: str, channels: int, *, any_sink: bool
    ) -> None:
        self._graph = graph
        self._ports = [f"{client}:out_{n}" for n in range(channels)]
        self._sink = sink
        self._is_gone = False
        self._substitutes: list[tuple[str, str]] = []  # links that we made while it is gone
        self._any_sink = any_sink
        self._unlinked_s: float | None = None  # since when
        self.relinked = False  # until it is read

    def look(self, now_s: float) -> str:
        """Return what is wrong with the links, after having done what can be done about it."""
        links = {port: self._graph.links(port) for port in self._ports}
        if any(there is None for there in links.values()):
            return ""  # the server is going, or our client: the host sees to that
        inputs = self._graph.inputs()
        wanted = _of(self._sink, inputs)
        if not wanted:
            self._is_gone = True
            return self._without_sink()
        if self._is_gone:
            self._is_gone = False
            self._link(self._ports, wanted)
            for port, other in self._substitutes:
                self._graph.unlink(port, other)
            self._substitutes = []
            return ""
        unlinked = [port for port, there in links.items() if not there]
        if not unlinked:
            self._unlinked_s = None
            return ""
        if self._unlinked_s is None:
            self._unlinked_s = now_s
        if now_s - self._unlinked_s < RELINK_S:
            names = " and ".join(port.rpartition(":")[2] for port in unlinked)
            return f'{names}: no link to "{self._sink}"'
        self._link(unlinked, wanted)
        return ""

    def _without_sink(self) -> str:
        """Do without the sink that was opened. A recorder that is linked to us is none."""
        inputs = [
            port for port in self._graph.inputs(physical=True) if _client_of(port) != DUMMY_SINK
        ]
        unheard = [port for port in self._ports if not self._heard_on(port, inputs)]
        if unheard and inputs and self._any_sink:
            self._substitutes += self._link(unheard, _of(_client_of(inputs[0]), inputs))
        heard = self._heard_on(self._ports[0], inputs)
        if heard:
            return f'"{self._sink}" is gone: "{_client_of(heard[0])}" plays in its place'
        return f'"{self._sink}" is gone: nothing is heard until it is back'

    def _heard_on(self, port: str, inputs: list[str]) -> list[str]:
        """Return which of some inputs an output is linked to."""
        return [other for other in self._graph.links(port) or [] if other in inputs]

    def _link(self, ports: list[str], inputs: list[str]) -> list[tuple[str, str]]:
        """Link outputs to the inputs of the same number; return the links."""
        numbers = [self._ports.index(port) for port in ports]
        made = [(self._ports[n], inputs[n]) for n in numbers if n < len(inputs)]
        for port, other in made:
            self._graph.link(port, other)
            self.relinked = True
        self._unlinked_s = None
        return made


def _client_of(port: str) -> str:
    """Return the client that a port is one of."""
    return port.rpartition(":")[0]


def _of(client: str, ports: list[str]) -> list[str]:
    """Return a client's ports out of many."""
    return [port for port in ports if _client_of(port) == client]


class Pace:
    """How fast the device asks for frames, over a time in which none were missed.

    Parameters
    ----------
    memory : Memory
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._since: tuple[int, int, int] | None = None

    def is_off(self) -> bool:
        """Return whether it is another than that of the rate that was opened."""
        engine = self._memory.engine
        snapshot = engine["snapshots"][int(engine["serial"]) & 1]
        now = int(snapshot["monotonic_ns"]), int(snapshot["frame"]), int(engine["device_misses"])
        before, self._since = self._since, self._since or now
        if before is None or now[2] != before[2]:
            self._since = now
            return False
        seconds, frames = (now[0] - before[0]) / 1e9, now[1] - before[1]
        if seconds > PACE_S:
            self._since = now
        due = seconds * float(engine["sample_rate"])
        # A block may just have been asked for, or be about to be.
        return abs(frames - due) > RATE_SHARE * due + 2 * int(engine["block"])


class Watch:
    """Looks at the graph, and says in the engine's memory what is wrong.

    Parameters
    ----------
    memory : Memory
    name : str
        The device that was asked for.
    channels : int
    stop : threading.Event

    Attributes
    ----------
    new_rate : str
        In words, once the device runs at another rate than it was opened at, and is to be opened
        again.
    """

    def __init__(self, memory: Memory, name: str, channels: int, stop: threading.Event) -> None:
        self._memory = memory
        self._any_sink = name == device.DEFAULT
        self._channels = channels
        self._stop = stop
        self.driver: Driver | None = None
        self.new_rate = ""
        self._again_s = 0.0  # not before then, unless the graph changes its rate

    def run(self) -> None:
        """Watch until stopped. A server that hangs holds this thread alone."""
        engine = self._memory.engine
        watched: Driver | None = None
        told = off = ""
        while not self._stop.wait(POLL_S):
            stream = self.driver
            if not isinstance(stream, Stream) or not stream.found.in_graph:
                continue
            now_s = time.monotonic()
            try:
                if watched is not stream:
                    graph, pace, told = jack.Graph(), Pace(self._memory), ""
                    outputs = self._outputs(graph, stream)
                    watched = stream
                    off = self._compare(graph.rate)
                    self._again_s = now_s + self._rest_s(off)
                    look_s = now_s
                    rate = graph.rate
                error = outputs.look(now_s)
                if now_s >= look_s and (off or self._compare(graph.rate) or pace.is_off()):
                    pace = Pace(self._memory)
                    before, rate = rate, _rate_now()
                    off = self._compare(rate)
                    # Another one than it failed with is worth an attempt at once.
                    self.new_rate = off if rate != before or now_s >= self._again_s else ""
                    look_s = now_s + PACE_S if off else now_s
            except DeviceError:
                continue  # the server is going
            if outputs.relinked:
                outputs.relinked = False
                engine["relinked_ns"] = time.monotonic_ns()
            error = off or error
            if error != told:
                told = error
                engine["error"] = device.cut(error, MAX_ERROR_BYTES)

    def _outputs(self, graph: jack.Graph, stream: Stream) -> Outputs:
        name, sink = device.client_name(), stream.found.name
        return Outputs(graph, name, sink, self._channels, any_sink=self._any_sink)

    def _rest_s(self, off: str) -> float:
        """Return how long to wait with reopening a device that got the wrong rate again."""
        engine = self._memory.engine
        reopened_ns = int(engine["host_started_ns"]) - int(engine["reopened_ns"])
        if not off or reopened_ns > REOPENED_S * 1e9:
            engine["reopened_in_vain"] = 0
            return 0.0
        engine["reopened_in_vain"] = failures = int(engine["reopened_in_vain"]) + 1
        return min(MAX_IN_VAIN_S, IN_VAIN_S * 2.0 ** (failures - 1))

    def _compare(self, rate: int) -> str:
        """Return what is wrong with a rate of the graph, nothing if it is the one opened at."""
        opened = float(self._memory.engine["sample_rate"])
        if rate in {0, opened}:
            return ""
        return f"the device runs at {rate} Hz and was opened at {opened:g} Hz"


def _rate_now() -> int:
    """Return the graph's rate as a new client hears it."""
    graph = jack.Graph()
    rate = graph.rate
    graph.close()
    return rate
