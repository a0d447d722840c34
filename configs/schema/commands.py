"""Each command and the type of its settings."""

from impasto.configs.schema.app import AppConfig
from impasto.configs.schema.bench import BenchConfig
from impasto.configs.schema.check import CheckConfig
from impasto.configs.schema.evaluate import EvaluateConfig
from impasto.configs.schema.explore import ExploreConfig
from impasto.configs.schema.export import ExportConfig
from impasto.configs.schema.optimize import OptimizeConfig
from impasto.configs.schema.preview import PreviewConfig
from impasto.configs.schema.stylize import StylizeConfig
from impasto.configs.schema.sweep import SweepConfig
from impasto.configs.schema.train import TrainConfig
from impasto.configs.schema.verify import VerifyConfig
from impasto.configs.schema.vote import VoteConfig

COMMANDS: dict[str, type] = {
    "train": TrainConfig,
    "sweep": SweepConfig,
    "check": CheckConfig,
    "optimize": OptimizeConfig,
    "evaluate": EvaluateConfig,
    "explore": ExploreConfig,
    "export": ExportConfig,
    "bench": BenchConfig,
    "verify": VerifyConfig,
    "stylize": StylizeConfig,
    "app": AppConfig,
    "preview": PreviewConfig,
    "vote": VoteConfig,
}
