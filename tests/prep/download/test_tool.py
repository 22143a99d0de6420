"""Our command lines before the tools' own parsers, and their lines before ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.prep.download.failure import KINDS, why
from sfa_engine.prep.download.request import QUALITIES, parse_request
from sfa_engine.prep.download.tool import Line, Spotdl, YtDlp

TRACK = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
SITE = "https://site.example/-abc"
WANTED = {"title": "--exec 'rm -rf ~'", "artists": ["-o x", 'Ünï "çødé"'], "duration_s": 200}
PLENTY = 1 << 40


def order(url=TRACK, **more):
    return parse_request({"url": url, "out": "music", "expected": WANTED} | more)


# ---------------------------------------------------------------- command lines


@pytest.fixture(scope="module")
def yt_dlp():
    return pytest.importorskip("yt_dlp", reason="no yt-dlp: make setup EXTRAS=dev,download")


@pytest.mark.slow
@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("url", [TRACK, SITE])
def test_yt_dlp_accepts_its_arguments(yt_dlp, url, quality):
    parsed = yt_dlp.parse_options(YtDlp().arguments(order(url, quality=quality)))
    options = parsed.ydl_opts
    search = "ytsearch5:o x, Ünï \"çødé\" - --exec 'rm -rf ~'"
    assert parsed.urls == [search if url == TRACK else url]
    assert options["noplaylist"]
    assert options["max_downloads"] == 1
    assert not options["simulate"]
    assert options["outtmpl"]["default"] == "sound.%(ext)s"
    assert options["format"] == "bestaudio/best"
    extract = options["postprocessors"][0]
    assert extract["key"] == "FFmpegExtractAudio"
    if quality == "best":
        assert extract["preferredcodec"] == "best"
    else:
        assert (extract["preferredcodec"], extract["preferredquality"]) == ("mp3", quality[:-1])
    assert "exec_cmd" not in json.dumps(options, default=str)


@pytest.mark.slow
def test_yt_dlp_takes_results_of_the_right_length_and_no_endless_ones(yt_dlp):
    def passes(url, **facts):
        options = yt_dlp.parse_options(YtDlp().arguments(order(url))).ydl_opts
        return options["match_filter"](facts | {"title": "x", "id": "x"}, incomplete=False) is None

    assert passes(TRACK, duration=200)
    assert passes(TRACK, duration=181, is_live=False)
    assert not passes(TRACK, duration=179)
    assert not passes(TRACK, duration=222)
    assert not passes(TRACK, duration=200, is_live=True)
    assert passes(SITE, duration=900)
    assert passes(SITE)
    assert not passes(SITE, is_live=True)


@pytest.mark.slow
@pytest.mark.parametrize("quality", QUALITIES)
def test_spotdl_accepts_its_arguments(spotdl_parser, quality):
    parsed = spotdl_parser(Spotdl().arguments(order(quality=quality)))
    assert parsed
    assert (parsed["operation"], parsed["query"]) == ("download", [TRACK])
    expected = ("opus", "disable") if quality == "best" else ("mp3", quality)
    assert (parsed["format"], parsed["bitrate"]) == expected
    assert (parsed["threads"], parsed["overwrite"], parsed["simple_tui"]) == (1, "force", True)
    assert parsed["lyrics_providers"] == []


@pytest.mark.slow
def test_spotdls_parser_would_refuse_what_is_wrong(spotdl_parser):
    assert spotdl_parser(["download", TRACK, "--bitrate", "321k"]) is None


# ---------------------------------------------------------------- their lines


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("sfa-progress 50 200 NA", 0.25),
        ("sfa-progress 50 NA 200.0", 0.25),
        ("sfa-progress 300 200 NA", 1.0),
        ("sfa-progress 50 NA NA", None),
        ("sfa-progress 50 0 NA", None),
        ("[download] Destination: sfa.webm", None),
    ],
)
def test_yt_dlps_progress_is_read(line, share):
    assert YtDlp().parse(line) == Line(share)


def test_yt_dlps_result_is_read_and_one_cut_off_is_none():
    line = 'sfa-result {"webpage_url": "https://x.example", "title": " A\\nB ", "artist": null}'
    assert YtDlp().parse(line).facts == {"source_url": "https://x.example", "title": "A B"}
    assert YtDlp().parse(line[:-1]).facts == {}


@pytest.mark.parametrize(
    ("line", "heard"),
    [
        ("The Band - Song: Getting audio meta", Line(0.4)),
        ("Band: The Song - Done: Downloading", Line(0.55)),
        ("Processing query: https://open.spotify.com/track/x", Line()),
        (
            'Downloaded "The Band - "Song"": https://music.youtube.com/watch?v=x',
            Line(1.0, {"source_url": "https://music.youtube.com/watch?v=x"}),
        ),
    ],
)
def test_spotdls_lines_are_read(line, heard):
    assert Spotdl().parse(line) == heard


@given(st.text() | st.text().map("sfa-progress ".__add__) | st.text().map("sfa-result ".__add__))
def test_any_line_is_read_without_a_fault(line):
    for tool in (Spotdl(), YtDlp()):
        share = tool.parse(line).share
        assert share is None or 0.0 <= share <= 1.0


# ---------------------------------------------------------------- their errors


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        # as seen from spotdl 4.5.2 and yt-dlp 2026.08.19 without a network
        (
            [
                "│ gaierror: [Errno -2] Name or service not known │",
                "ConnectionError: HTTPSConnectionPool(host='music.youtube.com', port=443): Max",
                "retries exceeded with url: / (Caused by NameResolutionError('Failed to resolve'))",
            ],
            "network",
        ),
        (
            ["DNSError: Failed to perform, curl: (6) Could not resolve host: soundcloud.com."],
            "network",
        ),
        (["WARNING: x", "ERROR: [youtube] x: This video is DRM protected"], "drm"),
        (
            ["ERROR: This video is not available from your location due to geo restriction"],
            "geo-blocked",
        ),
        (
            ["ERROR: [youtube] x: Private video. Sign in if you've been granted access"],
            "login-needed",
        ),
        (["ERROR: [generic] Unable to download webpage: HTTP Error 404: Not Found"], "no-result"),
        (["ERROR: Unsupported URL: https://example.com/"], "no-result"),
        (
            ["ERROR: [x] Unable to download webpage: HTTP Error 429: Too Many Requests"],
            "rate-limited",
        ),
        (["LookupError: No results found for song: The DRM Band - Full Disk"], "no-result"),
        (["AudioProviderError: YT-DLP download error - https://x"], "download"),
        (["[download] Destination: DRM.mp3", "The DRM: Done"], "no-result"),
        ([], "no-result"),
    ],
)
def test_the_reason_is_found_in_what_they_say(lines, code):
    assert why("a tool", lines, PLENTY).code == code


def test_on_a_disk_without_room_that_is_the_reason_whatever_they_say():
    assert why("spotdl", ["AudioProviderError: YT-DLP download error"], 1000).code == "disk-full"


@pytest.mark.parametrize("code", KINDS)
def test_every_reason_has_a_sentence_and_a_hint(code):
    assert KINDS[code].sentence
    assert KINDS[code].hint


@given(st.lists(st.text(max_size=400), max_size=30))
def test_any_output_gives_a_reason_of_bounded_length(lines):
    failure = why("yt-dlp", lines, PLENTY)
    assert failure.code in {*KINDS, "download"}
    assert len(failure.message) < 500
