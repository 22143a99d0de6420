"""`sfa spotify`: the login for private playlists."""

from __future__ import annotations

from typing import Any

import click

from sfa_engine.cli.plural import counted
from sfa_engine.run import config as configuration


@click.group()
def spotify() -> None:
    """Log in to Spotify, and list your playlists."""


def _catalogue() -> Any:
    from sfa_engine.backstage.spotify_session import SpotifySession
    from sfa_engine.library.secret import Secrets

    settings = configuration.backstage_settings(configuration.load_config())
    return SpotifySession(settings, Secrets(configuration.private_data_path()))


async def _log_in(port: int) -> None:
    async with _catalogue() as catalogue:
        await catalogue.log_in(lambda url: click.echo(f"open in a browser:\n\n  {url}\n"), port)


async def _own() -> list[tuple[str, str, int]]:
    async with _catalogue() as catalogue:
        found = await catalogue.own_playlists()
    return [(each.link.url, each.title, each.items) for each in found]


@spotify.command()
def login() -> None:
    """Log in with a browser, here or through a tunnel; the tokens are stored encrypted."""
    import asyncio

    asyncio.run(_log_in(configuration.load_config().spotify.port))
    click.echo("logged in; see `sfa spotify playlists`")


@spotify.command()
def logout() -> None:
    """Delete the stored login."""
    from sfa_engine.backstage.services.oauth import forget, logged_in
    from sfa_engine.library.secret import Secrets

    vault = Secrets(configuration.private_data_path())
    was = logged_in(vault)
    forget(vault)
    click.echo("logged out" if was else "not logged in")


@spotify.command()
def playlists() -> None:
    """List your playlists, with the links that `sfa prep` takes."""
    import asyncio

    for url, title, items in asyncio.run(_own()):
        click.echo(f"{url}  {title} ({counted(items, 'track')})")
