"""``account.*``: what backstage keeps for one account: keys of services, and logins.

A key is stored encrypted, see `library.secret`, and never shown again.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from sfa_engine.backstage.access import By
from sfa_engine.backstage.context import PrepContext
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.steps.plans import PrepOptions
from sfa_engine.library.account_secrets import AccountSecrets
from sfa_engine.library.secret import MAX_BYTES, Secrets
from sfa_engine.prep.options import ENGINES, NO_ENGINE, QUALITIES
from sfa_engine.wire.rights import SYSTEM
from sfa_engine.wire.verbs import NO_NUL, Text, verb

Service = Literal["lalalai"]
Key = Annotated[str, Meta(min_length=1, max_length=MAX_BYTES, pattern=NO_NUL)]


class AccountVerbs:
    """The verbs of an account; without one, of the machine.

    Parameters
    ----------
    context : PrepContext
    spotify : SpotifyAccounts
    """

    def __init__(self, context: PrepContext, spotify: SpotifyAccounts) -> None:
        self._spotify = spotify
        self._secrets = Secrets(context.settings.data)

    @verb(scope="read", owned=True)
    def account_options(
        self, engine: Text = "", model: Text = "", quality: Text = ""
    ) -> dict[str, Any]:
        """Check options of preparation; return what there is to choose."""
        PrepOptions(engine, model, quality=quality)
        return {"engines": [*ENGINES, NO_ENGINE], "qualities": [*QUALITIES]}

    @verb(scope="read", owned=True)
    async def account_keys(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return for which services the account has stored a key."""
        stored = AccountSecrets(self._secrets, actor.account)
        return {each: await asyncio.to_thread(stored.has, each) for each in get_args(Service)}

    @verb(scope="prepare", owned=True)
    async def account_set_key(
        self, service: Service, key: Key | None = None, actor: By = SYSTEM
    ) -> dict[str, Any]:
        """Store the account's key of a service, or without one delete it."""
        stored = AccountSecrets(self._secrets, actor.account)
        if key is None:
            await asyncio.to_thread(stored.remove, service)
        else:
            await asyncio.to_thread(stored.set, service, key)
        return {"service": service, "stored": key is not None}

    @verb(scope="read", owned=True)
    async def account_spotify(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return whether the account is logged in at Spotify."""
        there = await asyncio.to_thread(self._spotify.is_logged_in, actor.account)
        return {"logged_in": there}

    @verb(scope="prepare", owned=True)
    def account_spotify_begin(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Return the address at which the user logs in at Spotify; valid for five minutes.

        It ends at an address of this machine, which need not open: ``account.spotify_finish``
        takes it.
        """
        return {"address": self._spotify.begin(actor.account)}

    @verb(scope="prepare", owned=True, slow=True)
    async def account_spotify_finish(self, address: Text, actor: By = SYSTEM) -> dict[str, Any]:
        """Store the account's login, by the address that the browser ended at."""
        await self._spotify.finish(actor.account, address)
        return {"logged_in": True}

    @verb(scope="prepare", owned=True)
    async def account_spotify_forget(self, actor: By = SYSTEM) -> dict[str, Any]:
        """Forget the account's login at Spotify."""
        await asyncio.to_thread(self._spotify.log_out, actor.account)
        return {"logged_in": False}
