"""What Pillow leaves to its callers of TIFF files: pages, palettes of 8 bits, 16-bit values that count from white."""

from PIL import Image

_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _COLOR_MAP = 254, 262, 320  # tags, by TIFF 6.0
_REDUCED, _WHITE_IS_ZERO = 1, 0


def seek_picture(image: Image.Image) -> None:
    """Go to the first page that is not a thumbnail of another one."""
    for page in range(getattr(image, "n_frames", 1)):
        image.seek(page)
        if not int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & _REDUCED:  # type: ignore[attr-defined]
            return
    image.seek(0)


def repair_palette(image: Image.Image) -> None:
    """Set the palette of a loaded picture whose map has 8 bits, which Pillow reads as 16 and so as black."""
    colors = image.tag_v2.get(_COLOR_MAP)  # type: ignore[attr-defined]
    if image.mode == "P" and colors and max(colors) < 256:
        count = len(colors) // 3
        image.putpalette([colors[channel * count + index] for index in range(count) for channel in range(3)])


def counts_from_white(image: Image.Image) -> bool:
    """Whether 0 is white in 16 bits or floats; Pillow inverts 8 bits itself."""
    return image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO  # type: ignore[attr-defined]
