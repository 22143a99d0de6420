"""Webhooks: messages to programs elsewhere about what happens here, by Standard Webhooks.

::

    end of a job ─► event ─► store ── a row, in the transaction that ends the job
                               │
                            sender ─► post ─► network: resolve, check, connect
                               ▲       │
                               └───────┴── 2xx | 410 | retry after 5 s, 5 min, 30 min, 2 h

`address`, `event` and `signature` do no I/O.

References
----------
.. [1] Standard Webhooks, https://www.standardwebhooks.com
"""
