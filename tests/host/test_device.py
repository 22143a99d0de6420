"""The sound device: what is said of one that cannot be opened."""

import sys

import pytest
import sounddevice

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import DeviceError
from sfa_engine.host import build, device, jack
from sfa_engine.host.device import DeviceRequest, Found, Stream, Timer, in_words
from sfa_engine.host.dsp_state import DspState

RATE = ("Error opening Compiled: Invalid sample rate", -9997)
HOST = ("Error opening Compiled: Unanticipated host error", -9999, (0, -16, "Device busy"))


@pytest.mark.parametrize(
    ("arguments", "words"), [(RATE, "invalid sample rate"), (HOST, "device busy"), ((), "")]
)
def test_what_portaudio_complains_of_is_told_without_its_numbers(arguments, words):
    assert in_words(sounddevice.PortAudioError(*arguments)) == words


def failing(*_):
    raise sounddevice.PortAudioError("Error initializing PortAudio: no backend", -9999)


def test_a_portaudio_that_does_not_initialise_is_a_device_that_is_not_there(tmp_path, monkeypatch):
    (tmp_path / "sounddevice.py").write_text("raise RuntimeError('Error initializing PortAudio')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    for look in (device.devices, device.rescan):
        with pytest.raises(DeviceError, match="error initializing portaudio; see whether"):
            look()


def test_portaudio_that_fails_when_it_looks_again_is_asked_once_more_the_next_time(monkeypatch):
    device.rescan()
    with monkeypatch.context() as broken:
        broken.setattr(sounddevice, "_initialize", failing)
        with pytest.raises(DeviceError, match="no backend"):
            device.rescan()
        with pytest.raises(DeviceError, match="not initialized"):
            device.devices()
    device.rescan()
    device.devices()


@pytest.mark.parametrize("name", ["²", "٣²"])
def test_a_name_of_digits_that_are_no_number_is_a_name(monkeypatch, name):
    monkeypatch.setattr(device, "devices", lambda _: [Found(0, "Loud", "ALSA", 48_000.0, 2)])
    with pytest.raises(DeviceError, match=f'no device "{name}"; there are 0: "Loud"'):
        device.choose(DeviceRequest(name))


@pytest.mark.slow
def test_a_timer_that_was_closed_calls_no_more_however_long_its_blocks_are():
    rate, request = 8000.0, DeviceRequest("none", block=10_240)  # 1.28 s
    kernel = build.load(build.ensure())
    dsp = DspState(Memory.anonymous(), rate, 2)
    timer = Timer(request, rate, kernel, kernel.stream, dsp.address)
    timer.start()
    timer.close()
    assert not timer._thread.is_alive()


@pytest.mark.parametrize(
    ("server", "library", "words"),
    [
        ("", False, "start JACK or PipeWire"),
        (jack.JACK, False, "start JACK or PipeWire"),
        (jack.PIPEWIRE, False, "install the package pipewire-jack"),
        (jack.PIPEWIRE, True, "PipeWire runs without a sink"),
    ],
)
def test_what_to_do_without_a_device_depends_on_what_runs(monkeypatch, server, library, words):
    monkeypatch.setattr(device, "devices", lambda _: [])
    monkeypatch.setattr(jack, "server", lambda: server)
    monkeypatch.setattr(jack, "speaks_to_pipewire", lambda: library)
    with pytest.raises(DeviceError, match=words):
        device.choose(DeviceRequest())


@pytest.mark.parametrize("system", ["PipeWire", "JACK Audio Connection Kit"])
def test_a_rate_that_the_graph_does_not_have_is_refused_with_both(system):
    found = Found(0, "Sink", system, 48_000.0, 2)
    with pytest.raises(DeviceError, match="runs at 48000 Hz and 44100 Hz are asked for"):
        Stream(DeviceRequest(rate=44_100.0), found, 44_100.0, 0, 0)


@pytest.mark.parametrize(
    ("system", "asked", "rate"),
    [
        ("PipeWire", 44_100.0, 48_000.0),
        ("JACK Audio Connection Kit", 44_100.0, 48_000.0),
        ("PipeWire", 0.0, 48_000.0),
        ("ALSA", 44_100.0, 44_100.0),
        ("ALSA", 0.0, 48_000.0),
    ],
)
def test_a_graph_is_opened_at_its_own_rate_whatever_is_asked_for(system, asked, rate):
    found = Found(0, "Sink", system, 48_000.0, 2)
    assert device.rate_for(DeviceRequest(rate=asked), found) == rate


@pytest.mark.parametrize("system", ["PipeWire", "JACK Audio Connection Kit", "ALSA"])
def test_default_is_a_device_of_the_graph_if_there_is_one(monkeypatch, system):
    card = Found(0, "Card", "ALSA", 44_100.0, 2, handle=3)
    sink = Found(1, "Sink", system, 48_000.0, 2, handle=7)
    monkeypatch.setattr(device, "devices", lambda _: [card, sink])
    monkeypatch.setattr(sounddevice, "query_hostapis", lambda: [{"default_output_device": 3}])
    assert device.choose(DeviceRequest()) is (card if system == "ALSA" else sink)
