"""Mutated files of each XML format: a collection or a MediaError, never anything else.

A share of what was run once by hand: 100,000 inputs for each format.
"""

import random
import re
from collections import Counter
from itertools import chain

import pytest
from test_apple_xml import SAMPLE as APPLE
from test_rekordbox_xml import SAMPLE as REKORDBOX
from test_traktor_nml import SAMPLE as TRAKTOR
from test_virtualdj_xml import SAMPLE as VIRTUALDJ

from sfa_engine.errors import MediaError
from sfa_engine.interchange import (
    apple_xml,
    rekordbox_xml,
    traktor3_nml,
    traktor_nml,
    virtualdj_xml,
)
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.track.media import check_drifts

FORMATS = {
    "rekordbox": (rekordbox_xml.read, REKORDBOX),
    "traktor": (traktor_nml.read, TRAKTOR.format(version=19)),
    "virtualdj": (virtualdj_xml.read, VIRTUALDJ),
    "apple": (apple_xml.read, APPLE),
}
WRITERS = (rekordbox_xml.write, traktor_nml.write, traktor3_nml.write)
VALUES = [
    "", " ", "0", "-0", "-1", "NaN", "inf", "-inf", "1e999", "1e-320", "9" * 30, "9" * 5000,
    "0x10", "1_0", "1,5", "1.2.3", "+5", "&#x1F600;", "&#9;", "&#0;", "&#xD800;", "&x;", "\uff11",
    "86401", "0.0000001", "32", "255", "file:///%00", "file://%FF/%", "C:\\", "//",
    "/:/:", "2020-02-30", "0000-00-00", "#fffff", "x" * 300,
]  # fmt: skip
INSERTED = [
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"<", b">", b"&", b'"', b"]]>", b"<![CDATA[", b"<!--",
    b"<!DOCTYPE a [", b"<!ENTITY b 'c'>", b"<?xml version='1.0' encoding='utf-7'?>",
    b"\xef\xbb\xbf",
]  # fmt: skip
_VALUE = re.compile(r'="[^"]*"|>[^<>\n]+<')
_TAG = re.compile(r"<[^<>]+>")


def mutated(text, chance):
    """Return a text with a few random changes of values, of tags, or of bytes."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        if kind < 0.6:
            places = list(_VALUE.finditer(text))
            place = chance.choice(places)
            mark = place[0][0]
            value = chance.choice(VALUES)
            new = f'="{value}"' if mark == "=" else f">{value}<"
            text = text[: place.start()] + new + text[place.end() :]
        elif kind < 0.8:
            tags = list(_TAG.finditer(text))
            one, other = chance.choice(tags), chance.choice(tags)
            new = chance.choice(["", one[0] * 2, other[0]])
            text = text[: one.start()] + new + text[one.end() :]
        else:
            raw = bytearray(text.encode("utf-8", "replace"))
            at = chance.randrange(len(raw))
            what = chance.random()
            if what < 0.3:
                raw[at] ^= 1 << chance.randrange(8)
            elif what < 0.6:
                raw[at:at] = chance.choice(INSERTED)
            elif what < 0.8:
                del raw[at : at + chance.randrange(200)]
            else:
                del raw[at:]
            return bytes(raw)
    return text.encode("utf-8", "surrogatepass")


def check(read, content, path, writers=()):
    """Read a file; its grids can be used, its texts stored, and all of it written again."""
    path.write_bytes(content)
    try:
        found = read(path)
    except MediaError as refused:
        return "refused" if refused.hint else "refused without a hint"
    for track in found.tracks:
        if track.grid is not None:
            check_drifts(track.grid, GRID_RATE)
    texts = chain(
        (track.location + track.title + track.name for track in found.tracks),
        (loss.where + loss.what + loss.why for loss in found.losses),
    )
    "".join(texts).encode()
    assert len({track.key for track in found.tracks}) == len(found.tracks)
    for write in writers:
        write(found, path.with_name("again"))
    return "read"


@pytest.mark.parametrize("name", FORMATS)
def test_a_mutated_file_is_read_or_refused(name, tmp_path):
    read, sample = FORMATS[name]
    chance = random.Random(1)
    results = Counter(
        check(read, mutated(sample, chance), tmp_path / "file.xml", WRITERS[index % 10 :])
        for index in range(150)
    )
    assert set(results) == {"read", "refused"}
    assert min(results.values()) > 10
