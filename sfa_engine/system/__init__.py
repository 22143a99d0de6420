"""Sockets, process locks, durable files, logs, async and HTTP: nothing of music."""
