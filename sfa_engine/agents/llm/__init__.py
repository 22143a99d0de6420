"""The language-model router: which provider answers, in which dialect, and what it costs.

::

    Request ─► router ─► chain ─► client ─► dialect.encode ─► HTTP ─► framing ─► dialect.Reader
                 │  ▲                                                               │
                 │  └── failure: retry, next provider, or the end ◄─────────────────┤
                 └────► pieces of text, Answer ◄────────────────────────────────────┘

Dialects are pure: bytes in, events out. Only `client` opens connections, only `store` knows tables.
It knows no agent, no tool and no prompt.
"""
