"""Paths as a user writes them, also those that lead nowhere."""

from pathlib import Path

from sfa_engine.system.user_path import real_path, user_path


def test_a_tilde_is_the_home_folder_of_a_user_that_there_is(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/music")
    assert user_path("~/kick.wav") == Path("/srv/music/kick.wav")
    assert user_path("~no-such-user/kick.wav") == Path("~no-such-user/kick.wav")
    assert user_path("kick.wav") == Path("kick.wav")


def test_links_are_followed_as_far_as_they_lead(tmp_path):
    (tmp_path / "kick.wav").touch()
    (tmp_path / "link.wav").symlink_to("kick.wav")
    (tmp_path / "circle.wav").symlink_to("circle.wav")
    assert real_path(tmp_path / "link.wav") == real_path(tmp_path) / "kick.wav"
    assert real_path(tmp_path / "circle.wav").name == "circle.wav"
