"""``audit.*``: who changed what. No verb changes a row."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sfa_engine.backstage.job_store import LAST
from sfa_engine.backstage.verbs.paging import fit_in_frame
from sfa_engine.errors import Forbidden
from sfa_engine.library import audit
from sfa_engine.library.audit import Entry
from sfa_engine.library.database import Database
from sfa_engine.library.query import age_of
from sfa_engine.wire.rights import MACHINE, SYSTEM, Actor, Role
from sfa_engine.wire.verbs import GIVEN, NO_NUL, Count, Finite, verb

MAX_LISTED = 500
MAX_ADDED = 100

Word = Annotated[str, Meta(max_length=300, pattern=NO_NUL)]


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """A row of the web process."""

    uuid: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    at_s: Finite
    account: Count
    actor: Word
    role: Role | None
    address: Word
    verb: Word
    target: Word = ""
    params: dict[str, Any] = {}
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    outcome: Word = audit.OK


class AuditVerbs:
    """The verbs on the audit log.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @verb(scope="admin")
    async def audit_list(
        self,
        actor: Word | None = None,
        verb: Word | None = None,
        target: Word | None = None,
        since: Word = "",
        limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100,
        before: Count = LAST,
    ) -> dict[str, Any]:
        """Return changes, newest first: by actor, verb, target, or since an age such as `7d`."""
        since_s = time.time() - age_of(since) if since else 0.0
        async with self._database.reading() as connection:
            found = await audit.listed(
                connection,
                actor=actor,
                verb=verb,
                target=target,
                since_s=since_s,
                before=before,
                limit=limit,
            )
        return {"changes": fit_in_frame(found)}

    @verb(scope="admin")
    async def audit_add(
        self,
        changes: Annotated[list[Sent], Meta(max_length=MAX_ADDED)],
        actor: Annotated[Actor, GIVEN] = SYSTEM,
    ) -> dict[str, Any]:
        """Append what the web process changed itself; for that process only."""
        if actor.account != MACHINE:
            raise Forbidden("audit.add is for the web process", "its changes are written by itself")
        async with self._database.transaction() as connection:
            for each in changes:
                # The machine's own user changes accounts by the command line alone.
                surface = "cli" if each.role == "system" else "web"
                found = {**msgspec.structs.asdict(each), "role": each.role or ""}
                await audit.add(connection, Entry(**found, surface=surface))
        return {"count": len(changes)}
