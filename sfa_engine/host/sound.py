"""What the host keeps of its sound: taps, their rings, captures and the recording, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfa_engine.errors import MediaError, Refused
from sfa_engine.host.capture import Capture, CaptureSettings
from sfa_engine.host.decks import Decks
from sfa_engine.host.dsp_state import DspState
from sfa_engine.host.recorder import Recorder, RecordSettings
from sfa_engine.host.sound_file import form_of, open_sound
from sfa_engine.host.taps import Taps


class Sound:
    """Keeps and records what a dsp plays.

    Parameters
    ----------
    dsp : DspState
    decks : Decks
    record : RecordSettings
    capture : CaptureSettings
    """

    def __init__(
        self, dsp: DspState, decks: Decks, record: RecordSettings, capture: CaptureSettings
    ) -> None:
        self.taps = Taps(dsp)
        self.capture = Capture(dsp, self.taps, decks.loader, capture)
        self.capture.open()
        self.recorder = Recorder(dsp.memory, self.taps, record, decks.describe)
        decks.loader.on_stems = self.capture.open_stems

    def save(
        self, source: str, path: str, bars: float | None, seconds: float | None
    ) -> dict[str, Any]:
        """Save the last bars or seconds of a source into a file of floats.

        Raises
        ------
        Refused
            Neither or both are given, there is no such source, or the file exists.
        MediaError
            The file cannot be written.
        """
        if (bars is None) is (seconds is None):
            raise Refused("how much is to be captured?", "give bars, or seconds")
        if bars is not None:
            found = self.capture.last_bars(source, bars)
        else:
            found = self.capture.last_seconds(source, float(seconds or 0.0))
        try:
            target = Path(path).absolute()
            if target.exists():
                raise Refused(f"{target} exists", "choose another name, or move it away")
            file = open_sound(target, form_of(target, "float"), round(found.rate))
            file.append(found.sound)
            file.close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaError(f"{path!r:.200}: {reason}", "choose another path") from None
        return {
            "path": str(target),
            "frames": len(found.sound),
            "rate": found.rate,
            "first_frame": found.first,
            "beats": found.beats,
        }
