"""The tables of webhooks: endpoints, what is delivered to them, and each try. SQL alone."""

from __future__ import annotations

# `body` is kept as it was signed: a retry sends the same bytes. `tries` counts those of this round,
# which `webhooks.send_again` starts again; the rows of `delivery_tries` are of all rounds.
WEBHOOKS = """
CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    events TEXT NOT NULL, -- words with spaces between; * is all
    description TEXT NOT NULL DEFAULT '',
    secret TEXT NOT NULL, -- encrypted
    old_secret TEXT, -- encrypted; signs too until old_until_s
    old_until_s REAL NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    problem TEXT NOT NULL DEFAULT '', -- why it was disabled
    dropped INTEGER NOT NULL DEFAULT 0, -- events that its full queue did not take
    created_s REAL NOT NULL
);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE, -- the header webhook-id
    webhook_id INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    event TEXT NOT NULL,
    body TEXT NOT NULL, -- JSON
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    tries INTEGER NOT NULL DEFAULT 0,
    due_s REAL NOT NULL, -- of the next try
    created_s REAL NOT NULL,
    ended_s REAL NOT NULL DEFAULT 0
);
CREATE INDEX deliveries_waiting ON deliveries (webhook_id, due_s, id) WHERE state = 'waiting';
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_ended ON deliveries (ended_s) WHERE state <> 'waiting';
CREATE TABLE delivery_tries (
    id INTEGER PRIMARY KEY,
    delivery_id INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    at_s REAL NOT NULL,
    seconds REAL NOT NULL,
    status INTEGER, -- of HTTP; NULL without an answer
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX delivery_tries_delivery ON delivery_tries (delivery_id, id);
"""
