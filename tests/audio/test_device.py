"""The sound device: what is said of one that cannot be opened."""

import pytest
import sounddevice

from sfa_engine.audio.device import in_words

RATE = ("Error opening Compiled: Invalid sample rate", -9997)
HOST = ("Error opening Compiled: Unanticipated host error", -9999, (0, -16, "Device busy"))


@pytest.mark.parametrize(
    ("arguments", "words"), [(RATE, "invalid sample rate"), (HOST, "device busy"), ((), "")]
)
def test_what_portaudio_complains_of_is_told_without_its_numbers(arguments, words):
    assert in_words(sounddevice.PortAudioError(*arguments)) == words
