"""impasto-preview: the page of one network."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.export.commands import preview
from impasto.export.webapp import runtime, server
from tests.helpers.webapp import request, write_bundle, write_tools


def test_preview_serves_the_page_of_this_version_with_one_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, tools = write_bundle(tmp_path / "bundle", {"android/model.onnx": b"a"}), write_tools(tmp_path / "tools")
    served = []
    monkeypatch.setattr(server, "serve", lambda *arguments: served.append(arguments))
    preview.task(compose("preview", [f"bundle={bundle}", f"tools_dir={tools}", "port=1", "open=false"]))
    ((files, name, port, in_browser),) = served
    assert (name, port, in_browser) == (str(bundle), 1, False)
    assert files["index.html"] == runtime.WEB / "index.html"
    (style,) = json.loads(files["app.json"])["styles"]
    assert files[style["files"]["onnx"]["url"]] == bundle / "android" / "model.onnx"


@pytest.mark.slow
def test_preview_stops_on_ctrl_c_with_exit_code_0(tmp_path: Path) -> None:
    bundle, tools = write_bundle(tmp_path / "bundle", {"android/model.onnx": b"a"}), write_tools(tmp_path / "tools")
    program = (
        # A shell starts background jobs with Ctrl-C ignored.
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from impasto.export.commands.preview import main\nmain()\n"
        "assert not {'torch', 'onnx', 'onnxruntime'} & set(sys.modules)\nprint('ended')\n"
    )
    command = [sys.executable, "-c", program, f"bundle={bundle}", f"tools_dir={tools}", "open=false"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            port = int(line.rpartition(f"http://{server.HOST}:")[2].partition("/")[0])
            assert request(port, "/")[0].status == 200
            process.send_signal(signal.SIGINT)
            assert (*process.communicate(timeout=20), process.returncode) == ("ended\n", "", 0)
        finally:
            process.kill()
