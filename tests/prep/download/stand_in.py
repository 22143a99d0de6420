"""A program that behaves as spotdl or yt-dlp do: their lines, their statuses, their faults.

    stand_in.py TOOL FOLDER SONGS "STEP STEP …" ARGUMENTS…

Each step does one thing: ``make:two.mp3`` downloads that song; ``say:…`` and ``exit:…`` speak for
themselves. What it was asked is kept in ``FOLDER/TOOL.asked``; the tests give that to the tool's
own parser.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TOOL, FOLDER, SONGS, SCENARIO = sys.argv[1:5]
ARGUMENTS = sys.argv[5:]
SAYS = {
    "drm": "ERROR: [DRM] The requested site is known to use DRM protection. It will NOT be"
    " supported.",
    "geo": "ERROR: [youtube] abc: The uploader has not made this video available in your country",
    "bot": "ERROR: [youtube] abc: Sign in to confirm you\u2019re not a bot. Use --cookies",
    "gone": "ERROR: [youtube] abc: Video unavailable",
    "offline": "ERROR: Unable to download API page: Failed to resolve 'www.youtube.com' ([Errno -2]"
    " Name or service not known) (caused by TransportError(...))",
    "full": "ERROR: unable to write data: [Errno 28] No space left on device",
    "ffmpeg": "ERROR: Postprocessing: ffprobe and ffmpeg not found. Please install or provide the"
    " path using --ffmpeg-location",
    "old": "ERROR: unable to download video data: HTTP Error 403: Forbidden",
    "nothing": "LookupError: No results found for song: The Band - Song 1",
    "odd": "ERROR: something that nobody has seen before",
    "warning": "WARNING: [youtube] DRM is mentioned here, but only in a warning",
}


def say(line: str) -> None:
    print(line, flush=True)


def make(name: str) -> None:
    """Download a song, piece by piece as the real one does."""
    song = Path(SONGS) / name
    data = song.read_bytes()
    if TOOL == "spotdl":
        say("Processing query: https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC")
        target = Path(f"The Band - Song 1{song.suffix}")
        for step in ("Searching for song", "Getting audio meta", "Downloading", "Converting"):
            say(f"The Band - Song 1: {step}")
        target.write_bytes(data)
        say("The Band - Song 1: Embedding metadata")
        say("The Band - Song 1: Done")
        say('Downloaded "The Band - Song 1": https://music.youtube.com/watch?v=abc')
        return
    target = Path(f"sound{song.suffix}")
    part = Path("sound.webm.part")
    for done in range(0, len(data), max(1, len(data) // 5)):
        part.write_bytes(data[:done])
        say(f"sfa-progress {done} NA {len(data)}.0")
    part.write_bytes(data)
    part.rename(target)
    facts = {"webpage_url": "https://site.example/abc", "title": "A Title", "uploader": "Someone"}
    say("sfa-result " + json.dumps(facts))


def perform(step: str) -> None:
    word, _, value = step.partition(":")
    match word:
        case "make":
            make(value)
        case "part":
            Path("sound.webm.part").write_bytes(b"half")
            Path("sound.temp.mp3").write_bytes(b"half")
        case "say":
            say(SAYS[value])
        case "garbage":
            sys.stdout.buffer.write(
                b"\xff\xfe\0sfa-progress x y z\r\nsfa-result {\n" + b"z" * 99999
            )
            sys.stdout.flush()
        case "exit":
            sys.exit(int(value))
        case "crash":
            os.abort()
        case "first":  # fails the first time only
            if len((Path(FOLDER) / f"{TOOL}.asked").read_text().splitlines()) == 1:
                say(SAYS[value])
                sys.exit(1)
        case "hang":  # with a child, as ffmpeg is one
            child = subprocess.Popen(["sleep", "300"])
            (Path(FOLDER) / "pids").write_text(f"{os.getpid()} {child.pid}")
            say("sfa-progress 10 100 NA")
            time.sleep(300)
        case "orphan":  # leave a child behind that keeps the output open
            child = subprocess.Popen(["sleep", "300"])
            (Path(FOLDER) / "pids").write_text(f"{child.pid}")
        case "environment":
            (Path(FOLDER) / "environment").write_text(json.dumps(dict(os.environ)))


if ARGUMENTS == ["--version"]:
    if "odd-version" in SCENARIO.split():
        sys.stdout.buffer.write(b"caf\xe9 \xff\n")
        sys.exit(0)
    say("2026.11.01")
    sys.exit(0)
with (Path(FOLDER) / f"{TOOL}.asked").open("a") as log:
    log.write(json.dumps(ARGUMENTS) + "\n")
for step in SCENARIO.split():
    perform(step)
