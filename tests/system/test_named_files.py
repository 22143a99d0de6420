"""Named files: whole or not at all, few enough, and by name; folders with a manifest too."""

import asyncio
import os

import pytest

from sfa_engine.errors import LibraryError, Refused
from sfa_engine.system import named_files
from sfa_engine.system.named_files import NamedFiles

MANIFEST = "thing.json"


def write_folder(path):
    path.mkdir(exist_ok=True)
    (path / MANIFEST).write_text(path.name)
    return path


@pytest.fixture
def files(tmp_path):
    return NamedFiles(tmp_path / "things", "thing", "sfa things", suffix=".json", max_bytes=100)


@pytest.fixture
def folders(tmp_path):
    return NamedFiles(tmp_path / "things", "thing", "sfa things", manifest=MANIFEST)


def save(files, name, text="x"):
    return asyncio.run(files.save(name, text))


def test_a_file_is_written_listed_read_and_removed(files):
    assert files.names() == []
    assert save(files, "b") == files.folder / "b.json"
    save(files, "a", "other")
    assert files.names() == ["a", "b"]
    assert files.read("a", bytes.decode) == "other"
    asyncio.run(files.remove("a"))
    assert files.names() == ["b"]
    for missing in (lambda: files.read("a", bytes), lambda: asyncio.run(files.remove("a"))):
        with pytest.raises(Refused, match='no thing "a"'):
            missing()


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../other", "a/b", "/etc/passwd"])
def test_no_name_leads_out_of_the_folder(files, name):
    for use in (files.path, files.exists, lambda name: files.read(name, bytes)):
        with pytest.raises(Refused, match="is not a name of a thing"):
            use(name)
    with pytest.raises(Refused, match="is not a name of a thing"):
        save(files, name)


def test_the_nearest_name_is_in_the_hint_and_those_known_elsewhere_too(files):
    save(files, "verse")
    assert 'did you mean "verse"' in files.absent("vers").hint
    assert 'did you mean "chorus"' in files.absent("chorsu", ["chorus"]).hint
    assert files.absent("q").hint == "list them: `sfa things`"


def test_a_folder_has_its_manifest_and_is_removed_and_renamed_whole(folders):
    asyncio.run(folders.write("a", write_folder))
    (folders.folder / "no manifest").mkdir()
    (folders.folder / ".hidden").mkdir()
    (folders.folder / ".hidden" / MANIFEST).write_text("")
    assert folders.names() == ["a"]
    asyncio.run(folders.rename("a", "b", lambda path: (path / MANIFEST).write_text("b")))
    assert (folders.path("b") / MANIFEST).read_text() == "b"
    asyncio.run(folders.write("c", write_folder))
    for wrong, sentence in ((("x", "y"), 'no thing "x"'), (("b", "c"), 'there is a thing "c"')):
        with pytest.raises(Refused, match=sentence):
            asyncio.run(folders.rename(*wrong, lambda _: None))
    asyncio.run(folders.remove("b"))
    assert folders.names() == ["c"]


def test_no_more_than_the_limit_are_written_but_each_may_be_replaced(files, monkeypatch):
    monkeypatch.setattr(named_files, "MAX_FILES", 2)
    for name in ("a", "b", "a"):
        save(files, name)
    with pytest.raises(Refused, match="there are 2 things"):
        save(files, "c")
    with pytest.raises(Refused, match='there is a thing "a"'):
        asyncio.run(files.write("a", lambda path: path, replace=False))


def test_a_file_that_is_too_long_or_invalid_is_named(files):
    save(files, "long", "x" * 101)
    with pytest.raises(Refused, match=r"long\.json has more than 0 kB"):
        files.read("long", bytes)
    save(files, "bad")

    def refuse(_content):
        raise Refused("no", "do otherwise")

    with pytest.raises(Refused, match=r"bad\.json: no; do otherwise"):
        files.read("bad", refuse)
    with pytest.raises(Refused, match=r"bad\.json is not valid"):
        files.read("bad", int)


def test_a_disk_that_refuses_is_told_and_leaves_the_old_file(files):
    save(files, "a", "old")
    path = files.path("a")

    def fail(_path):
        raise OSError(28, os.strerror(28), str(path))

    with pytest.raises(LibraryError, match=r"a\.json: No space left"):
        asyncio.run(files.write("a", fail))
    assert path.read_text() == "old"


def test_two_writers_at_once_do_not_pass_the_limit(files, monkeypatch):
    monkeypatch.setattr(named_files, "MAX_FILES", 1)

    async def both():
        return await asyncio.gather(
            *(files.save(name, "x") for name in "ab"), return_exceptions=True
        )

    results = asyncio.run(both())
    assert sum(isinstance(result, Refused) for result in results) == 1
    assert len(files.names()) == 1
