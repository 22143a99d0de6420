"""Where a rendered mix goes: the formats that can be written, and why one could not be."""

import resource

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import MediaError
from sfa_engine.script.render import FORMATS, write_wav

RATE = 48_000


def pieces(count=1):
    for _ in range(count):
        yield np.full((RATE, 2), 0.5, np.float32)


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_that_is_offered_can_be_written(tmp_path, ending):
    target = tmp_path / f"mix{ending}"
    assert write_wav(target, pieces(), RATE, RATE) == 0.5
    assert soundfile.info(target).subtype == "PCM_24"
    assert soundfile.info(target).frames == RATE


@pytest.mark.parametrize("ending", [".mp3", ".ogg", ".raw", ".xyz", ""])
def test_a_format_that_cannot_be_written_is_refused_with_those_that_can(tmp_path, ending):
    with pytest.raises(MediaError, match=r"end it with \.wav or \.flac"):
        write_wav(tmp_path / f"mix{ending}", pieces(), RATE, RATE)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_files():
    """No file of this process may be longer than a hundred kilobytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_what_stops_a_file_is_said_in_the_words_of_the_system(tmp_path):
    with pytest.raises(MediaError, match="cannot be written: File too large; choose another"):
        write_wav(tmp_path / "mix.wav", pieces(20), RATE, RATE)
    assert not list(tmp_path.iterdir())
