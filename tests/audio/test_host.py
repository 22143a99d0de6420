"""The audio process's Python side: what it asks of disks, devices and clients may fail."""

import sys

import pytest

from sfa_engine.audio import host
from sfa_engine.audio.device import Wish
from sfa_engine.audio.host import Host


@pytest.fixture
def silent(tmp_path, monkeypatch):
    """A host of this process, whose time passes when it is told to."""
    monkeypatch.setattr(host.realtime, "lock_memory", lambda: False)
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    made = Host(runtime, Wish(f"file:{tmp_path / 'out.wav'}"))
    made.open()
    yield made
    made.driver.close()


@pytest.mark.parametrize(("block", "rate", "patience_s"), [(128, 48_000, 0.3), (8192, 16_000, 2.0)])
def test_a_device_of_long_blocks_is_given_the_time_for_them(silent, block, rate, patience_s):
    silent.memory.engine["block"] = block
    silent.memory.engine["sample_rate"] = rate
    assert silent._patience_s() == pytest.approx(patience_s, rel=0.1)


def test_a_portaudio_that_does_not_initialise_leaves_the_timer(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('no backend')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(host.realtime, "lock_memory", lambda: False)
    made = Host(tmp_path, Wish("default"))
    made.open()
    made.driver.close()
    assert made.memory.engine["driver"] == b"timer"
    assert b"no backend" in made.memory.engine["trouble"]
