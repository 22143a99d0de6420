"""Zip archives whose length is known before their files are read."""

import io
import subprocess
import time
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.web.zip_layout import LIMIT, Layout, Member

MODIFIED_S = 1_700_000_000.0


def written(contents, limit=LIMIT):
    """Return an archive of contents by name, and its layout."""
    layout = Layout([Member(name, len(data), MODIFIED_S) for name, data in contents], limit)
    archive = bytearray()
    crcs = []
    for member, (_, data) in zip(layout.members, contents, strict=True):
        crcs.append(zlib.crc32(data))
        archive += layout.header(member) + data + layout.descriptor(member, crcs[-1])
    archive += layout.directory(crcs)
    return bytes(archive), layout


@given(
    st.lists(
        st.tuples(st.text("abcü ", min_size=1, max_size=8), st.binary(max_size=300)),
        max_size=5,
        unique_by=lambda each: each[0],
    ),
    st.sampled_from([0, 1, 50, 200, LIMIT]),
)
def test_an_archive_is_read_by_the_library_and_is_as_long_as_said(contents, limit):
    archive, layout = written(contents, limit)
    assert len(archive) == layout.size
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        assert read.testzip() is None
        assert [(each.filename, read.read(each)) for each in read.infolist()] == contents
        for each in read.infolist():
            assert time.mktime((*each.date_time, 0, 0, -1)) == MODIFIED_S


@pytest.mark.parametrize("limit", [0, LIMIT])
def test_an_archive_is_unpacked_by_a_program(tmp_path, limit):
    archive, _ = written([("Ä - b/vocals.wav", b"x" * 1000), ("Ä - b/drums.wav", b"")], limit)
    (tmp_path / "a.zip").write_bytes(archive)
    try:
        done = subprocess.run(["unzip", "-t", tmp_path / "a.zip"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unzip")
    assert done.returncode == 0, done.stdout + done.stderr


def test_sizes_of_an_archive_above_four_gibibytes():
    members = [Member("a", 3 << 30, MODIFIED_S), Member("b", 5 << 30, MODIFIED_S)]
    layout = Layout([*members, Member("c", 1, MODIFIED_S)])
    directory = layout.directory([1, 2, 3])
    files = sum(
        len(layout.header(each)) + each.size + len(layout.descriptor(each, 0))
        for each in layout.members
    )
    assert layout.size == files + len(directory)
    # zipfile reads the directory alone if what precedes it is counted as missing
    read = zipfile.ZipFile(_Sparse(files, directory))
    assert [(each.file_size, each.CRC) for each in read.infolist()] == [
        (3 << 30, 1),
        (5 << 30, 2),
        (1, 3),
    ]
    assert read.infolist()[2].header_offset > 8 << 30


class _Sparse(io.RawIOBase):
    """A file of zeros with an end."""

    def __init__(self, zeros, end):
        self.zeros, self.end, self.at = zeros, end, 0

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, offset, whence=0):
        size = self.zeros + len(self.end)
        self.at = {0: 0, 1: self.at, 2: size}[whence] + offset
        if self.at < 0:
            raise OSError(22, "before the beginning")
        return self.at

    def read(self, count=-1):
        start = self.at - self.zeros
        assert start >= 0
        found = self.end[start:] if count < 0 else self.end[start : start + count]
        self.at += len(found)
        return found
