"""impasto-preview: serve the page of one network to a browser on this computer."""

from impasto.configs.cli.app import run
from impasto.configs.schema.preview import PreviewConfig
from impasto.export.commands import app_styles
from impasto.export.runtime import tools_folder
from impasto.export.webapp import runtime, server, site


def main() -> None:
    """The command."""
    run("preview", task)


def task(config: PreviewConfig) -> None:
    """Serve the page of this version of impasto, since a bundle's own could be anyone's, until Ctrl-C."""
    runtimes = runtime.demand(tools_folder(config.tools_dir))
    files = site.contents(app_styles.find([config.bundle]), runtimes)
    server.serve(files, config.bundle, config.port, config.open)
