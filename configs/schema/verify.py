"""The settings of impasto-verify."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.export import RUNTIMES, TOOLS
from impasto.configs.schema.fields import CONFIG, Key


@dataclass(config=CONFIG)
class VerifyConfig:
    """Verify a bundle's hashes, golden images and parity, without PyTorch."""

    examples: ClassVar = (
        "impasto-verify bundle=bundles/swirls",
        "impasto-verify bundle=bundles/swirls runtimes=[onnxruntime]",
    )

    bundle: Annotated[str, Key("Bundle of impasto-export.", path="DIR")]
    runtimes: Annotated[
        list[str], Key("Runtimes to check in; those whose tools are missing are reported as not run.", choices=RUNTIMES)
    ] = field(default_factory=lambda: [*RUNTIMES])
    tools_dir: Annotated[str | None, TOOLS] = None
