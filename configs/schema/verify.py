"""The settings of impasto-verify."""

import re
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import RUNTIMES_KEY, TOOLS, require_a_runtime
from impasto.configs.schema.fields import CONFIG, Key

STDOUT = "-"


@dataclass(config=CONFIG)
class VerifyConfig:
    """Verify a bundle's checksums, golden images and parity, without PyTorch."""

    examples: ClassVar = (
        "impasto-verify bundle=bundles/swirls",
        "impasto-verify bundle=bundles/swirls runtimes=[onnxruntime] junit=verify.xml json=verify.json",
    )

    bundle: Annotated[str, Key("Bundle of impasto-export.", path="DIR")]
    runtimes: Annotated[list[str] | None, RUNTIMES_KEY] = None
    digest: Annotated[
        str | None, Key("Digest that impasto-export printed, 64 hexadecimal digits; any other bundle fails.")
    ] = None
    json: Annotated[
        str | None, Key("File for the report as JSON; - writes it to stdout, and the tables to stderr.", path="FILE|-")
    ] = None
    junit: Annotated[str | None, Key("File for the report as JUnit XML; - writes it to stdout.", path="FILE|-")] = None
    tools_dir: Annotated[str | None, TOOLS] = None

    def __post_init__(self) -> None:
        require_a_runtime("runtimes", self.runtimes)
        if self.digest is not None:
            self.digest = self.digest.lower()
            if not re.fullmatch("[0-9a-f]{64}", self.digest):
                raise UsageError(
                    f"digest={self.digest} is not 64 hexadecimal digits; give what impasto-export printed after digest="
                )
        if self.json is not None and self.json == self.junit:
            raise UsageError(f"json={self.json} and junit={self.junit} are the same file; name two")
