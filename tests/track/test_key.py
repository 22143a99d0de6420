"""Keys: many spellings in, one out, and the Camelot wheel there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import MediaError
from sfa_engine.track.key import KEYS, camelot, distance, match, parse_key, shifted, signature

KNOWN = {  # the wheel as it is printed everywhere
    "1A": "G# minor", "2A": "Eb minor", "3A": "Bb minor", "4A": "F minor", "5A": "C minor",
    "6A": "G minor", "7A": "D minor", "8A": "A minor", "9A": "E minor", "10A": "B minor",
    "11A": "F# minor", "12A": "C# minor", "1B": "B major", "2B": "F# major", "3B": "Db major",
    "4B": "Ab major", "5B": "Eb major", "6B": "Bb major", "7B": "F major", "8B": "C major",
    "9B": "G major", "10B": "D major", "11B": "A major", "12B": "E major",
}  # fmt: skip


def test_the_wheel_is_the_one_on_every_dj_program():
    assert {camelot(key): key for key in KEYS} == KNOWN


@given(st.sampled_from(KEYS))
def test_a_key_comes_back_from_its_camelot_code(key):
    assert parse_key(camelot(key)) == key
    assert parse_key(key) == key


@given(st.integers(1, 12), st.sampled_from("ABab"), st.booleans())
def test_a_camelot_code_comes_back_from_its_key(number, letter, padded):
    code = f"{number:02}{letter}" if padded else f"{number}{letter}"
    assert camelot(parse_key(code)) == f"{number}{letter.upper()}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A minor", "A minor"), ("a minor", "A minor"), ("Am", "A minor"), ("AMIN", "A minor"),
        ("a-Moll", "A minor"), ("A", "A major"), ("AM", "A major"), ("A Dur", "A major"),
        ("Gbmaj", "F# major"), ("F♯m", "F# minor"), ("B flat minor", "Bb minor"),
        ("D# minor", "Eb minor"), ("Abm", "G# minor"), ("Cb", "B major"), ("bb", "Bb major"),
        (" 8a ", "A minor"), ("08B", "C major"),
    ],
)  # fmt: skip
def test_usual_spellings_are_read(text, key):
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "H minor", "0A", "13A", "8C", "minor", "A minorish", "A##"])
def test_what_is_no_key_is_refused_with_examples(text):
    with pytest.raises(MediaError, match="is not a valid key") as caught:
        parse_key(text)
    assert "8A" in caught.value.hint


@given(st.text(max_size=12))
def test_no_text_brings_anything_but_a_media_error(text):
    try:
        key = parse_key(text)
    except MediaError:
        return
    assert key in KEYS


@given(st.sampled_from(KEYS), st.integers(-24, 24), st.integers(-24, 24))
def test_shifts_add_up_and_an_octave_is_none(key, one, other):
    assert shifted(shifted(key, one), other) == shifted(key, one + other)
    assert shifted(key, 12) == key


@given(st.sampled_from(KEYS), st.sampled_from(KEYS))
def test_distance_on_the_wheel_is_the_same_both_ways(one, other):
    assert distance(one, other) == distance(other, one) <= 7
    assert (distance(one, other) == 0) == (one == other)
    assert distance("A minor", "C major") == distance("A minor", "E minor") == 1


@given(st.sampled_from(KEYS), st.sampled_from(KEYS), st.floats(-3, 3), st.floats(-3, 3))
def test_a_matched_key_fits_and_is_near(key, other, above, natural):
    heard = match(key, other, above, natural)
    assert abs(heard - natural) <= 3.5 + 1e-9
    fits = distance(shifted(key, round(heard - above)), other)
    assert fits <= 1 or (fits == 2 and key.split()[1] != other.split()[1])


def test_a_key_that_fits_is_not_shifted():
    for key in KEYS:
        for other in KEYS:
            if distance(key, other) <= 1:
                assert match(key, other) == 0.0


@given(st.sampled_from(KEYS), st.integers(-24, 24))
def test_relative_keys_have_one_signature_and_a_shift_adds_to_it(key, semitones):
    assert (signature(shifted(key, semitones)) - signature(key) - semitones) % 12 == 0
    assert signature("A minor") == signature("C") == signature("8A") == 0
    assert signature("") == signature(None) == -1
