"""The settings of impasto-preview."""

from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.export import TOOLS
from impasto.configs.schema.fields import CONFIG, Key


@dataclass(config=CONFIG)
class PreviewConfig:
    """Serve a bundle's web page on this computer, to try the network on any photo."""

    examples: ClassVar = (
        "impasto-preview bundle=bundles/swirls",
        "impasto-preview bundle=zoo/starry_night port=8000 open=false",
    )

    bundle: Annotated[
        str, Key("Bundle of impasto-export, run directory, exported .onnx file, or zoo/PAINTING.", path="PATH|zoo/*")
    ]
    port: Annotated[int, Key("Port on this computer; 0 takes a free one.", 0, 65535)] = 0
    open: Annotated[bool, Key("Open the page in the browser.")] = True
    tools_dir: Annotated[str | None, TOOLS] = None
