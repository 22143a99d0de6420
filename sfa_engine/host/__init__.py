"""The audio process: device, loader, offline rendering, and the kernel that makes the sound.

Imports neither trio, asyncio, sqlite3 nor logging. What runs in the audio thread stands in
`kernel/` and nowhere else.
"""
