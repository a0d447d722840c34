"""What a field of the schema can say of its possible values, and the check that holds a configuration to it."""

import math
from dataclasses import field, fields, is_dataclass
from typing import Any

from omegaconf import MISSING

from impasto.configs.errors import RequestError


def number(low: float, high: float | None = None, step: int = 1) -> Any:
    """A number from `low` to `high`, both included, or a list of such numbers; `step` must divide a whole one."""
    return field(default=MISSING, metadata={"low": low, "high": high, "step": step})


def choice(*names: str | float) -> Any:
    """One of `names`, or a list of them."""
    return field(default=MISSING, metadata={"choices": names})


def text() -> Any:
    """Free text: a name."""
    return field(default=MISSING)


def path(kind: str, *words: str) -> Any:
    """A path; `kind` (FILE, DIR) stands for it in messages. `words` (patterns as in a shell) are kept as they are."""
    return field(default=MISSING, metadata={"path": kind, "words": words})


def check(config: Any, key: str = "") -> None:
    """Raise RequestError for the first value of a config (a dataclass instance) that is impossible."""
    for item in fields(config):
        name, value = f"{key}{item.name}", getattr(config, item.name)
        if is_dataclass(value):
            check(value, f"{name}.")
        elif value is not None:
            for part in value if isinstance(value, list) else [value]:
                _check_value(name, part, dict(item.metadata))
    if hasattr(config, "conflict") and (sentence := config.conflict()) is not None:
        raise RequestError(sentence)


def _check_value(name: str, value: Any, rule: dict[str, Any]) -> None:
    if "choices" in rule and value not in rule["choices"]:
        raise RequestError(f"{name}={value} is not known; choose one of {', '.join(map(str, rule['choices']))}")
    if "low" in rule:
        low, high, step = rule["low"], rule["high"], rule["step"]
        if not isinstance(value, int | float):  # where the schema allows Any: a number or a list of them
            raise RequestError(f"{name}={value} is no number; give a number or a list of numbers [...]")
        if not low <= value < math.inf or (high is not None and value > high) or (step > 1 and value % step):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            multiple = f" and a multiple of {step}" if step > 1 else ""
            raise RequestError(f"{name}={value} is impossible; it must be {limits}{multiple}")
