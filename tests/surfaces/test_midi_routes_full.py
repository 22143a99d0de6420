"""What routes send to a controller while the feed of the host is full."""

import pytest
import trio
from midi_host import MidiHost

from sfa_engine.stage.core import Core
from sfa_engine.surfaces.midi.settings import MidiConfig
from sfa_engine.surfaces.midi.surface import MidiSurface

pytestmark = pytest.mark.slow


async def test_what_is_dropped_is_counted_and_logged_once(tmp_path, nursery, monkeypatch, caplog):
    host = MidiHost(tmp_path)
    try:
        core = Core(tmp_path)
        surface = MidiSurface(core, MidiConfig(generic=True))
        nursery.start_soon(surface.run)
        host.plug("nanoKONTROL2 MIDI 1")
        with trio.fail_after(20):
            while not [port for port in surface.midi_ports()["ports"] if port["open"]]:  # noqa: ASYNC110 - of another thread
                await trio.sleep(0.005)
        monkeypatch.setattr(core.midi, "feed", lambda *_: False)
        for _ in range(3):
            core.raw_bus.send("midi", "nano", b"\xb0\x07\x40")
        assert surface.midi_ports()["ports"][0]["dropped"] == 3
        assert caplog.text.count("takes no more from routes") == 1
        nursery.cancel_scope.cancel()
    finally:
        host.close()
