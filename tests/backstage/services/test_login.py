"""A login in one piece, the fake being browser and person."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_spotify import CLIENT_ID, CLIENT_SECRET

from sfa_engine.backstage.services.login import bearer_for, log_in
from sfa_engine.backstage.services.oauth import UserToken, logged_in
from sfa_engine.backstage.services.token import ClientToken
from sfa_engine.errors import Refused


def test_who_opens_the_address_and_says_yes_is_logged_in(on_the_road, fake, vault):
    async def journey(road):
        browsing = []

        def show(address):
            query = {name: v[0] for name, v in parse_qs(urlsplit(address).query).items()}
            back = {"code": fake.grant(address), "state": query["state"]}
            visit = road.client.get(query["redirect_uri"], params=back)
            browsing.append(asyncio.create_task(visit))

        await log_in(road.accounts, vault, CLIENT_ID, show, limit_s=10)
        await asyncio.gather(*browsing)
        return bearer_for(road.accounts, vault, CLIENT_ID, "")

    assert isinstance(on_the_road(journey), UserToken)
    assert logged_in(vault)


def test_who_is_not_logged_in_uses_the_applications_own_token(on_the_road, vault):
    async def journey(road):
        return bearer_for(road.accounts, vault, CLIENT_ID, CLIENT_SECRET)

    assert isinstance(on_the_road(journey), ClientToken)


def test_without_a_client_id_nobody_is_asked_to_log_in(on_the_road, vault):
    shown = []
    with pytest.raises(Refused, match="no client_id for Spotify"):
        on_the_road(lambda road: log_in(road.accounts, vault, "", shown.append))
    assert shown == []
