"""Launchers of sweeps: which extra brings each of Hydra's plugins, and our defaults for them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from impasto.configs.errors import RequestError

KEY = "hydra/launcher"
_FOLDER = Path(__file__).parent
_SUBMITIT = ("hydra_submitit_launcher", "slurm")
_EXTRAS = {  # launcher: the plugin's module, and the extra that brings it
    "ray": ("hydra_ray_launcher", "ray"),
    "submitit_slurm": _SUBMITIT,
    "submitit_local": _SUBMITIT,
}
_HERE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def register() -> None:
    """Put our defaults over those of the plugins that are installed."""
    Plugins.instance()  # the plugins register theirs once, at this moment
    store = ConfigStore.instance()
    for name in ("ray", "submitit_slurm"):
        if _installed(name):
            theirs, ours = store.load(f"{KEY}/{name}.yaml").node, OmegaConf.load(_FOLDER / f"{name}.yaml")
            store.store(group=KEY, name=name, node=OmegaConf.merge(theirs, ours))


def check(lines: Sequence[str], allowed: bool) -> None:
    """RequestError for a launcher that is not installed, or, unless `allowed`, for any: there is no sweep."""
    for line in lines:
        key, _, name = line.partition("=")
        if key != KEY:
            continue
        if name in _EXTRAS and not _installed(name):
            extra = _EXTRAS[name][1]
            raise RequestError(f"{line} needs a package that is not installed: pip install 'impasto[{extra}]'")
        if not allowed:
            raise RequestError(f"{line} is for sweeps; add -m")


def away(hydra: DictConfig) -> bool:
    """Whether the launcher of a composed configuration runs jobs in other processes."""
    return str(hydra.launcher._target_) != _HERE


def _installed(name: str) -> bool:
    try:
        return find_spec(f"hydra_plugins.{_EXTRAS[name][0]}") is not None
    except ModuleNotFoundError:  # no plugin at all
        return False
