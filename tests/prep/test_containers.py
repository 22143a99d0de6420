"""Containers of PCM: whatever the header looks like, the sound is what libsndfile reads too."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.prep.decode import decode
from sfa_engine.prep.repair import Splice, SplicedFile

RATE = 48_000
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")
SOUND = (0.6 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)).astype(np.float64)


def packed(valid: int, container: int, sound: np.ndarray = SOUND) -> bytes:
    """Return samples with the valid bits at the upper end of their container."""
    steps = np.round(sound * (1 << (valid - 1))).astype(np.int64) << (container - valid)
    if container == 8:
        return (steps + 128).astype("u1").tobytes()
    return steps.astype("<i8").view("u1").reshape(-1, 8)[:, : container // 8].tobytes()


def extensible(valid: int, container: int, guid: bytes = PCM_GUID, bits: int = 0) -> bytes:
    align = container // 8
    return (
        struct.pack(
            "<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * align, align, bits or container, 22, valid, 4
        )
        + guid
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(fmt: bytes, data: bytes, *before: bytes) -> bytes:
    body = b"WAVE" + b"".join(before) + chunk(b"fmt ", fmt) + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def rf64(fmt: bytes, data: bytes) -> bytes:
    ds64 = struct.pack("<QQQI", 0, len(data), len(data), 0)
    body = b"WAVE" + chunk(b"ds64", ds64) + chunk(b"fmt ", fmt) + b"data\xff\xff\xff\xff" + data
    return b"RF64\xff\xff\xff\xff" + body


def w64(fmt: bytes, data: bytes) -> bytes:
    def part(name: bytes, body: bytes, tail: str = "f3acd3118cd100c04f8edb8a") -> bytes:
        whole = name + bytes.fromhex(tail) + struct.pack("<Q", 24 + len(body)) + body
        return whole + bytes(-len(whole) % 8)

    wave = b"wave" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
    body = wave + part(b"fmt ", fmt) + part(b"data", data)
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return head + struct.pack("<Q", 24 + len(body)) + body


def check(path: Path, content: bytes, bits: int) -> None:
    path.write_bytes(content)
    decoded = decode(path)
    assert decoded.sound.shape == (len(SOUND), 2)
    np.testing.assert_allclose(decoded.sound[:, 0], SOUND, atol=1.5 / (1 << (bits - 1)))
    assert not decoded.truncated


@pytest.mark.parametrize(
    ("valid", "container"),
    [(24, 32), (20, 32), (16, 32), (20, 24), (16, 24), (12, 24), (12, 16), (8, 16), (24, 24)],
)
@pytest.mark.parametrize("write", [riff, rf64, w64])
def test_fewer_valid_bits_than_the_container_has_are_its_upper_ones(
    tmp_path, write, valid, container
):
    content = write(extensible(valid, container), packed(valid, container))
    check(tmp_path / "x.wav", content, valid)


@pytest.mark.parametrize(("valid", "stated"), [(0, 32), (32, 24), (40, 32)])
def test_valid_bits_that_cannot_be_are_those_of_the_container(tmp_path, valid, stated):
    content = riff(extensible(valid, 32, bits=stated), packed(32, 32))
    check(tmp_path / "x.wav", content, 24)


def test_floats_are_floats_whatever_valid_bits_are_stated(tmp_path):
    content = riff(extensible(24, 32, FLOAT_GUID), SOUND.astype("<f4").tobytes())
    check(tmp_path / "x.wav", content, 24)


def test_chunks_of_odd_length_before_the_format_do_no_harm(tmp_path):
    before = (chunk(b"JUNK", bytes(27)), chunk(b"bext", b"x" * 603), chunk(b"iXML", b"<a/>x"))
    content = riff(extensible(20, 32), packed(20, 32), *before)
    check(tmp_path / "x.wav", content, 20)


def plain(bits: int, container: int) -> bytes:
    align = container // 8
    return struct.pack("<HHIIHH", 1, 1, RATE, RATE * align, align, bits)


@pytest.mark.parametrize(
    ("bits", "container"), [(24, 32), (20, 32), (16, 32), (20, 24), (16, 24), (12, 16), (8, 16)]
)
@pytest.mark.parametrize("write", [riff, rf64, w64])
def test_a_header_without_valid_bits_may_state_fewer_than_the_container_has(
    tmp_path, write, bits, container
):
    content = write(plain(bits, container), packed(bits, container))
    check(tmp_path / "x.wav", content, bits)


@pytest.mark.parametrize("level", [1.0, 1e-3])
@pytest.mark.parametrize("quiet", [0, RATE])
def test_24_bits_at_the_lower_end_of_32_have_their_level(tmp_path, level, quiet):
    """As ``arecord -f S24_LE`` writes them."""
    sound = SOUND * level
    sound[:quiet] = 0.0
    steps = np.round(sound * (1 << 23)).astype("<i4")
    path = tmp_path / "x.wav"
    path.write_bytes(riff(plain(24, 32), steps.tobytes()))
    decoded = decode(path).sound
    assert len(decoded) == len(sound)
    np.testing.assert_allclose(decoded[:, 0], sound, atol=2.0 / (1 << 23))


@pytest.mark.parametrize("level", [1.0, 1e-5])
def test_floats_of_24_bits_are_floats(tmp_path, level):
    """As Cool Edit writes them: a header of 24 bits in 32, floats up to 2^23."""
    path = tmp_path / "x.wav"
    path.write_bytes(riff(plain(24, 32), (SOUND * level * (1 << 23)).astype("<f4").tobytes()))
    np.testing.assert_allclose(decode(path).sound[:, 0], SOUND * level, atol=1.0 / (1 << 23))


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize(
    ("bits", "container"), [(24, 32), (20, 32), (20, 24), (16, 24), (12, 16), (24, 24)]
)
def test_a_caf_may_state_fewer_bits_than_its_container_has(tmp_path, bits, container, order):
    size = container // 8
    data = packed(bits, container)
    if order == "big":
        data = np.frombuffer(data, "u1").reshape(-1, size)[:, ::-1].tobytes()
    desc = struct.pack(">d4s5I", RATE, b"lpcm", 2 * (order == "little"), size, 1, 1, bits)
    body = b"desc" + struct.pack(">q", len(desc)) + desc
    body += b"data" + struct.pack(">qI", 4 + len(data), 0) + data
    check(tmp_path / "x.caf", b"caff\0\1\0\0" + body, bits)


FORMS = [
    ("WAV", "PCM_U8", "FILE", 7), ("WAV", "ALAW", "FILE", 5), ("WAV", "ULAW", "FILE", 5),
    ("WAV", "PCM_16", "BIG", 16), ("WAV", "DOUBLE", "FILE", 24), ("WAVEX", "PCM_24", "FILE", 24),
    ("RF64", "PCM_24", "FILE", 24), ("W64", "FLOAT", "FILE", 24), ("AIFF", "PCM_24", "FILE", 24),
    ("AIFF", "PCM_16", "LITTLE", 16), ("AIFF", "FLOAT", "FILE", 24), ("AIFF", "PCM_S8", "FILE", 7),
    ("AIFF", "ALAW", "FILE", 5), ("CAF", "PCM_32", "FILE", 24), ("CAF", "PCM_24", "LITTLE", 24),
    ("CAF", "ALAC_24", "FILE", 24),
]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype", "endian", "bits"), FORMS)
def test_every_kind_of_pcm_has_its_level_and_length(tmp_path, form, subtype, endian, bits):
    path = tmp_path / f"x.{form.lower()}"
    soundfile.write(path, SOUND, RATE, subtype=subtype, endian=endian, format=form)
    decoded = decode(path)
    assert len(decoded.sound) == len(SOUND)
    np.testing.assert_allclose(decoded.sound[:, 0], SOUND, atol=1.5 / (1 << (bits - 1)))


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF", "CAF"])
def test_a_file_of_pcm_that_is_cut_says_so(tmp_path, form):
    path = tmp_path / "x.wav"
    soundfile.write(path, SOUND, RATE, subtype="PCM_24", format=form)
    path.write_bytes(path.read_bytes()[: RATE * 3 * 3 // 2])
    decoded = decode(path)
    assert decoded.truncated
    assert len(decoded.sound) == pytest.approx(1.5 * RATE, abs=4096)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_spliced_file_reads_as_its_pieces(data):
    content = data.draw(st.binary(max_size=200))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    splices = [Splice(begin, end, data.draw(st.binary(max_size=20))) for begin, end in pairs]
    wanted, at = b"", 0
    for splice in splices:
        wanted += content[at : splice.begin] + splice.content
        at = splice.end
    wanted += content[at:]
    file = SplicedFile(io.BytesIO(content), splices)
    assert file.read() == wanted
    for _ in range(5):
        at, count = data.draw(st.integers(0, 300)), data.draw(st.integers(0, 100))
        assert file.seek(at) == at
        assert file.read(count) == wanted[at : at + count]
    assert file.seek(0, io.SEEK_END) == len(wanted)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["riff", "rf64", "w64"]),
    st.binary(min_size=0, max_size=60),
    st.integers(0, 200),
)
def test_a_header_of_anything_is_decoded_or_refused(tmp_path_factory, kind, noise, at):
    write = {"riff": riff, "rf64": rf64, "w64": w64}[kind]
    content = bytearray(write(extensible(20, 32), packed(20, 32, SOUND[:RATE])))
    content[at : at + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "noise.wav"
    path.write_bytes(content)
    try:
        decoded = decode(path)
    except MediaError:
        return
    assert np.isfinite(decoded.sound).all()
