"""The worker that fetches one piece of music, by programs that are not ours.

Imports neither spotdl nor yt-dlp: they are found, started, listened to, and ended.
"""
