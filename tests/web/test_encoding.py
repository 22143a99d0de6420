"""Encoders of FLAC: few at once, and none longer than its client."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfa_engine.errors import BusyError, WorkerError
from sfa_engine.web import encoding
from sfa_engine.web.encoding import MAX_ENCODERS, MAX_OF_ONE, PROGRAM, Encoders, encoded
from sfa_engine.web.open_file import open_below
from sfa_engine.web.problem import Problem


def running():
    """Return the encoders that run: children of this process."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if PROGRAM.encode() in words:
            found.append(place.name)
    return found


@pytest.fixture
def noise(tmp_path):
    """Return a folder with a file that fills all buffers on the way, however slowly it is read."""
    sound = np.random.default_rng(3).integers(-20_000, 20_000, (44_100 * 60, 2), np.int16)
    soundfile.write(tmp_path / "noise.wav", sound, 44_100, "PCM_16")
    return tmp_path


@pytest.mark.slow
def test_an_encoder_waits_for_its_client_and_ends_with_it(noise):
    async def main():
        file = open_below(str(noise), "noise.wav")
        async with aclosing(encoded(file)) as pieces:
            assert (await anext(pieces)).startswith(b"fLaC")
            await asyncio.sleep(1.0)
            assert len(running()) == 1
        file.close()
        give_up_s = time.monotonic() + 20.0
        while running():
            assert time.monotonic() < give_up_s
            await asyncio.sleep(0.05)

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize(("subtype", "kept"), [("PCM_24", "PCM_24"), ("FLOAT", "PCM_24")])
def test_samples_are_kept(tmp_path, subtype, kept):
    sound = np.random.default_rng(3).uniform(-1.2, 1.2, (48_000, 1))
    soundfile.write(tmp_path / "x.wav", sound, 48_000, subtype)

    async def main():
        file = open_below(str(tmp_path), "x.wav")
        (tmp_path / "x.flac").write_bytes(b"".join([piece async for piece in encoded(file)]))
        file.close()

    asyncio.run(main())
    about = soundfile.info(tmp_path / "x.flac")
    assert (about.frames, about.samplerate, about.subtype) == (48_000, 48_000, kept)
    made, _ = soundfile.read(tmp_path / "x.flac")
    source, _ = soundfile.read(tmp_path / "x.wav")
    assert np.abs(made - np.clip(source, -1.0, 1.0)).max() < 2.0**-22


@pytest.mark.slow
def test_an_encoder_that_fails_is_an_error(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF....nothing")

    async def main():
        file = open_below(str(tmp_path), "x.wav")
        with pytest.raises(WorkerError, match="the encoder ended with 1"):
            await anext(encoded(file))
        file.close()

    asyncio.run(main())


def test_an_account_has_few_encoders_and_all_have_some():
    encoders = Encoders()
    given = [encoders.take(3) for _ in range(MAX_OF_ONE)]
    with pytest.raises(BusyError):
        encoders.take(3)
    given += [encoders.take(4) for _ in range(MAX_ENCODERS - MAX_OF_ONE)]
    with pytest.raises(BusyError):
        encoders.take(5)
    for give in given:
        give()
    encoders.take(3)


def test_a_stem_that_needs_zip64_is_no_part_of_a_zip_of_flac(noise, monkeypatch):
    monkeypatch.setattr(encoding, "MAX_SOURCE", 1000)
    file = open_below(str(noise), "noise.wav")
    with pytest.raises(Problem) as refused:
        encoding.check_sizes([file])
    file.close()
    assert refused.value.status == 422
