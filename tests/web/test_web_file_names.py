"""Names of files that are sent and received."""

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.system.file_names import MAX_BYTES, safe_name
from sfa_engine.web.file_names import attachment


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("song.mp3", "song.mp3"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\0b\r\nc.wav", "ab c.wav"),
        ("AC/DC - T.N.T.", "AC_DC - T.N.T"),
        ("CON", "_CON"),
        ("con.wav", "_con.wav"),
        ("COM1.tar.flac", "_COM1.tar.flac"),
        ("Contact.wav", "Contact.wav"),
        ("...", "file"),
        ("", "file"),
        ("///", "file"),
        ("e\u0301.wav", "\u00e9.wav"),
        ("evil\u202egpj.wav", "evilgpj.wav"),
        (".hidden.wav", "hidden.wav"),
    ],
)
def test_a_name_is_made_safe(text, name):
    assert safe_name(text) == name


@given(st.text(max_size=400))
def test_any_text_becomes_a_name_of_one_file(text):
    name = safe_name(text)
    assert 0 < len(name.encode()) <= MAX_BYTES + 1
    assert not set(name) & set('/\\:*?"<>|\0\r\n')
    assert name[0] not in " ."
    assert name[-1] not in " ."
    assert unicodedata.is_normalized("NFC", name)
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)


def test_a_long_name_keeps_its_ending():
    name = safe_name("ü" * 400 + ".flac")
    assert name.endswith("ü.flac")
    assert len(name.encode()) <= MAX_BYTES


@given(st.text(max_size=100).map(safe_name))
def test_the_header_carries_any_name(name):
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    _, _, encoded = header.partition("filename*=UTF-8''")
    plain = header.partition('filename="')[2].partition('"')[0]
    assert (unquote(encoded) if encoded else plain) == name
    assert plain
