"""The runtimes of the page: from a folder of tools, from the wheel, or from build/tools of a checkout."""

from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.webapp import runtime
from impasto.export.webapp.site import read
from tests.helpers.webapp import write_tools


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder export/web of a checkout without runtimes."""
    folder = tmp_path / "checkout" / "export" / "web"
    folder.mkdir(parents=True)
    runtime.packages()
    monkeypatch.setattr(runtime, "WEB", folder)
    return folder


def test_package_names_differ_since_all_files_are_in_one_folder() -> None:
    names = [name for package in runtime.packages().values() for name in package.names]
    assert len(names) == len({*names}) and "ort.wasm.min.mjs" in names


def test_demand_without_any_runtime_names_the_remedies(web: Path, tmp_path: Path) -> None:
    for tools in (None, tmp_path / "absent"):
        with pytest.raises(UsageError, match=r"ONNX Runtime Web is neither .*; run `npm install .*, run `make web`$"):
            runtime.demand(tools)


def test_files_of_an_incomplete_package_are_none(web: Path, tmp_path: Path) -> None:
    tools, package = write_tools(tmp_path / "tools"), runtime.required()
    assert [*runtime.demand(tools)] == [*runtime.packages()]
    (tools / "node_modules" / package.package / [*package.files.values()][-1]).unlink()
    assert "onnxruntime" not in runtime.runtime_files(tools)


def test_license_of_a_package_without_a_text_names_its_author(web: Path, tmp_path: Path) -> None:
    packages = runtime.demand(write_tools(tmp_path / "tools"))
    files = packages["onnxruntime"]
    text = files[runtime.required().license_name]
    assert isinstance(text, bytes) and text.startswith(b"MIT License")
    assert b"Copyright (c) Microsoft Corporation" in text and b"impasto" not in text
    for name, package in runtime.packages().items():
        assert package.license_file or package.license == "MIT", name
        assert packages[name][package.license_name]


def test_text_is_replaced_in_a_file_that_says_so(web: Path, tmp_path: Path) -> None:
    tools = write_tools(tmp_path / "tools")
    changed = runtime.demand(tools)["litert"]["litert.js"]
    assert changed == f'// {runtime.packages()["litert"].notice}\nruntime"./litert_wasm_utils.js"'.encode()
    (tools / "node_modules" / "@litertjs" / "core" / "dist" / "index.js").write_text("another version")
    with pytest.raises(UsageError, match=r"does not contain .*; install @litertjs/core in the version"):
        runtime.demand(tools)


def test_main_copies_what_an_installation_then_finds(
    web: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (web / "runtime").mkdir()
    (web / "runtime" / "of an earlier version").touch()
    runtime.main(write_tools(tmp_path / "tools"))
    expected = {name for package in runtime.packages().values() for name in package.names}
    stored = {f"{name}.gz" if name.endswith(".wasm") else name for name in expected}
    assert {path.name for path in (web / "runtime").iterdir()} == stored != expected
    tools, found = (runtime.flat(runtime.demand(folder)) for folder in (tmp_path / "tools", None))
    assert {name: read(source) for name, source in found.items()} == {name: read(tools[name]) for name in tools}
    assert "onnxruntime: 0.0 MB" in capsys.readouterr().out


def test_main_with_incomplete_tools_ends_with_one_sentence(web: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"make web: .* does not contain all files of onnxruntime-web"):
        runtime.main(tmp_path)


def test_demand_in_a_checkout_takes_build_tools(web: Path, tmp_path: Path) -> None:
    write_tools(tmp_path / "checkout" / "build" / "tools")
    assert runtime.runtime_files(None) == {}  # no pyproject.toml: this is an installation
    (tmp_path / "checkout" / "pyproject.toml").touch()
    assert [*runtime.demand(None)] == [*runtime.packages()]
    assert runtime.runtime_files(None, installed=False) == {}
