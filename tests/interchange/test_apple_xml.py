"""Apple Music's library as XML: read as iTunes and Music write it, and damaged."""

import pytest

from sfa_engine.errors import MediaError
from sfa_engine.interchange.apple_xml import read
from sfa_engine.interchange.record import List, Record

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
"""
SAMPLE = (
    HEAD
    + """<dict>
	<key>Major Version</key><integer>1</integer>
	<key>Date</key><date>2021-01-02T03:04:05Z</date>
	<key>Features</key><integer>5</integer>
	<key>Music Folder</key><string>file:///Library/dj/Music/</string>
	<key>Tracks</key>
	<dict>
		<key>101</key>
		<dict>
			<key>Track ID</key><integer>101</integer>
			<key>Name</key><string>One &#38; Two</string>
			<key>Artist</key><string>Älpha</string>
			<key>Album</key><string>Al</string>
			<key>Genre</key><string>Techno</string>
			<key>Kind</key><string>MPEG audio file</string>
			<key>Size</key><integer>8721653</integer>
			<key>Total Time</key><integer>362899</integer>
			<key>Year</key><integer>2019</integer>
			<key>BPM</key><integer>128</integer>
			<key>Date Added</key><date>2020-03-14T00:00:00Z</date>
			<key>Comments</key><string>c</string>
			<key>Play Count</key><integer>7</integer>
			<key>Play Date</key><integer>3692390645</integer>
			<key>Play Date UTC</key><date>2021-01-02T00:00:00Z</date>
			<key>Rating</key><integer>80</integer>
			<key>Compilation</key><true/>
			<key>Track Type</key><string>File</string>
			<key>Location</key><string>file:///Library/dj/Music/%C3%84lpha%20-%20100%25.mp3</string>
		</dict>
		<key>102</key>
		<dict>
			<key>Track ID</key><integer>102</integer>
			<key>Name</key><string>Cloud</string>
			<key>Rating</key><integer>60</integer>
			<key>Rating Computed</key><true/>
			<key>Apple Music</key><true/>
			<key>Track Type</key><string>Remote</string>
		</dict>
		<key>103</key>
		<dict>
			<key>Track ID</key><integer>103</integer>
			<key>Year</key><integer>late</integer>
			<key>Location</key><string>file://localhost/C:/Music/b.mp3</string>
		</dict>
	</dict>
	<key>Playlists</key>
	<array>
		<dict>
			<key>Master</key><true/>
			<key>Name</key><string>Library</string>
			<key>Playlist Items</key>
			<array><dict><key>Track ID</key><integer>101</integer></dict></array>
		</dict>
		<dict>
			<key>Name</key><string>Music</string>
			<key>Distinguished Kind</key><integer>4</integer>
		</dict>
		<dict>
			<key>Name</key><string>Sets</string>
			<key>Playlist Persistent ID</key><string>F1</string>
			<key>Folder</key><true/>
			<key>Playlist Items</key>
			<array><dict><key>Track ID</key><integer>101</integer></dict></array>
		</dict>
		<dict>
			<key>Name</key><string>A</string>
			<key>Playlist Persistent ID</key><string>P1</string>
			<key>Parent Persistent ID</key><string>F1</string>
			<key>Playlist Items</key>
			<array>
				<dict><key>Track ID</key><integer>103</integer></dict>
				<dict><key>Track ID</key><integer>101</integer></dict>
				<dict><key>Track ID</key><integer>999</integer></dict>
			</array>
		</dict>
		<dict>
			<key>Name</key><string>Smart</string>
			<key>Smart Info</key>
			<data>
			AQEAAwAAAAI=
			</data>
			<key>Playlist Items</key>
			<array><dict><key>Track ID</key><integer>102</integer></dict></array>
		</dict>
	</array>
</dict>
</plist>
"""
)


def read_text(folder, text):
    path = folder / "Library.xml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def test_a_library_is_read(tmp_path):
    found = read_text(tmp_path, SAMPLE)
    assert found.tracks == (
        Record(
            "101",
            "/Library/dj/Music/Älpha - 100%.mp3",
            "One & Two",
            "Älpha",
            "Al",
            "Techno",
            "",
            "c",
            2019,
            128.0,
            "",
            362.899,
            8721653,
            4,
            "",
            7,
            1609545600.0,
            1584144000.0,
        ),
        Record("102", title="Cloud"),
        Record("103", "C:/Music/b.mp3"),
    )
    assert found.playlists == (
        List("A", ("Sets",), ("103", "101")),
        List("Smart", (), ("102",)),
    )
    assert [(loss.where, loss.what) for loss in found.losses] == [
        ("Cloud", "track"),
        ("C:/Music/b.mp3", "year"),
        ("A", "entries of a playlist"),
        ("Smart", "rule of a playlist"),
    ]


def test_folders_in_a_circle_end(tmp_path):
    folder = (
        "<dict><key>Name</key><string>F</string><key>Folder</key><true/>"
        "<key>Playlist Persistent ID</key><string>1</string>"
        "<key>Parent Persistent ID</key><string>1</string></dict>"
    )
    inner = (
        "<dict><key>Name</key><string>L</string>"
        "<key>Parent Persistent ID</key><string>1</string></dict>"
    )
    text = f"{HEAD}<dict><key>Playlists</key><array>{folder}{inner}</array></dict></plist>"
    assert read_text(tmp_path, text).playlists[0].name == "L"


def test_another_property_list_is_refused(tmp_path):
    text = f"{HEAD}<dict><key>Label</key><string>x</string></dict></plist>"
    with pytest.raises(MediaError, match="has no tracks") as raised:
        read_text(tmp_path, text)
    assert raised.value.hint


def test_entities_of_its_own_are_refused(tmp_path):
    text = '<!DOCTYPE plist [<!ENTITY a "b">]><plist><dict><key>&a;</key></dict></plist>'
    with pytest.raises(MediaError, match="defines entities"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("share", [0, 0.4, 0.9])
def test_a_file_that_is_cut_short_is_refused_with_its_line(tmp_path, share):
    with pytest.raises(MediaError, match=r"line \d+"):
        read_text(tmp_path, SAMPLE[: int(len(SAMPLE) * share)])
