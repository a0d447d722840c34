"""The settings of impasto-sweep."""

from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.schema.fields import CONFIG, Key


@dataclass(config=CONFIG)
class SweepConfig:
    """Show the results of a sweep of impasto-train in one table and on one contact sheet."""

    examples: ClassVar = (
        "impasto-sweep sweep=outputs/sweeps/2026-01-31/22-00-00",
        "impasto-sweep sweep=paintings-by-strength",
    )

    sweep: Annotated[str, Key("Directory of the sweep: hydra.sweep.dir, or outputs/sweeps/DATE/TIME.", path="DIR")]
