"""The settings of impasto-preview."""

from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.app import OPEN, PAGE_TOOLS, PORT
from impasto.configs.schema.fields import CONFIG, Key


@dataclass(config=CONFIG)
class PreviewConfig:
    """Serve the web page of one network on this computer, to try it on photos, camera and videos."""

    examples: ClassVar = (
        "impasto-preview bundle=bundles/swirls",
        "impasto-preview bundle=zoo/starry_night port=8000 open=false",
    )

    bundle: Annotated[
        str, Key("Bundle of impasto-export, run directory, exported .onnx file, or zoo/PAINTING.", path="PATH|zoo/*")
    ]
    port: Annotated[int, PORT] = 0
    open: Annotated[bool, OPEN] = True
    tools_dir: Annotated[str | None, PAGE_TOOLS] = None
