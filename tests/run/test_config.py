"""The configuration: every key optional, nothing unknown accepted."""

import contextlib

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.run.config import Config, backstage_settings, load_config
from sfa_engine.run.folders import config_path, runtime_path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def test_without_a_file_everything_is_as_it_comes(file):
    assert load_config(file) == Config()


def test_a_file_that_is_named_must_be_there(file, monkeypatch):
    monkeypatch.setenv("SFA_CONFIG", str(file))
    with pytest.raises(Refused, match="file not found; correct SFA_CONFIG, or unset it"):
        load_config()
    file.write_text("[audio]\nrate = 0\n")
    assert load_config() == Config()


@pytest.mark.parametrize("base", [None, "", "relative", "/srv/settings"])
def test_the_file_is_in_the_folder_of_platformdirs(base, monkeypatch, tmp_path):
    monkeypatch.delenv("SFA_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if base is None:
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", base)
    assert config_path() == platformdirs.user_config_path("sfa") / "config.toml"


def test_what_is_written_is_taken(file):
    file.write_text('[audio]\ndevice = 3\nrate = 44100\nchannels = 4\n[library]\npcm = "f32"\n')
    config = load_config(file)
    assert (config.audio.device, config.audio.rate, config.audio.channels) == ("3", 44_100.0, 4)
    assert config.library.pcm == "f32"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[audioo]\n", 'did you mean "audio"'),
        ("[audio]\nblok = 64\n", 'did you mean "block"'),
        ("[audio]\nblock = 1\n", "from 16 to 8192"),
        ("[audio]\nblock = 'a'\n", "give a whole number"),
        ("[audio]\nblock = true\n", "give a whole number"),
        ("[audio]\nrate = 'a'\n", "give a number"),
        ("[audio]\ndevice = []\n", "give a text"),
        ("[audio]\nchannels = 3\n", "2 or 4"),
        ("[audio]\nrate = nan\n", "from 8000 to 192000, or 0"),
        ("[audio]\nrate = 7\n", "from 8000 to 192000, or 0"),
        ("[audio]\nrate = -1\n", "from 8000 to 192000, or 0"),
        ("[library]\nrate = 0\n", "from 8000 to 192000"),
        ("[library]\nrate = 1" + "0" * 400 + "\n", "from 8000 to 192000"),
        ("[audio]\nrate = 1" + "0" * 400 + "\n", "give a number"),
        ("audio = 5\n", "not a section"),
        ("[audio\n", "not TOML"),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_value(file, text, sentence):
    file.write_text(text)
    with pytest.raises(Refused) as refusal:
        load_config(file)
    assert sentence in str(refusal.value)
    assert str(file) in str(refusal.value)


@given(text=st.text(max_size=200))
def test_any_text_is_a_configuration_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("config") / "config.toml"
    file.write_text(text, errors="surrogatepass" if text.isascii() else "replace")
    with contextlib.suppress(Refused):
        load_config(file)


@pytest.mark.parametrize("folder", ["tracks", "~nobody-of-that-name/tracks"])
@pytest.mark.parametrize("key", ["library.folder", "separation.models"])
def test_a_folder_that_is_not_whole_is_refused(file, key, folder):
    section, name = key.split(".")
    file.write_text(f'[{section}]\n{name} = "{folder}"\n')
    with pytest.raises(Refused, match=rf"{key} is .*write an absolute path"):
        backstage_settings(load_config(file))


def test_the_runtime_folder_is_closed_to_others(monkeypatch, tmp_path):
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / "r"))
    assert runtime_path().stat().st_mode & 0o777 == 0o700


def test_a_runtime_folder_too_long_for_a_socket_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SFA_RUNTIME", str(tmp_path / ("x" * 100)))
    with pytest.raises(Refused, match="too long"):
        runtime_path()
