"""What backstage is told at its start. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LIMITS: Mapping[str, int] = {"import": 2, "download": 3, "separation": 2, "analysis": 2}


@dataclass(frozen=True)
class Settings:
    """What backstage is told at its start; the command line makes it of the configuration.

    Parameters
    ----------
    data : pathlib.Path
        Folder of the database, its backups, downloads and covers.
    bundles : pathlib.Path
        Folder of the bundles.
    models : pathlib.Path
        Folder of the separation models.
    rate : int
        Hz, of the bundles.
    pcm : str
        ``s16`` or ``f32``.
    longest_s : float
        Seconds; longer files are not imported.
    limits : mapping
        Jobs at once, of each queue.
    executor, dask, shared : str
        ``local`` or ``dask``; the scheduler's address; storage that all see.
    dask_security : str
        ``tls``, or ``none`` where the network is enough.
    engine, model, device : str
        Of separation.
    lalalai_url : str
        Where LALAL.AI is; empty for its own address.
    quality : str
        Of downloads.
    spotify_id, spotify_secret : str
        Credentials of the user's own Spotify application.
    spotify_market : str
        Country whose offer counts, as ``DE``; empty for any.
    """

    data: Path
    bundles: Path
    models: Path
    rate: int = 48_000
    pcm: str = "s16"
    longest_s: float = 7200.0
    limits: Mapping[str, int] = field(default_factory=lambda: dict(LIMITS))
    executor: str = "local"
    dask: str = ""
    dask_security: str = "tls"
    shared: str = ""
    engine: str = "auto"
    model: str = ""
    device: str = "auto"
    lalalai_url: str = ""
    quality: str = "320k"
    spotify_id: str = ""
    spotify_secret: str = ""
    spotify_market: str = ""
