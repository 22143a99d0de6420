"""The reader of checkpoints: what was written is read, and damage is one line."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_writer import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.prep.tag.checkpoint import masked_crc, read_checkpoint

RNG = np.random.default_rng(1)
TENSORS = {
    "conv2d/bias": RNG.normal(size=3).astype(np.float32),
    "conv2d/kernel": RNG.normal(size=(7, 5, 1, 3)).astype(np.float32),
    "conv2d/kernel/Adam": np.zeros((7, 5, 1, 3), np.float32),
    "dense/bias": np.array(0.5, np.float32),
}
INDEX, DATA = checkpoint(TENSORS)


def test_tensors_are_read_with_their_shapes_but_the_state_of_the_training() -> None:
    found = read_checkpoint(INDEX, DATA)
    assert sorted(found) == ["conv2d/bias", "conv2d/kernel", "dense/bias"]
    for name, tensor in found.items():
        assert tensor.shape == TENSORS[name].shape
        assert np.array_equal(tensor, TENSORS[name])


def test_the_crc_is_that_of_the_format() -> None:
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720); masked: turned by 15 bits, plus a constant.
    crc = 0xE3069283
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc(b"123456789") == masked


def problem_of(index: bytes) -> str:
    """Return what is wrong with an index; empty if its tensors are right."""
    try:
        found = read_checkpoint(index, DATA)
    except MediaError as error:
        return str(error)
    assert len(found) == 3
    assert all(np.array_equal(found[name], TENSORS[name]) for name in found)
    return ""


@given(place=st.integers(0, len(INDEX) - 1), bit=st.integers(0, 7))
def test_each_flipped_bit_of_an_index_is_found_or_changes_nothing(place: int, bit: int) -> None:
    damaged = bytearray(INDEX)
    damaged[place] ^= 1 << bit
    problem = problem_of(bytes(damaged))
    # Without effect are the padding and the place of the statistics, in the footer.
    assert problem.startswith("damaged checkpoint: ") or (not problem and place >= len(INDEX) - 48)
    assert len(problem.splitlines()) <= 1


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_each_flipped_bit_of_a_tensor_is_found(place: int, bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1 << bit
    unread = TENSORS["conv2d/kernel/Adam"].nbytes
    begin = TENSORS["conv2d/bias"].nbytes + TENSORS["conv2d/kernel"].nbytes
    if begin <= place < begin + unread:
        assert len(read_checkpoint(INDEX, bytes(damaged))) == 3
        return
    with pytest.raises(MediaError, match="has another CRC"):
        read_checkpoint(INDEX, bytes(damaged))


@given(end=st.integers(0, len(INDEX) - 1))
def test_a_cut_index_is_refused(end: int) -> None:
    with pytest.raises(MediaError, match="damaged checkpoint"):
        read_checkpoint(INDEX[:end], DATA)


@given(end=st.integers(0, len(DATA) - 1))
def test_cut_data_are_refused(end: int) -> None:
    with pytest.raises(MediaError, match="is not where its entry says"):
        read_checkpoint(INDEX, DATA[:end])


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(content: bytes) -> None:
    for index in (content, content + INDEX[-48:]):
        with pytest.raises(MediaError, match="damaged checkpoint"):
            read_checkpoint(index, content)
