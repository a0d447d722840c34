"""impasto-app: the page with a strip of styles, served to this computer or written as a folder for a web host."""

from pathlib import Path

from impasto.configs.cli import runs
from impasto.configs.cli.app import run
from impasto.configs.errors import UsageError
from impasto.configs.schema.app import AppConfig
from impasto.configs.terminal import show
from impasto.export.commands import app_styles
from impasto.export.runtime import tools_folder
from impasto.export.webapp import folder, runtime, server, site


def main() -> None:
    """The command."""
    run("app", task)


def task(config: AppConfig) -> None:
    """Write the page to `config.output`, or serve it until Ctrl-C, which is the regular end."""
    if config.output is not None:
        if runs.is_sweep_job():
            raise UsageError(f"output={config.output} is one folder, which each job of a sweep would replace")
        folder.check(Path(config.output).expanduser().resolve())
    runtimes = runtime.demand(tools_folder(config.tools_dir))
    styles = app_styles.find(config.models)
    files = site.contents(styles, runtimes)
    number = sum(len(style.store) or 1 for style in styles)
    count = f"{number} style{'' if number == 1 else 's'}"
    if config.output is None:
        server.serve(files, f"the page of {count}", config.port, config.open)
        return
    size = folder.write(Path(config.output), files, server.HEADERS)
    show(f"{config.output}: the page of {count}, {size / 1e6:.1f} MB; copy this folder to any web host")
