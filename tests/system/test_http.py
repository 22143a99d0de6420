"""Clients in an environment that other programs may like and httpx does not."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sfa_engine.errors import WorkerError
from sfa_engine.system.http import VARIABLES, open_client


@pytest.mark.parametrize("kind", [httpx.Client, httpx.AsyncClient])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("all_proxy", "socks://127.0.0.1:9"),
        ("no_proxy", "[::1],localhost"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem"),
    ],
)
def test_invalid_proxies_and_certificates_are_reported(monkeypatch, kind, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(WorkerError, match="cannot connect to Somewhere") as caught:
        open_client(kind, "Somewhere", WorkerError)
    assert "\n" not in str(caught.value)
    assert variable.upper() in VARIABLES
    assert VARIABLES in caught.value.hint


def test_a_client_is_as_requested():
    client = open_client(httpx.AsyncClient, "Somewhere", WorkerError, base_url="http://127.0.0.1")
    assert client.base_url == "http://127.0.0.1"
    asyncio.run(client.aclose())
