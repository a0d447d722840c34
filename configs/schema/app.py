"""The settings of impasto-app."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.fields import CONFIG, Key

PORT = Key("Port on this computer; 0 takes a free one.", 0, 65535)
OPEN = Key("Open the page in the browser.")
PAGE_TOOLS = Key(
    "Directory with other versions of the page's runtimes: build/tools after `make tools`. Null takes those that came "
    "with impasto.",
    path="DIR",
)


@dataclass(config=CONFIG)
class AppConfig:
    """Serve a web page that paints photos, camera and video in a strip of styles, or write it as a static folder."""

    examples: ClassVar = (
        "impasto-app",
        "impasto-app models=[zoo/udnie,bundles/swirls,last.onnx]",
        "impasto-app output=site",
    )

    models: Annotated[
        list[str],
        Key(
            "Styles in the order of the strip: bundles, run directories, exported .onnx files, zoo/PAINTING; an empty "
            "list is the whole zoo.",
            path="PATH|zoo/*",
        ),
    ] = field(default_factory=list)
    output: Annotated[
        str | None,
        Key("Folder to write, for any web host: new, empty, or an earlier one. Null serves the page here.", path="DIR"),
    ] = None
    port: Annotated[int, PORT] = 0
    open: Annotated[bool, OPEN] = True
    tools_dir: Annotated[str | None, PAGE_TOOLS] = None
