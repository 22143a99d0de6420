"""The configuration, and the folders of data and logs.

Every key is optional; an unknown key is refused with the nearest known one.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from sfa_engine.agents.settings import PREFERENCES, AgentsConfig
from sfa_engine.backstage.settings import (
    AnalysisConfig,
    AuditConfig,
    BackstageConfig,
    DownloadConfig,
    LibraryConfig,
    SeparationConfig,
    Settings,
    SpotifyConfig,
    WebhooksConfig,
)
from sfa_engine.desk import HOT_CUES
from sfa_engine.engine import RATES_HZ
from sfa_engine.errors import LibraryError, Refused, did_you_mean
from sfa_engine.prep.hot_cue import KINDS, MAX_BARS_BEFORE, ORDERS, CuesConfig
from sfa_engine.prep.options import DEVICES, ENGINES, FEATURES, NO_ENGINE, QUALITIES
from sfa_engine.run.folders import closed_folder, config_path, named_config
from sfa_engine.surfaces.bridge.settings import BridgeConfig, RouteConfig, read_routes
from sfa_engine.surfaces.link.settings import LinkConfig
from sfa_engine.surfaces.midi.settings import MidiConfig
from sfa_engine.surfaces.osc.settings import OscConfig
from sfa_engine.surfaces.rtpmidi.settings import RtpMidiConfig
from sfa_engine.system.deck_count import FEWEST, MOST, USUAL
from sfa_engine.web.settings import WebConfig

LANGUAGE_MODELS = "models.toml"  # beside the configuration
MAX_NUMBER = 1 << 53  # a larger one is a typing error


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
        Frames; requested of PipeWire, a JACK server has its own.
    channels : int
        2, 4 with headphones on 3 and 4, or 6 with the booth on 5 and 6.
    budget_pct : float
        Share of a block's time, above which quality steps down; 0: never.
    """

    device: str = "default"
    rate: float = 0.0
    block: int = 128
    channels: int = 2
    budget_pct: float = 75.0


@dataclass(frozen=True)
class EngineConfig:
    """``[engine]``.

    Parameters
    ----------
    decks : int
        How many there are. It is read before everything else, see `deck_setting`.
    """

    decks: int = USUAL


@dataclass(frozen=True)
class JournalConfig:
    """``[journal]``: what was played, written down to render it again.

    Parameters
    ----------
    enabled : bool
    files : int
        Journals that are kept, one a set; the oldest are deleted.
    size_mb : int
        Of all together.
    """

    enabled: bool = True
    files: int = 100
    size_mb: int = 1000


@dataclass(frozen=True)
class RecordConfig:
    """``[record]``: how a set is recorded.

    Parameters
    ----------
    folder : str
        Default ``recordings`` in the data folder.
    format : str
        ``flac`` or ``wav`` with 24 bits, or ``float``: a WAV of floats.
    preroll_s : float
        How far in the past a recording begins.
    split : bool
        A file for each track.
    """

    folder: str = ""
    format: str = "flac"
    preroll_s: float = 0.0
    split: bool = False


@dataclass(frozen=True)
class CaptureConfig:
    """``[capture]``: what was just played, kept in memory.

    Parameters
    ----------
    seconds : float
        Of each stem; 0: of none.
    size_mb : int
        Of all that is kept: stems, decks and master.
    """

    seconds: float = 16.0
    size_mb: int = 100


@dataclass(frozen=True)
class Config:
    """Everything that can be set."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    journal: JournalConfig = field(default_factory=JournalConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    library: LibraryConfig = field(default_factory=LibraryConfig)
    backstage: BackstageConfig = field(default_factory=BackstageConfig)
    separation: SeparationConfig = field(default_factory=SeparationConfig)
    spotify: SpotifyConfig = field(default_factory=SpotifyConfig)
    download: DownloadConfig = field(default_factory=DownloadConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    rtpmidi: RtpMidiConfig = field(default_factory=RtpMidiConfig)
    bridge: BridgeConfig = field(default_factory=BridgeConfig)
    route: tuple[RouteConfig, ...] = field(default_factory=tuple)
    midi: MidiConfig = field(default_factory=MidiConfig)
    osc: OscConfig = field(default_factory=OscConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    web: WebConfig = field(default_factory=WebConfig)
    webhooks: WebhooksConfig = field(default_factory=WebhooksConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    agents: AgentsConfig = field(default_factory=AgentsConfig)


_LIMITS: dict[str, tuple[float, float]] = {
    "audio.rate": RATES_HZ,
    "audio.block": (16, 8192),
    "audio.budget_pct": (0.001, 100),
    "engine.decks": (FEWEST, MOST),
    "record.preroll_s": (0, 30),
    "capture.seconds": (0, 600),
    "capture.size_mb": (1, 16_384),
    "journal.files": (1, 100_000),
    "journal.size_mb": (1, 10_000_000),
    "library.rate": RATES_HZ,
    "library.max_minutes": (1, 1440),
    "spotify.port": (0, 65_535),
    "link.latency_ms": (-1000, 1000),
    "cues.hot_cues": (0, HOT_CUES),
    "cues.first": (1, HOT_CUES),
    "backstage.downloads": (1, 16),
    "backstage.separations": (1, 16),
    "backstage.analyses": (1, 64),
    "rtpmidi.port": (1, 65_534),  # the data channel has the next one
    "midi.clock_offset_ms": (-500, 500),
    "osc.port": (1, 65_535),
    "osc.rate_hz": (1, 60),
    "web.port": (1, 65_535),
    "audit.keep_days": (1, 36_500),
    "web.upload_mb": (1, 1_000_000),
    "agents.tokens": (1000, 10_000_000),
    "agents.seconds": (5, 600),
    "agents.usd_per_day": (0, 10_000),
}
_ADDRESSES = frozenset({"web.host"})
_NETWORKS = frozenset({"webhooks.allow"})
_PATTERNS = frozenset({"midi.ignore", "midi.devices", "midi.clock_in", "midi.clock_out"})
_NUMBERS: dict[str, tuple[tuple[str, ...], int]] = {  # tables: their keys, and the highest number
    "cues.most": (KINDS, HOT_CUES),
    "cues.bars_before": (KINDS, MAX_BARS_BEFORE),
}
_CHOICES = {"cues.kinds": KINDS}  # lists: what they may have, each once
_OFF: dict[str, float] = {
    "audio.rate": 0,
    "audio.budget_pct": 0,
    "audit.keep_days": 0,
}  # allowed beside the limits
_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    tuple: "a list of texts",
    dict: "a table of texts",
}
_WORDS: dict[str, tuple[Any, ...]] = {
    "audio.channels": (2, 4, 6),
    "library.pcm": ("s16", "f32"),
    "record.format": ("flac", "wav", "float"),
    "backstage.executor": ("local", "dask"),
    "backstage.dask_security": ("tls", "none"),
    "separation.engine": (*ENGINES, NO_ENGINE),
    "separation.device": DEVICES,
    "download.quality": QUALITIES,
    "analysis.features": FEATURES,
    "cues.order": ORDERS,
    "agents.prefer": PREFERENCES,
}


def _is_texts(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, str) for each in given)


def _check_patterns(full: str, path: Path, value: Any) -> None:
    """Refuse invalid regular expressions."""
    import re

    for each in value:
        try:
            re.compile(each)
        except (re.error, OverflowError, RecursionError) as error:
            raise Refused(
                f"{path}: {full} has {each!r:.80}, which is not a regular expression: {error}",
                "put a backslash before each literal . * + ? ( ) [ ]",
            ) from None


def _check_address(full: str, path: Path, given: str) -> None:
    """Refuse what is not an IP address."""
    import ipaddress

    try:
        ipaddress.ip_address(given)
    except ValueError:
        raise Refused(
            f"{path}: {full} is {given!r:.80}",
            "give 127.0.0.1 for this machine alone, 0.0.0.0 for the network, or an address of it",
        ) from None


def _check_networks(full: str, path: Path, given: tuple[str, ...]) -> None:
    """Refuse what is not an IP network."""
    import ipaddress

    for word in given:
        try:
            ipaddress.ip_network(word)
        except ValueError as error:
            raise Refused(
                f"{path}: {full} has {word!r:.80}: {error}", "as 192.168.1.0/24"
            ) from None


def _check_numbers(full: str, path: Path, given: Any) -> None:
    """Refuse a table with an unknown key, or with another value than a whole number in range."""
    keys, most = _NUMBERS[full]
    if not isinstance(given, dict):
        raise Refused(f"{path}: {full} is {given!r:.80}", "give a table of whole numbers")
    for key, number in given.items():
        if key not in keys:
            raise Refused(f'{path}: no key "{full}.{key}"', did_you_mean(key, keys))
        if type(number) is not int or not 0 <= number <= most:
            raise Refused(
                f"{path}: {full}.{key} is {number!r:.80}", f"give a whole number from 0 to {most}"
            )


def _check_choices(full: str, path: Path, given: tuple[str, ...]) -> None:
    """Refuse a list with an unknown word, or with one twice."""
    for word in given:
        if word not in _CHOICES[full]:
            raise Refused(
                f"{path}: {full} has {word!r:.80}", f"choose from {', '.join(_CHOICES[full])}"
            )
        if given.count(word) > 1:
            raise Refused(f"{path}: {full} has {word!r} twice", "write it once")


def load_config(path: Path | None = None) -> Config:
    """Return the user's configuration; defaults without a file.

    Raises
    ------
    Refused
        The file is not TOML, has an invalid key or value, or is named and does not exist.
    """
    import tomllib

    path = path or config_path()
    try:
        given = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if path == named_config():
            raise Refused(f"{path}: file not found", "correct SFA_CONFIG, or unset it") from None
        return Config()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}", "make it readable, or move it away") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not TOML: {error}") from None
    sections = {f.name: f.default_factory for f in fields(Config)}
    built: dict[str, Any] = {}
    for name, values in given.items():
        if name not in sections:
            raise Refused(f'{path}: no section "{name}"', did_you_mean(name, sections))
        if name == "route":
            try:
                built[name] = read_routes(values)
            except Refused as error:
                raise Refused(f"{path}: {error.message}", error.hint) from None
            continue
        if not isinstance(values, dict):
            raise Refused(f"{path}: {name} is not a section", f"write [{name}] above its keys")
        built[name] = _section(path, name, sections[name], values)
    config = Config(**built)
    if config.spotify.client_secret:
        _warn_of_readers(path)
    return config


@cache
def _warn_of_readers(path: Path) -> None:
    """Warn once that other users can read a file with a secret."""
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
        expected = type(known[key])
        if expected in {float, str} and type(given) is int and abs(given) < MAX_NUMBER:
            value = values[key] = expected(given)
        if expected is tuple and _is_texts(given):
            value = values[key] = tuple(given)
        if full in _NUMBERS:
            _check_numbers(full, path, given)
        elif expected is dict and isinstance(given, dict) and not _is_texts([*given.values()]):
            value = None
        if full in _PATTERNS and isinstance(value, expected):
            _check_patterns(full, path, value)
        if not isinstance(value, expected) or isinstance(value, bool) is not (expected is bool):
            raise Refused(f"{path}: {full} is {value!r:.80}", f"give {_KINDS[expected]}")
        if full in _CHOICES:
            _check_choices(full, path, value)
        low, high = _LIMITS.get(full, (value, value))
        if full in _LIMITS and value != _OFF.get(full) and not low <= value <= high:
            or_off = f", or {_OFF[full]}" if full in _OFF else ""
            raise Refused(
                f"{path}: {full} is {value!s:.80}", f"give one from {low:g} to {high:g}{or_off}"
            )
        if full in _ADDRESSES:
            _check_address(full, path, value)
        if full in _NETWORKS:
            _check_networks(full, path, value)
        if full in _WORDS and value not in _WORDS[full]:
            words = " or ".join(str(word) for word in _WORDS[full])
            raise Refused(f"{path}: {full} is {value!r}", f"give {words}")
    return kind(**values)


def data_path() -> Path:
    """Return the folder of persistent data."""
    import platformdirs

    return platformdirs.user_data_path("sfa")


def log_path() -> Path:
    """Return the folder of the processes' logs."""
    import platformdirs

    return platformdirs.user_log_path("sfa")


def private_data_path() -> Path:
    """Return the data folder, made and closed to others: it has the keys of services.

    Raises
    ------
    LibraryError
        The folder cannot be made.
    """
    try:
        return closed_folder(data_path())
    except OSError as error:
        raise LibraryError(
            f"{error.filename}: {error.strerror}", "check its permissions and the free space"
        ) from None


def library_path(config: Config) -> Path:
    """Return the folder of bundles."""
    return _folder("library.folder", config.library.folder) or data_path() / "tracks"


def _folder(key: str, given: str) -> Path | None:
    """Return a configured folder; absolute, as each program has its own working folder."""
    if not given:
        return None
    try:
        path = Path(given).expanduser()
    except RuntimeError as error:
        raise Refused(f"{key} is {given!r:.80}: {error}", "write an absolute path") from None
    if not path.is_absolute():
        raise Refused(f"{key} is {given!r:.80}", "write an absolute path, from / or ~")
    return path


def backstage_settings(config: Config) -> Settings:
    """Return the settings of backstage."""
    data = data_path()
    return Settings(
        data,
        library_path(config),
        _folder("separation.models", config.separation.models) or data / "models",
        config.library,
        config.backstage,
        config.separation,
        config.spotify,
        config.download,
        config.analysis,
        config.cues,
        config.webhooks,
        config.audit,
        config.agents,
        config_path().parent / LANGUAGE_MODELS,
    )


def host_files(config: Config) -> dict[str, Any]:
    """Return what the host is told of the files that it writes: sections of the configuration."""
    record = asdict(config.record)
    record["form"] = record.pop("format")
    record["folder"] = str(_folder("record.folder", config.record.folder) or "")
    return {
        "journal": asdict(config.journal),
        "record": record,
        "capture": asdict(config.capture),
    }
