"""A wheel at work in a bare environment: what a user gets from `pip install impasto`, without any extra.

Run: make dist, or python -m tests.smoke dist/*.whl with the Python of the development environment
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import skimage

MAX_MB = 300  # of the installed packages
NO_TORCH = 'this command needs PyTorch; install it by pip install "impasto[train]"'


def call(folder: Path, program: Path, *arguments: str, code: int = 0) -> str:
    """Run a program, print its duration, check its exit code, and return its output."""
    started, environment = time.monotonic(), dict(os.environ)
    if program.is_relative_to(folder):  # it finds the wheel alone
        environment.pop("PYTHONPATH", None)
    done = subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    print(f"{time.monotonic() - started:6.1f} s  {program.name} {' '.join(arguments)}", flush=True)
    if done.returncode != code:
        sys.exit(f"{program.name} ended with {done.returncode} instead of {code}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def installed_mb(folder: Path) -> float:
    """Megabytes of the installed packages, without pip and setuptools."""
    (packages,) = folder.glob("env/[Ll]ib/**/site-packages")
    files = (path for path in packages.rglob("*") if path.is_file())
    own = (path for path in files if path.relative_to(packages).parts[0] not in ("pip", "setuptools"))
    return sum(path.stat().st_size for path in own) / 1e6


def main(wheel: Path, folder: Path) -> None:
    """Install the wheel, then do what its users do first."""
    venv.create(folder / "env", with_pip=True)
    scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    call(folder, scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    print(f"{installed_mb(folder):6.0f} MB installed")
    assert installed_mb(folder) < MAX_MB
    assert "impasto COMMAND key=value" in call(folder, scripts / "impasto", "--help")
    assert NO_TORCH in call(folder, scripts / "impasto-train", "data.root=.", code=2)
    photo = str(Path(skimage.__file__).parent / "data" / "astronaut.png")
    call(folder, scripts / "impasto-stylize", "model=zoo/starry_night", f"input={photo}", "output=stylized.png")
    assert (folder / "stylized.png").read_bytes() != Path(photo).read_bytes()
    call(folder, scripts / "impasto-bench", "model=zoo/starry_night", "benchmark.sizes=[256]", "benchmark.rounds=1")
    call(folder, scripts / "impasto-app", "output=site")
    assert (folder / "site" / "runtime" / "ort.wasm.min.mjs").is_file()
    own = Path(sys.executable).with_name("impasto-export")  # only verification does without PyTorch
    call(folder, own, "checkpoint=zoo/starry_night/tiny", "output=bundle", "coreml.sizes=[]", "benchmark.sizes=[]")
    assert "bundle is intact" in call(folder, scripts / "impasto-verify", "bundle=bundle")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(sys.argv[1]).resolve(), Path(name).resolve())
