"""Video formats by file suffix, and the output file of a video; imports no FFmpeg."""

from dataclasses import dataclass, field
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.models.image.discover import VIDEO_SUFFIXES

# Audio codecs that players expect. FFmpeg can write more into these containers than players support (PCM in .mp4).
_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
_MOV = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"})
_HD = 1920 * 1080  # px; up to this size codecs use their full lookahead


@dataclass(frozen=True)
class VideoFormat:
    """A format that can be written.

    Attributes:
        container: FFmpeg's name of the container.
        copied_codecs: Audio codecs that are copied; None stands for all that the container supports.
        audio_codec: The encoder for all other audio.
        codec: The video encoder.
        options: The video encoder's options.
        lookahead: The option that sets how many later frames the encoder holds, and its value.
    """

    container: str
    copied_codecs: frozenset[str] | None = None
    audio_codec: str = "aac"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    lookahead: tuple[str, int] = ("rc-lookahead", 40)  # x264's own default

    def encoder_options(self, crf: int, pixels: int) -> dict[str, str]:
        """Return the options for frames of so many pixels; at 4K, a lookahead of 10 frames saves x264 700 MB."""
        name, frames = self.lookahead
        return {"crf": str(crf), **self.options, name: str(max(1, min(frames, frames * _HD // pixels)))}


# b=0 makes VP9 respect its crf; the other options make it several times as fast at about the same size.
_VP9 = {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
_VP9_LOOKAHEAD = ("lag-in-frames", 25)  # FFmpeg's default
FORMATS = {
    ".mp4": VideoFormat("mp4", _MP4),
    ".m4v": VideoFormat("mp4", _MP4),
    ".mov": VideoFormat("mov", _MOV),
    ".mkv": VideoFormat("matroska"),
    ".webm": VideoFormat("webm", frozenset({"opus", "vorbis"}), "libopus", "libvpx-vp9", _VP9, _VP9_LOOKAHEAD),
}
CAMERA = "camera"  # the value of input= that stands for the first camera


def is_video(source: Path, output: Path) -> bool:
    """Return whether an input, which is not a folder, is a video: by its suffix or that of the output."""
    source_suffix, output_suffix = source.suffix.lower(), output.suffix.lower()
    return str(source) == CAMERA or source_suffix in VIDEO_SUFFIXES or output_suffix in FORMATS


def target(source: Path, output: Path, overwrite: bool) -> Path:
    """Return the file that a video is written to, or raise UsageError; nothing is read or written."""
    if str(source) != CAMERA and not source.exists():
        raise UsageError(f"input={source} does not exist; name a video, a photo or a folder of photos")
    if output.is_dir():
        output /= source.name if source.suffix.lower() in FORMATS else f"{source.name}.mp4"
    if output.suffix.lower() not in FORMATS:
        raise UsageError(f"{output} has no suffix of a video that can be written; choose one of {', '.join(FORMATS)}")
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError(f"output={output} would overwrite the video; name another output")
    if output.exists() and not overwrite:
        raise UsageError(f"output={output} already exists; name another file or set overwrite=true")
    return output
