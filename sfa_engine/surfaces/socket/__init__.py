"""The control socket: MessagePack-RPC in frames with their length. See ``docs/protocol.md``.

`frames` and `messages` parse without I/O; `server` and `client` do I/O without opinions.
"""
