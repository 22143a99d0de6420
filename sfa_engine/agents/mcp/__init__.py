"""A server of the Model Context Protocol, for AI clients on this machine: ``sfa mcp``.

A process of its own, that the client starts and ends. It is a client of the engine's sockets, and
offers the tools that our own agents have. The SDK, of the extra ``mcp``, is imported here alone.
"""
