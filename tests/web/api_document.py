"""The OpenAPI document of a running web process."""

import time

import httpx

READY_S = 60.0


def until_whole(origin):
    """Return the document when engine and backstage have described themselves."""
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        found = httpx.get(f"{origin}/api/openapi.json", trust_env=False, timeout=30.0).json()
        if {"/api/status", "/api/library/search"} <= set(found["paths"]):
            return found
        time.sleep(0.1)
    raise AssertionError(sorted(found["paths"]))
