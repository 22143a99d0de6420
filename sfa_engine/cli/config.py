"""Where things are, and how the user wants them.

Every key is optional; a key that nobody knows is refused with the nearest one there is.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfa_engine.cli import RATES_HZ
from sfa_engine.cli.folders import closed_folder
from sfa_engine.errors import LibraryError, Refused, did_you_mean

if TYPE_CHECKING:
    from sfa_engine.backstage.settings import Settings

MOST_NUMBER = 1 << 53  # a larger one is a slip of the pen


@dataclass(frozen=True)
class AudioConfig:
    """``[audio]``.

    Parameters
    ----------
    device : str
        Name, number, ``default``, or ``none`` for a timer without sound.
    rate : float
        Frames a second; 0 is the device's own.
    block : int
        Frames; PipeWire is asked for it, a JACK server has its own.
    channels : int
        2, or 4 with headphones on 3 and 4.
    """

    device: str = "default"
    rate: float = 0.0
    block: int = 128
    channels: int = 2


@dataclass(frozen=True)
class LibraryConfig:
    """``[library]``.

    Parameters
    ----------
    folder : str
        Where bundles go; empty for the data folder.
    rate : int
        Frames a second of the PCM that is kept.
    pcm : str
        ``s16`` or ``f32``.
    max_minutes : float
        Longest track that is imported; each minute takes 11.5 MB of disk and, on a deck, of
        memory.
    """

    folder: str = ""
    rate: int = 48_000
    pcm: str = "s16"
    max_minutes: float = 120.0


@dataclass(frozen=True)
class BackstageConfig:
    """``[backstage]``.

    Parameters
    ----------
    downloads, separations, analyses : int
        How many run at once.
    executor : str
        ``local``, or ``dask`` to send separation and analysis to a cluster.
    dask : str
        Address of the scheduler, ``tls://…:8786``.
    dask_security : str
        ``tls``, or ``none`` to take a ``tcp://`` address: whoever reaches it runs programs here.
    shared : str
        Storage that this machine and the cluster both see: a folder, or any URL of fsspec.
    """

    downloads: int = 3
    separations: int = 2
    analyses: int = 2
    executor: str = "local"
    dask: str = ""
    dask_security: str = "tls"
    shared: str = ""


@dataclass(frozen=True)
class SeparationConfig:
    """``[separation]``.

    Parameters
    ----------
    engine : str
        ``auto``, ``demucs``, ``embedded``, ``sketch``, ``lalalai``, or ``none``.
    model : str
        Of the engine; empty for its usual one.
    models : str
        Folder of models; empty for the data folder's.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    lalalai_url : str
        Where LALAL.AI is; empty for its own address.
    """

    engine: str = "auto"
    model: str = ""
    models: str = ""
    device: str = "auto"
    lalalai_url: str = ""


@dataclass(frozen=True)
class SpotifyConfig:
    """``[spotify]``: what https://developer.spotify.com/dashboard gives.

    Parameters
    ----------
    client_id, client_secret : str
    market : str
        Country whose offer counts, as ``DE``; empty for any.
    port : int
        Of the address that a login comes back to; 0 for any that is free.
    """

    client_id: str = ""
    client_secret: str = ""
    market: str = ""
    port: int = 0


@dataclass(frozen=True)
class DownloadConfig:
    """``[download]``.

    Parameters
    ----------
    quality : str
        Bit rate that is asked for, as ``320k``; ``best`` as the site has it.
    """

    quality: str = "320k"


@dataclass(frozen=True)
class Config:
    """Everything that can be set."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    library: LibraryConfig = field(default_factory=LibraryConfig)
    backstage: BackstageConfig = field(default_factory=BackstageConfig)
    separation: SeparationConfig = field(default_factory=SeparationConfig)
    spotify: SpotifyConfig = field(default_factory=SpotifyConfig)
    download: DownloadConfig = field(default_factory=DownloadConfig)


_LIMITS: dict[str, tuple[float, float]] = {
    "audio.rate": RATES_HZ,
    "audio.block": (16, 8192),
    "library.rate": RATES_HZ,
    "library.max_minutes": (1, 1440),
    "spotify.port": (0, 65_535),
    "backstage.downloads": (1, 16),
    "backstage.separations": (1, 16),
    "backstage.analyses": (1, 64),
}
_OFF: dict[str, float] = {"audio.rate": 0}  # that a key may have beside its limits
_KINDS = {int: "a whole number", float: "a number", str: "a text"}
_WORDS: dict[str, tuple[Any, ...]] = {
    "audio.channels": (2, 4),
    "library.pcm": ("s16", "f32"),
    "backstage.executor": ("local", "dask"),
    "backstage.dask_security": ("tls", "none"),
    "separation.engine": ("auto", "demucs", "embedded", "sketch", "lalalai", "none"),
    "separation.device": ("auto", "cpu", "cuda", "mps"),
    "download.quality": ("best", "128k", "192k", "256k", "320k"),
}


def config_path() -> Path:
    """Return where the configuration is, or would be."""
    import platformdirs

    return _named_path() or platformdirs.user_config_path("sfa") / "config.toml"


def _named_path() -> Path | None:
    """Return the file that the user names, if one is named."""
    named = os.environ.get("SFA_CONFIG")
    return Path(named) if named else None


def load_config(path: Path | None = None) -> Config:
    """Return the user's configuration; without a file everything is as it comes.

    Raises
    ------
    Refused
        The file is not TOML, has a key or a value that cannot be, or is named and not there.
    """
    import tomllib

    path = path or config_path()
    try:
        given = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if path == _named_path():
            raise Refused(
                f"{path}: there is no such file", "correct SFA_CONFIG, or unset it"
            ) from None
        return Config()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "make it readable, or move it away") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not TOML: {error}") from None
    sections = {f.name: f.default_factory for f in fields(Config)}
    built = {}
    for name, values in given.items():
        if name not in sections:
            raise Refused(f'{path}: no section "{name}"', did_you_mean(name, sections))
        if not isinstance(values, dict):
            raise Refused(f"{path}: {name} is not a section", f"write [{name}] above its keys")
        built[name] = _section(path, name, sections[name], values)
    config = Config(**built)
    if config.spotify.client_secret:
        _warn_of_readers(path)
    return config


@cache
def _warn_of_readers(path: Path) -> None:
    """Say once that other users can read a file with a secret in it."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        print(
            f"sfa: {path} has a client_secret and can be read by others: its mode is {mode:04o}; "
            f"`chmod 600` it, or move the secret with `sfa secret set spotify`",
            file=sys.stderr,
        )


def _section(path: Path, name: str, kind: Any, values: dict[str, Any]) -> Any:
    known = {f.name: getattr(kind(), f.name) for f in fields(kind)}
    for key, given in values.items():
        value = given
        full = f"{name}.{key}"
        if key not in known:
            raise Refused(f'{path}: no key "{full}"', did_you_mean(key, known))
        wanted = type(known[key])
        if wanted in {float, str} and type(given) is int and abs(given) < MOST_NUMBER:
            value = values[key] = wanted(given)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise Refused(f"{path}: {full} is {value!r:.80}", f"give {_KINDS[wanted]}")
        low, high = _LIMITS.get(full, (value, value))
        if value != _OFF.get(full) and not low <= value <= high:
            or_off = f", or {_OFF[full]}" if full in _OFF else ""
            raise Refused(
                f"{path}: {full} is {value!s:.80}", f"give one from {low:g} to {high:g}{or_off}"
            )
        if full in _WORDS and value not in _WORDS[full]:
            words = " or ".join(str(word) for word in _WORDS[full])
            raise Refused(f"{path}: {full} is {value!r}", f"say {words}")
    return kind(**values)


def data_path() -> Path:
    """Return the folder of what outlives the machine's being switched off."""
    import platformdirs

    return platformdirs.user_data_path("sfa")


def log_path() -> Path:
    """Return the folder of the processes' logs."""
    import platformdirs

    return platformdirs.user_log_path("sfa")


def private_data_path() -> Path:
    """Return the data folder, made and closed to others: the keys of services are in it.

    Raises
    ------
    LibraryError
        It cannot be made.
    """
    try:
        return closed_folder(data_path())
    except OSError as error:
        raise LibraryError(
            f"{error.filename}: {error.strerror}", "look at the rights and the space there"
        ) from None


def library_path(config: Config) -> Path:
    """Return the folder of bundles."""
    return _folder("library.folder", config.library.folder) or data_path() / "tracks"


def _folder(key: str, given: str) -> Path | None:
    """Return a folder that is set: whole, for each program runs in a folder of its own."""
    if not given:
        return None
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:
        raise Refused(f"{key} is {given!r:.80}: {error}", "write the whole path") from None
    if not path.is_absolute():
        raise Refused(f"{key} is {given!r:.80}", "write the whole path, from / or ~ on")
    return path


def backstage_settings(config: Config) -> Settings:
    """Return what backstage needs to know."""
    from sfa_engine.backstage.settings import Settings

    data = data_path()
    return Settings(
        data=data,
        bundles=library_path(config),
        models=_folder("separation.models", config.separation.models) or data / "models",
        rate=config.library.rate,
        pcm=config.library.pcm,
        longest_s=60.0 * config.library.max_minutes,
        limits={
            "import": 2,
            "download": config.backstage.downloads,
            "separation": config.backstage.separations,
            "analysis": config.backstage.analyses,
        },
        executor=config.backstage.executor,
        dask=config.backstage.dask,
        dask_security=config.backstage.dask_security,
        shared=config.backstage.shared,
        engine=config.separation.engine,
        model=config.separation.model,
        device=config.separation.device,
        lalalai_url=config.separation.lalalai_url,
        quality=config.download.quality,
        spotify_id=config.spotify.client_id,
        spotify_secret=config.spotify.client_secret,
        spotify_market=config.spotify.market,
    )
