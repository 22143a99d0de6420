"""Hands the audit rows of the accounts to backstage, which keeps the log."""

from __future__ import annotations

import asyncio
import logging

from sfa_engine.errors import SfaError
from sfa_engine.web import audit_rows
from sfa_engine.web.database import Database
from sfa_engine.web.link import Link

logger = logging.getLogger(__name__)
POLL_S = 2.0  # the command line writes rows too
RETRY_S = 5.0


async def deliver(database: Database, backstage: Link) -> None:
    """Hand rows to backstage until cancelled; while it is away they wait."""
    while True:
        found = audit_rows.waiting(database.reader)
        try:
            if found:
                changes = [row for _, row in found]
                await backstage.call("audit.add", {"changes": changes})
                await database.write(audit_rows.forget, found[-1][0])
        except SfaError as error:
            logger.debug("audit rows wait: %s", error)
            await asyncio.sleep(RETRY_S)
        else:
            await asyncio.sleep(0.0 if len(found) == audit_rows.BATCH else POLL_S)
