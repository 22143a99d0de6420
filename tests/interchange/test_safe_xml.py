"""The XML reader: bombs, limits and encodings; what it passes on, and in how much memory."""

import os
import tracemalloc

import pytest

from sfa_engine.errors import MediaError
from sfa_engine.interchange import safe_xml
from sfa_engine.interchange.safe_xml import walk


def read(path):
    return list(walk(path, "list", "a", lambda _above, tag: tag == "t"))


def read_text(folder, text):
    path = folder / "file.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path)


def test_subtrees_are_passed_on_at_their_end_and_others_at_their_start(tmp_path):
    text = "<a><b x='1'><t y='2'>one<c/>two</t></b><t><t/></t></a>"
    found = read_text(tmp_path, text)
    assert [("".join(each.tag for each in above), element.tag) for above, element in found] == [
        ("", "a"),
        ("a", "b"),
        ("ab", "t"),
        ("a", "t"),
    ]
    tree = found[2][1]
    assert (tree.attributes, tree.text, [each.tag for each in tree.children]) == (
        {"y": "2"},
        "onetwo",
        ["c"],
    )
    assert tree.child("c").tag == "c"
    assert tree.child("missing").attributes == {}
    assert found[2][0][1].attributes == {"x": "1"}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE a [{LAUGHS}]><a><t>&l11;</t></a>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><t>&x;</t></a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost:1/x">%x;]><a/>',
        "<!DOCTYPE a []><a/>",
        '<!DOCTYPE a [<!ATTLIST t z CDATA "1">]><a/>',
    ],
)
def test_a_document_type_with_entities_is_refused(tmp_path, text):
    with pytest.raises(MediaError, match="defines entities: line 1") as raised:
        read_text(tmp_path, text)
    assert raised.value.hint


def test_an_external_document_type_is_not_fetched(tmp_path):
    text = '<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd"><a><t x="&y;">&z;1</t></a>'
    assert read_text(tmp_path, text)[1][1].text == "1"


@pytest.mark.parametrize("text", ["<a><t>&x;</t></a>", "<a><t x='&x;'/></a>", "<a>&#0;</a>"])
def test_an_entity_that_is_not_defined_is_damage(tmp_path, text):
    with pytest.raises(MediaError, match="line 1"):
        read_text(tmp_path, text)


def test_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_xml, "MAX_ELEMENTS", 1000)
    monkeypatch.setattr(safe_xml, "MAX_SUBTREE", 1000)
    monkeypatch.setattr(safe_xml, "MAX_SUBTREE_BYTES", 3 << 20)
    deep = "<b>" * 100
    text = "x" * (1 << 20)
    for content, words in {
        f"<a>{deep}": "64 elements in each other",
        f"<a><t>{deep}": "64 elements in each other",
        f"<a>{'<b/>' * 1001}": "more than 1000 elements",
        f"<a><t>{'<b/>' * 1001}": "more than 1000 elements in one",
        f"<a><t>{text}x": "a text of more than 1024 kB",
        f"<a><t>{f'<b>{text}</b>' * 4}": "an element of more than 3 MB",
        f"<a><t x='{text}{text}": "a tag of more than 1024 kB",
        f"<a><!--{text}{text}": "a tag of more than 1024 kB",
    }.items():
        with pytest.raises(MediaError, match=words) as raised:
            read_text(tmp_path, content)
        assert raised.value.hint


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "file.xml"
    with path.open("wb") as file:
        file.truncate(safe_xml.MAX_FILE_BYTES + 1)  # sparse
    with pytest.raises(MediaError, match="has 1024 MB"):
        read(path)


def test_what_is_not_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in {
        tmp_path: "is not a file",
        tmp_path / "pipe": "is not a file",
        tmp_path / "none": "cannot read",
    }.items():
        with pytest.raises(MediaError, match=words) as raised:
            read(path)
        assert raised.value.hint


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
def test_encodings_are_read(tmp_path, encoding):
    named = encoding.removesuffix("-sig").replace("cp", "windows-")
    text = f'<?xml version="1.0" encoding="{named}"?><a><t x="é"/></a>'
    assert read_text(tmp_path, text.encode(encoding))[1][1].attributes == {"x": "é"}


@pytest.mark.parametrize("encoding", ["utf-7", "shift-jis", "hex", "undefined", "x" * 100, "rot13"])
def test_encodings_that_cannot_be_read_are_refused(tmp_path, encoding):
    with pytest.raises(MediaError) as raised:
        read_text(tmp_path, f'<?xml version="1.0" encoding="{encoding}"?><a/>')
    assert raised.value.hint


@pytest.mark.parametrize(
    "text", ["", "\0", "text", "<a>", "<a/><a/>", "<a/>x", "<a></b>", "<a x=1/>", "<a x='' x=''/>"]
)
def test_damage_is_refused_with_its_line(tmp_path, text):
    with pytest.raises(MediaError, match=r"damaged or not a list: line 1: ") as raised:
        read_text(tmp_path, text)
    assert raised.value.hint


def test_memory_is_that_of_one_subtree(tmp_path):
    path = tmp_path / "file.xml"
    with path.open("w") as file:
        file.write("<a>")
        for number in range(20_000):
            file.write(f'<t name="{number:0100}"><b/><b/></t>')
        file.write("</a>")
    tracemalloc.start()
    try:
        count = sum(1 for _ in walk(path, "list", "a", lambda _above, tag: tag == "t"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_001
    assert peak < 4e6  # of 2.6 MB
