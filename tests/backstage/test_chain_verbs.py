"""Chains of effects are saved whole, listed and deleted."""

import asyncio

import pytest

from sfa_engine.backstage.verbs.chains import ChainVerbs
from sfa_engine.desk.chains import BUILT_IN, check_chain
from sfa_engine.errors import LibraryError, Refused

CHAIN = check_chain({"mode": "send", "mix": 30.0, "slots": [{"kind": "echo", "knobs": [1, 2, 3]}]})


@pytest.fixture
def verbs(tmp_path):
    return ChainVerbs(tmp_path)


def test_a_chain_is_saved_read_listed_and_deleted(verbs, tmp_path):
    assert asyncio.run(verbs.chains_list())["chains"] == []
    said = asyncio.run(verbs.chains_save("mine", CHAIN))
    assert said["path"] == str(tmp_path / "chains" / "mine.json")
    assert asyncio.run(verbs.chains_get("mine")) == CHAIN
    listed = asyncio.run(verbs.chains_list())
    assert (listed["chains"], listed["built_in"]) == (["mine"], list(BUILT_IN))
    asyncio.run(verbs.chains_delete("mine"))
    assert asyncio.run(verbs.chains_list())["chains"] == []
    for verb in (verbs.chains_delete, verbs.chains_get):
        with pytest.raises(Refused, match='"mine"'):
            asyncio.run(verb("mine"))


def test_what_is_built_in_is_read_and_stays(verbs):
    assert asyncio.run(verbs.chains_get("dub")) == BUILT_IN["dub"]
    for change in (verbs.chains_save("dub", CHAIN), verbs.chains_delete("dub")):
        with pytest.raises(Refused, match="built in"):
            asyncio.run(change)


def test_what_is_no_chain_is_refused_and_nothing_is_written(verbs, tmp_path):
    with pytest.raises(Refused, match="mixx"):
        asyncio.run(verbs.chains_save("mine", {"mixx": 3}))
    assert not (tmp_path / "chains").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"x" * 200_000, b"[]"])
def test_a_damaged_file_is_told_with_its_path(verbs, tmp_path, content):
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains" / "mine.json").write_bytes(content)
    with pytest.raises(Refused, match=r"mine\.json"):
        asyncio.run(verbs.chains_get("mine"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "chains").write_text("a file")
    with pytest.raises(LibraryError, match="chains"):
        asyncio.run(ChainVerbs(tmp_path).chains_save("mine", CHAIN))
