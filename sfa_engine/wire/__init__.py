"""The protocol between the engine's processes and their clients, without the verbs.

========== ==================================================================== =======
module     what it does                                                         I/O
========== ==================================================================== =======
protocol   version and limits                                                   none
stream     bytes in, messages out; errors are events                            none
frames     msgpack objects to bytes and back, checked                           none
connection the codec of servers: parameters stay bytes until their verb is known none
light      the codec of clients: cheap to import                                none
verbs      verbs declared by `verb`, their parameters checked by type           none
session    the server's side of a connection: hello, scopes, dispatch, limits   none
caller     the client's side: ids, hello, answers, notifications                none
trio_io    server and client for the stage and its surfaces                     trio
aio        server and client for backstage                                      asyncio
blocking   server for the host's threads, client for command line and scripts   sockets
========== ==================================================================== =======
"""

from __future__ import annotations
