"""What goes on behind the music: library, job queue, and the world outside.

One asyncio process. Stage never imports it, nor it the stage: they speak the socket's protocol.
Models and downloaders are imported in worker programs only, and none of them here.
"""
