"""The user's MIDI profiles are saved whole, listed and removed."""

import asyncio

import pytest

from sfa_engine.backstage.verbs.profiles import ProfileVerbs
from sfa_engine.errors import LibraryError, Refused

TEXT = 'name = "mine"\ntitle = "Mine"\n'


@pytest.fixture
def verbs(tmp_path):
    return ProfileVerbs(tmp_path)


def test_a_profile_is_saved_replaced_listed_and_removed(verbs, tmp_path):
    assert asyncio.run(verbs.profiles_list())["profiles"] == []
    said = asyncio.run(verbs.profiles_save("mine", TEXT))
    assert said["path"] == str(tmp_path / "profiles" / "mine.toml")
    asyncio.run(verbs.profiles_save("mine", TEXT + "# more\n"))
    assert (tmp_path / "profiles" / "mine.toml").read_text() == TEXT + "# more\n"
    assert asyncio.run(verbs.profiles_list())["profiles"] == ["mine"]
    asyncio.run(verbs.profiles_remove("mine"))
    assert asyncio.run(verbs.profiles_list())["profiles"] == []
    with pytest.raises(Refused, match='"mine"'):
        asyncio.run(verbs.profiles_remove("mine"))


def test_what_is_no_profile_of_that_name_is_refused_and_nothing_is_written(verbs, tmp_path):
    for text in ("not toml", "", 'name = "other"', "[" * 100_000):
        with pytest.raises(Refused):
            asyncio.run(verbs.profiles_save("mine", text))
    assert not (tmp_path / "profiles").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "profiles").write_text("a file")
    with pytest.raises(LibraryError, match="profiles"):
        asyncio.run(ProfileVerbs(tmp_path).profiles_save("mine", TEXT))
