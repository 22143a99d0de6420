"""The sections of the configuration that backstage reads, and the folders it works in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sfa_engine.agents.settings import AgentsConfig
from sfa_engine.prep.hot_cue import CuesConfig

IMPORTS = 2  # at once: each reads one file and writes another
AUDITIONS = 1  # at once: each takes a core
EXCHANGES = 1  # at once: each is of the whole library


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
        ``tls``, or ``none`` for a ``tcp://`` address: its clients can run programs here.
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
class AnalysisConfig:
    """``[analysis]``.

    Parameters
    ----------
    features : str
        Engine of the spectral features: ``own``, or ``librosa`` where it is installed.
    tags : bool
        Whether tracks are tagged by their sound.
    """

    features: str = "own"
    tags: bool = True


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
class WebhooksConfig:
    """``[webhooks]``.

    Parameters
    ----------
    allow : tuple of str
        Networks that are sent to although they are not of the internet, as ``192.168.1.0/24``.
    """

    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditConfig:
    """``[audit]``.

    Parameters
    ----------
    keep_days : int
        Age up to which rows are kept; 0 for any. The newest 100,000 are kept at most.
    """

    keep_days: int = 0


@dataclass(frozen=True)
class Settings:
    """What backstage is given at its start.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the database, its backups, downloads and covers.
    bundles : pathlib.Path
        Folder of the bundles.
    models : pathlib.Path
        Folder of the separation models.
    library : LibraryConfig
    backstage : BackstageConfig
    separation : SeparationConfig
    spotify : SpotifyConfig
    download : DownloadConfig
    analysis : AnalysisConfig
    cues : CuesConfig
    webhooks : WebhooksConfig
    audit : AuditConfig
    agents : AgentsConfig
    language_models : pathlib.Path, optional
        The user's list of language models, which need not be there.
    """

    data: Path
    bundles: Path
    models: Path
    library: LibraryConfig = field(default_factory=LibraryConfig)
    backstage: BackstageConfig = field(default_factory=BackstageConfig)
    separation: SeparationConfig = field(default_factory=SeparationConfig)
    spotify: SpotifyConfig = field(default_factory=SpotifyConfig)
    download: DownloadConfig = field(default_factory=DownloadConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)
    cues: CuesConfig = field(default_factory=CuesConfig)
    webhooks: WebhooksConfig = field(default_factory=WebhooksConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    agents: AgentsConfig = field(default_factory=AgentsConfig)
    language_models: Path | None = None

    @property
    def limits(self) -> Mapping[str, int]:
        """How many jobs of each queue run at once."""
        return {
            "import": IMPORTS,
            "download": self.backstage.downloads,
            "separation": self.backstage.separations,
            "analysis": self.backstage.analyses,
            "audition": AUDITIONS,
            "exchange": EXCHANGES,
        }
