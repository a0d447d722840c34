"""The environment variables that ONNX Runtime reads. From 1.29 on it sends usage data to Microsoft by default.

The variable must be set before onnxruntime is imported, in this process and in each child process.
"""

import os
from types import ModuleType

_DISABLE_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1"}


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with telemetry off; nothing else in impasto imports it."""
    os.environ.update(_DISABLE_TELEMETRY)
    import onnxruntime

    return onnxruntime


def environment_without_telemetry() -> dict[str, str]:
    """Return the environment with telemetry off and without other settings of ONNX Runtime, for a child process."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    return inherited | _DISABLE_TELEMETRY
