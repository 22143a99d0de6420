"""The web process: REST, accounts and sign-in, in one asyncio process.

A client of the stage's and backstage's sockets like any other. It imports neither of them, and no
NumPy, so that it stays small beside the sound; its web framework is the extra ``web``. It may be
killed at any moment: what it answered is on the disk.

============== ================================================================ ========
module         what it does                                                     I/O
============== ================================================================ ========
settings       ``[web]`` of the configuration                                   none
rights         roles, scopes, owners: who may do what                           none
guard          rules on Host and Origin, and the security headers               none
limits         rates, and delays after wrong passwords                          none
problem        errors as RFC 9457                                               none
invalid        what is wrong with a body                                        none
endpoint       one operation of the API, and the table of all                   none
query          parameters in an address                                         none
openapi        the table as OpenAPI 3.1 and as a page                           none
exchange       one request: its body, its peer, its sender                      body
app            from a request to an answer: guard, table, errors                ASGI
gate           who sent a request, and whether they may                         accounts
database       ``accounts.db``                                                  SQLite
users, secrets accounts; sessions, tokens and one-time links                    SQLite
password       Argon2id in a thread                                             none
link           requests to the stage and to backstage                           sockets
catalogue      what these can do, as they describe it                           sockets
controls       ``/api/controls``: what there is to draw                         sockets
verb_endpoints verbs as endpoints                                               sockets
named_verbs    verbs by their names, for other endpoints                        sockets
ranges         parts of files, and whether a client has them                    none
file_names     names by which a browser saves files                             none
zip_layout     the bytes of a zip archive around its files                      none
open_file      files opened without following links                             files
sending        answers with the bytes of files                                  ASGI
track_files    ``/files`` and ``/export``                                       files, sockets
uploads        files that are received, and queued                              files, sockets
actors         whose secrets are in use, remembered between requests            accounts
sign_in …      endpoints of a topic: also people, health, metrics, documents …  all
channel        the WebSocket: who may open it                                   ASGI
channel_client one of its clients: messages, calls, rights                      ASGI
form, outbox   its messages: how they are written, which wait                   none
topics, anchor what is sent of jobs and decks                                   none
feed           what a server pushes, over its restarts                          sockets
activity       topics of backstage                                              sockets
playback       the engine's values and readings                                 sockets
debug          the processes' logs, and what the audio process does             files, sockets
encoding       stems as FLAC, by a worker program                               process
websocket      limits on uvicorn's WebSockets                                   socket
service        all of that, put together                                        all
listener       TCP sockets, limits on connections, uvicorn                      sockets
control        ``web.sock``: what supervisor and command line ask               socket
============== ================================================================ ========
"""

from __future__ import annotations
