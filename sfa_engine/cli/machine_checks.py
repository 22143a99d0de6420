"""What the machine does for or against real-time sound: the checks of `sfa doctor`."""

from __future__ import annotations

import os
import platform
import re
import resource
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sfa_engine.errors import DeviceError, SfaError
from sfa_engine.host import build, device, jack, rtkit
from sfa_engine.host.loader import available_bytes
from sfa_engine.host.realtime import PRIORITY
from sfa_engine.run.config import AudioConfig, load_config
from sfa_engine.surfaces.osc.datagrams import DATAGRAM_BYTES, RECEIVE_BUFFER
from sfa_engine.system.receive_buffer import widen

WANTED_FREE_MB = 1024
MESSAGES_A_SECOND = 15_000  # of several tablets on which somebody wipes over all faders
CPUS = Path("/sys/devices/system/cpu")
PIPEWIRE_TIMEOUT_S = 3.0  # for its settings
PIPEWIRE_SETTING = re.compile(r"key:'(clock\.[a-z-]+)' value:'(\d+)'")
PIPEWIRE_NAMES = (
    *("clock.rate", "clock.min-quantum", "clock.max-quantum"),
    *("clock.force-rate", "clock.force-quantum"),
)
JACK_VALUED = "aCcILlnPptX"  # letters of jackd's options that have a value after them


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    verdict : str
        ``good``, ``fair`` (it works, with less reserve), ``bad`` (sound will break).
    cure : str
        What to do, if anything.
    """

    what: str
    verdict: str
    found: str
    cure: str = ""


def examine() -> list[Finding]:
    """Run all checks, in the order of a chain: rights, processor, memory, device."""
    return [
        _priority(),
        _lock(),
        _governor(),
        _memory(),
        _network_buffer(),
        _kernel_code(),
        *_device(),
        *_pipewire(),
        *_jack(),
    ]


def _priority() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_RTPRIO)
    if os.geteuid() == 0 or most == resource.RLIM_INFINITY:
        return Finding("real-time priority", "good", "allowed without limit")
    if most >= PRIORITY:
        return Finding("real-time priority", "good", f"allowed up to {most}")
    if (given := rtkit.highest()) > most:
        return Finding("real-time priority", "good", f"RTKit gives up to {given}")
    cure = 'add "@audio - rtprio 95" to /etc/security/limits.d/audio.conf and log in again'
    verdict = "fair" if most else "bad"
    return Finding("real-time priority", verdict, f"allowed up to {most}", cure)


def _lock() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if os.geteuid() == 0 or most == resource.RLIM_INFINITY:
        return Finding("locked memory", "good", "allowed without limit")
    cure = 'add "@audio - memlock unlimited" to /etc/security/limits.d/audio.conf and log in again'
    found = f"allowed up to {most >> 20} MB, and a track of four stems takes 230 MB"
    return Finding("locked memory", "fair", found, cure)


def _governor() -> Finding:
    found = set()
    for path in sorted(CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    if not found:
        return Finding("CPU governor", "good", "the machine has none to choose")
    if found == {"performance"}:
        return Finding("CPU governor", "good", "performance")
    words = ", ".join(sorted(found))
    return Finding("CPU governor", "fair", words, "cpupower frequency-set -g performance")


def _memory() -> Finding:
    free_mb = available_bytes() >> 20
    if free_mb >= WANTED_FREE_MB:
        return Finding("free memory", "good", f"{free_mb} MB")
    cure = "a five-minute track of four stems takes 230 MB"
    return Finding("free memory", "fair", f"{free_mb} MB", cure)


def _network_buffer() -> Finding:
    """Check how much of OSC the system keeps while others have the processor."""
    with socket.socket(type=socket.SOCK_DGRAM) as line:
        return judge_network_buffer(widen(line, RECEIVE_BUFFER))


def judge_network_buffer(size: int) -> Finding:
    """Judge how many bytes of what came from the network are kept."""
    kept_ms = 2 * size / DATAGRAM_BYTES / MESSAGES_A_SECOND * 1e3
    found = f"{size >> 10} kB, {kept_ms:.0f} ms of {MESSAGES_A_SECOND} OSC messages a second"
    if size >= RECEIVE_BUFFER:
        return Finding("network buffer", "good", found)
    cure = (
        f'write "net.core.rmem_max = {RECEIVE_BUFFER}" to /etc/sysctl.d/60-sfa.conf'
        " and call `sysctl --system`"
    )
    return Finding("network buffer", "fair", found, cure)


def _kernel_code() -> Finding:
    if build.is_built():
        return Finding("sound engine", "good", f"built for {platform.machine()} here")
    return Finding("sound engine", "fair", "not built yet", "the first `sfa start` builds it")


def _device() -> list[Finding]:
    try:
        found = device.devices()
        chosen = device.choose(device.DeviceRequest())
    except DeviceError as error:
        return [Finding("sound device", "bad", error.message, error.hint)]
    words = f"{chosen.name} ({chosen.system}, {chosen.rate:g} Hz, {chosen.channels} out)"
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return [Finding("sound device", "good", words + more)]


def _pipewire() -> list[Finding]:
    """Check PipeWire, where it is the sound server, and the settings of its graph."""
    if jack.server() != jack.PIPEWIRE:
        return []
    if not jack.speaks_to_pipewire():
        cure = "install its JACK library: the package pipewire-jack"
        return [Finding("PipeWire", "fair", "it runs, and is reached through ALSA only", cure)]
    try:
        said = subprocess.run(
            ["pw-metadata", "-n", "settings", "0"],
            capture_output=True,
            text=True,
            check=False,
            timeout=PIPEWIRE_TIMEOUT_S,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    try:
        audio = load_config().audio
    except SfaError:
        audio = AudioConfig()  # `sfa start` says what is wrong with it
    return [judge_pipewire(dict(PIPEWIRE_SETTING.findall(said)), audio.block)]


def judge_pipewire(settings: Mapping[str, str], block: int) -> Finding:
    """Judge the settings of PipeWire's graph for a block of so many frames."""
    rate, least, most, forced_rate, forced = (
        int(settings.get(name, "0") or 0) for name in PIPEWIRE_NAMES
    )
    found = "reached without `pw-jack`"
    cure = []
    if rate:
        found += f", {forced_rate or rate} Hz, blocks of {least} to {most} frames"
    if forced_rate:
        found += f", the rate forced to {forced_rate} Hz"
        cure.append("clock.force-rate 0")
    if forced:
        found += f", blocks forced to {forced} frames"
        cure.append("clock.force-quantum 0")
    if block < least:
        found += f", and {block} are asked for"
        cure.append(f"clock.min-quantum {block}")
    if not cure:
        return Finding("PipeWire", "good", found)
    commands = "; ".join(f"pw-metadata -n settings 0 {change}" for change in cure)
    restart = ", then start the engine again" if forced or block < least else ""
    return Finding("PipeWire", "fair", found, commands + restart)


def _jack() -> list[Finding]:
    """Check how the JACK servers of this machine were started."""
    findings = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if Path(words[0]).name in {"jackd", "jackdmp"}:
            findings.append(judge_jack(words[1:]))
    return findings


def judge_jack(words: list[str]) -> Finding:
    """Judge a server's command line: without ``-S`` it does not wait for its clients."""
    options = set(_jack_options(words))
    if options & {"-r", "--no-realtime"}:
        return Finding("JACK", "bad", "runs without real-time priority", "start it with -R")
    if options & {"-S", "--sync"}:
        return Finding("JACK", "good", "runs synchronously")
    cure = "start jackd with -S: a block of latency less, and no clients dropped for one"
    return Finding("JACK", "fair", "runs asynchronously", cure)


def _jack_options(words: list[str]) -> Iterator[str]:
    """Yield a server's own options; those after its driver's name are the driver's."""
    for word in words:
        if word.startswith("--"):
            yield word
            if word.startswith("--driver"):
                return
        elif word.startswith("-"):
            for letter in word[1:]:
                yield f"-{letter}"
                if letter == "d":
                    return
                if letter in JACK_VALUED:
                    break
