"""Which files are videos, by their names; light to import."""

from dataclasses import dataclass, field
from pathlib import Path

from impasto.configs.errors import RequestError

# Sound that players expect there. FFmpeg writes more into these files than they play: PCM and FLAC in .mp4, for one.
_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
_MOV = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"})
_HD = 1920 * 1080  # px up to which codecs look ahead as far as they like


@dataclass(frozen=True)
class Container:
    """A kind of video file that is written: FFmpeg's names of format and codec, and the codec's options.

    Sound of the codecs `copies` (None: all that the format knows) is copied, other sound encoded by `sound`. `ahead` is
    the option by which the codec looks at later frames, and how many: their number falls for large ones, as it holds
    them all.
    """

    format: str
    copies: frozenset[str] | None = None
    sound: str = "aac"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    ahead: tuple[str, int] = ("rc-lookahead", 40)  # x264's own default

    def settings(self, crf: int, pixels: int) -> dict[str, str]:
        """The options for frames of so many pixels: at 4K, looking 10 frames ahead spares x264 700 MB."""
        name, most = self.ahead
        return {"crf": str(crf), **self.options, name: str(max(1, min(most, most * _HD // pixels)))}


# b=0 lets VP9 keep to its crf; the others make it several times as fast, at about the same size.
_VP9 = {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
CONTAINERS = {
    ".mp4": Container("mp4", _MP4),
    ".m4v": Container("mp4", _MP4),
    ".mov": Container("mov", _MOV),
    ".mkv": Container("matroska"),
    ".webm": Container(
        "webm",
        frozenset({"opus", "vorbis"}),
        "libopus",
        "libvpx-vp9",
        _VP9,
        ("lag-in-frames", 25),  # FFmpeg's default
    ),
}
_READ = (
    ".avi",
    ".wmv",
    ".flv",
    ".mpg",
    ".mpeg",
    ".m2v",
    ".ts",
    ".mts",
    ".m2ts",
    ".3gp",
    ".3g2",
    ".ogv",
    ".mxf",
    ".vob",
)
CAMERA = "camera"  # the word that stands for one


def is_video(source: Path, output: Path) -> bool:
    """Whether that input, which is no folder, is a video: by its name, or since the output is to be one."""
    suffixes = source.suffix.lower(), output.suffix.lower()
    return str(source) == CAMERA or suffixes[0] in (*CONTAINERS, *_READ) or suffixes[1] in CONTAINERS


def target(source: Path, output: Path, overwrite: bool) -> Path:
    """The file that a video goes to, or RequestError; nothing is read or written."""
    if str(source) != CAMERA and not source.exists():
        raise RequestError(f"input={source} does not exist; name a video, a photo or a folder of photos")
    if output.is_dir():
        output /= source.name if source.suffix.lower() in CONTAINERS else f"{source.name}.mp4"
    if output.suffix.lower() not in CONTAINERS:
        known = ", ".join(CONTAINERS)
        raise RequestError(f"{output} does not end in a suffix of a video that we write; choose one of {known}")
    if output.exists() and source.exists() and output.samefile(source):
        raise RequestError(f"output={output} would overwrite the video; name another place")
    if output.exists() and not overwrite:
        raise RequestError(f"output={output} exists already; name another file, or give overwrite=true")
    return output
