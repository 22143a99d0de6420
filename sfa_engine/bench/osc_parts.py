"""OSC in `sfa bench surfaces`: 15,000 messages a second, as from several tablets.

A separate process sends moving faders, with presses in between. Meanwhile a peer pings the stage
over its own socket; the answer comes after all earlier messages, so its round trip is a message's
delay plus the way back.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack

import numpy as np

from sfa_engine.bench.rig import (
    SETTLE_S,
    STEMS,
    Result,
    Rig,
    bundle_of,
    busy_settings,
    process_cpu_s,
    result,
)
from sfa_engine.desk import CONTROLS
from sfa_engine.engine.memory import Memory
from sfa_engine.surfaces.osc.address import address_of, message

MESSAGES_A_SECOND = 15_000
PRESSES_A_SECOND = 20
JUMP_BEATS = 1 / 16  # of a press; the position of a stopped deck counts them
BEAT_S = 0.5  # of the bench's bundle
PING_S = 0.01
QUIET_S = 0.5  # after the last message, when all is done
FADERS = tuple(  # 20: the fingers of two people
    f"deck{deck}.{name}"
    for deck in (1, 2)
    for name in (
        *("fader", "filter", "eq.low.gain", "eq.mid.gain", "eq.high.gain", "rate"),
        *(f"stem.{stem}.volume" for stem in STEMS),
    )
)


def free_port() -> int:
    """Return a free UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def bench_osc(seconds: float, device: str | None) -> list[Result]:
    """Send 15,000 messages a second; count losses, late blocks and wrong values."""
    port = free_port()
    config = f"[osc]\nport = {port}\nzeroconf = false\n"
    with bundle_of(60.0) as bundle, ExitStack() as stack:
        rig = Rig(stack, device, 128, config=config)
        for deck in (1, 2):
            rig.client.call("deck.load", deck=deck, path=str(bundle))
        for path, value in busy_settings(1).items():
            rig.client.call("set", path=path, value=value)
        rig.client.call("set", path="deck1.play", value=True)
        time.sleep(SETTLE_S)
        idle = _pings(port, 2.0)
        engine, null = rig.host.memory.engine, rig.null.memory.engine
        late0, missed0 = int(engine["late"]), int(engine["device_misses"])
        blocks0 = int(engine["blocks"])
        null_missed0, cpu0 = int(null["device_misses"]), process_cpu_s(rig.stage.pid)
        command = [sys.executable, "-m", "sfa_engine.bench.osc_parts", str(port), str(seconds)]
        sender = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        began = time.monotonic()
        pings = _pings(port, seconds)
        output, _ = sender.communicate(timeout=seconds + 60.0)
        took_s = time.monotonic() - began
        cpu_pct = (process_cpu_s(rig.stage.pid) - cpu0) / took_s * 100
        time.sleep(QUIET_S)
        sent, presses, number = map(int, output.split())
        late = int(engine["late"]) - late0
        missed = int(engine["device_misses"]) - missed0
        null_missed = float(int(null["device_misses"]) - null_missed0)
        taken = sum(peer["messages"] for peer in rig.client.call("osc.peers")["peers"])
        lost = sent + len(pings) + len(idle) - taken
        jumped = rig.host.memory.value("deck2.position") / (JUMP_BEATS * BEAT_S)
        wrong = _wrong(rig.host.memory, number)
        blocks = int(engine["blocks"]) - blocks0
        p50, p99, worst = (float(np.percentile(pings, p)) for p in (50, 99, 100))
        n, at_rest = len(pings), float(np.percentile(idle, 99))
        return [
            result("osc_15k_rate", sent / seconds, "messages/s", sent),
            result("osc_15k_buttons_lost", presses - round(jumped), "presses", presses),
            result("osc_15k_faders_wrong", wrong, "faders", len(FADERS)),
            result("osc_15k_messages_lost", lost, "messages", sent),
            result("osc_15k_p50_ms", p50, "ms", n, float(np.percentile(idle, 50))),
            result("osc_15k_p99_ms", p99, "ms", n, at_rest),
            result("osc_15k_worst_ms", worst, "ms", n, max(idle)),
            result("osc_15k_late_blocks", late + missed, "blocks", blocks, null_missed),
            result("osc_15k_stage_cpu", cpu_pct, "%", 1),
        ]  # fmt: skip


def _pings(port: int, seconds: float) -> list[float]:
    """Return the round trips of pings over some time, in ms; a lost one counts as a second."""
    times = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", port))
        line.settimeout(1.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sent_s = time.perf_counter()
            line.send(message("/sfa/ping", 1))
            try:
                line.recv(1024)
            except TimeoutError:
                times.append(1e3)
                continue
            times.append((time.perf_counter() - sent_s) * 1e3)
            time.sleep(PING_S)
    return times


def fader_value(path: str, number: int) -> float:
    """Return the value of a fader after a number of messages, rounded to 32 bits."""
    scale = CONTROLS[path].scale
    value = scale.low + (scale.high - scale.low) * (number * 7 % 1009) / 1009
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def _wrong(memory: Memory, number: int) -> int:
    """Return how many faders differ from their last message."""
    return sum(memory.value(path) != fader_value(path, number) for path in FADERS)


def send(port: int, seconds: float) -> None:
    """Send at the requested rate; print the number of messages, presses, moves of each fader."""
    heads = [(path, address_of(path)) for path in FADERS]
    press = message(address_of("deck2.jump"), JUMP_BEATS)
    packets = [
        message(address, fader_value(path, number))
        for number in range(1009)
        for path, address in heads
    ]
    sent = presses = at = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", port))
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < seconds or at % len(heads):
            due = int(passed_s * MESSAGES_A_SECOND)
            while sent < due or (passed_s >= seconds and at % len(heads)):
                line.send(packets[at % len(packets)])
                at, sent = at + 1, sent + 1
            if presses < int(passed_s * PRESSES_A_SECOND):
                line.send(press)
                presses, sent = presses + 1, sent + 1
            time.sleep(0.0005)
    print(sent, presses, at // len(heads) - 1)


if __name__ == "__main__":
    send(int(sys.argv[1]), float(sys.argv[2]))
