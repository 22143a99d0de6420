"""The worker that downloads one piece of music, with spotdl and yt-dlp.

Imports neither spotdl nor yt-dlp: it finds, starts, reads and ends them.
"""
