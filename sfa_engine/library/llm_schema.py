"""The tables of language models: providers of accounts, and what was asked of them. SQL alone."""

from __future__ import annotations

# Keys are not here: `library.secret` has them, encrypted, by the provider's name. Counts and costs
# are NULL where the provider, or the list of prices, does not say.
LLM = """
CREATE TABLE llm_providers (
    account INTEGER NOT NULL, -- 0 for the machine
    name TEXT NOT NULL,
    adapter TEXT NOT NULL,
    url TEXT NOT NULL DEFAULT '', -- empty for the adapter's usual one
    model TEXT NOT NULL DEFAULT '',
    api_version TEXT NOT NULL DEFAULT '',
    place INTEGER NOT NULL, -- in the user's order
    PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE llm_usage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s REAL NOT NULL,
    account INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_usd REAL,
    latency_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL -- ok, or why not
);
CREATE INDEX llm_usage_account ON llm_usage (account, at_s);
"""
