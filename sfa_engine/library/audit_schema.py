"""The table of the audit log, to which rows are only appended. SQL alone."""

from __future__ import annotations

MAX_KEPT = 100_000  # as the trigger has it

# Rows leave at the old end alone: those beyond the newest `MAX_KEPT`, or older than a time that the
# clean-up sets, which is never within the last day. Ids have no gaps, as no other row is deleted.
# A row that came before, by its uuid, is ignored; REPLACE would delete without the trigger.
AUDIT = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE, -- one that is delivered twice is stored once
    at_s REAL NOT NULL,
    account INTEGER NOT NULL, -- 0: the machine's user
    actor TEXT NOT NULL, -- its name, or system
    role TEXT NOT NULL,
    surface TEXT NOT NULL, -- kind of client: cli, web, stage, relay
    address TEXT NOT NULL,
    verb TEXT NOT NULL,
    target TEXT NOT NULL,
    params TEXT NOT NULL, -- JSON, as before and after: without secrets, cut
    before TEXT,
    after TEXT,
    outcome TEXT NOT NULL -- ok, or the code and message of an error
);
CREATE INDEX audit_time ON audit (at_s);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_verb ON audit (verb, id);
CREATE INDEX audit_target ON audit (target, id) WHERE target <> '';
CREATE TRIGGER audit_once BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE id = new.id OR uuid = new.uuid) BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log are not changed');
END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    WHEN old.id > (SELECT max(id) FROM audit) - 100000
    AND old.at_s >= min(strftime('%s', 'now') - 86400,
        coalesce((SELECT value FROM settings WHERE name = 'audit-kept-since'), 0)) BEGIN
    SELECT RAISE(ABORT, 'rows of the audit log are not deleted');
END;
"""
