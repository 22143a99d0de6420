"""Network MIDI on a stage: its frames, its verbs, and a start that fails."""

import random
import time

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.stage.midi_ports import ExternalPorts, frame_at
from sfa_engine.surfaces.rtpmidi.server import start_rtpmidi
from sfa_engine.surfaces.rtpmidi.settings import RtpMidiConfig


class Stage:
    """What network MIDI needs of the core."""

    def __init__(self):
        self.external_ports = ExternalPorts()
        self.owners = []
        self.surface_errors = []

    def add_verbs(self, owner):
        self.owners.append(owner)


def config(**given):
    port = random.randrange(20_000, 60_000, 2)
    return RtpMidiConfig(host="127.0.0.1", port=port, zeroconf=False, **given)


async def test_it_is_off_until_it_is_configured(nursery):
    stage = Stage()
    await start_rtpmidi(stage, nursery, RtpMidiConfig())
    assert stage.owners == []
    assert nursery.child_tasks == frozenset()


async def test_its_verbs_are_served(nursery):
    stage = Stage()
    await start_rtpmidi(stage, nursery, config(enabled=True))
    (owner,) = stage.owners
    assert owner.midi_network()["sessions"] == []
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"connect": ("a b",)}, "is not a host"),
        ({"allow": ("everybody",)}, "rtpmidi.allow: 'everybody' is not a network; give 192.168"),
    ],
)
async def test_a_start_that_fails_says_why_and_leaves_the_stage(nursery, given, said):
    stage = Stage()
    await start_rtpmidi(stage, nursery, config(enabled=True, **given))
    assert said in stage.surface_errors[0]
    assert stage.owners == []


async def test_ports_that_are_taken_leave_the_stage(nursery):
    taken = config(enabled=True)
    await start_rtpmidi(Stage(), nursery, taken)
    stage = Stage()
    await start_rtpmidi(stage, nursery, taken)
    assert f"UDP port {taken.port} of 127.0.0.1" in stage.surface_errors[0]
    assert stage.owners == []
    nursery.cancel_scope.cancel()


def test_a_moment_is_the_frame_that_was_rendered_then():
    memory, now = Memory.anonymous(), time.monotonic_ns()
    assert frame_at(memory, now, now) == 0  # no block yet
    memory.engine["sample_rate"] = 48_000
    snapshot = memory.engine["snapshots"][int(memory.engine["serial"]) & 1]
    snapshot["frame"], snapshot["monotonic_ns"] = 480_000, now
    moments_ms = (2, 0, -2, 5, -3000)
    frames = [frame_at(memory, now + ms * 1_000_000, now + 2_000_000) for ms in moments_ms]
    assert frames == [480_096, 480_000, 479_904, 480_096, 480_096 - 48_000]
