"""Latency of a bundle's models on an Android phone, by the benchmark programs of LiteRT and ONNX Runtime, over adb.

The phone needs USB debugging (developer options), and this computer `adb`. impasto has none of the programs. Name the
folders that have them, built for arm64, with the shared libraries that they need beside them:

--litert  `benchmark_model` of LiteRT, which Google offers as a download, and the GPU accelerator's library
--ort     `onnxruntime_perf_test` of ONNX Runtime, from a build with --android; for the NPU one with --use_qnn, and the
          libraries libQnnHtp*.so of Qualcomm's SDK

The programs and models are copied into a folder below /data/local/tmp, which is deleted at the end. The results are
printed as JSON for the form "Phone benchmark" of the issue tracker, and written to --output.

Run: python -m benchmarks.phone BUNDLE --litert FOLDER --ort FOLDER [--serial SERIAL] [--output phone.json]
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.bundle.manifest import Manifest
from impasto.export.contract import ImageSize
from impasto.export.litert.contracts import FILE as LITERT_FILE
from impasto.export.litert.contracts import signature
from impasto.export.onnx_graph.contracts import NPU_FILE
from impasto.models.onnx_model import IN_BUNDLE

FORMAT = "impasto-phone-1"
FOLDER = "/data/local/tmp/impasto-benchmark"  # where `adb shell` may run programs
PROPERTIES = {"phone": "ro.product.model", "chip": "ro.soc.model", "android": "ro.build.version.release"}
LITERT, ORT = "benchmark_model", "onnxruntime_perf_test"
TIMEOUT = 300  # seconds for one program
# What the programs print: microseconds, and milliseconds.
TIMINGS = {
    LITERT: (re.compile(r"Inference timings in us: .*?Inference \(avg\): ([\d.e+]+)"), 1e-3),
    ORT: (re.compile(r"Average inference time cost total: ([\d.e+]+) ms"), 1.0),
}


class AdbError(Exception):
    """A command that failed, in one sentence."""


@dataclass(frozen=True)
class Case:
    """A model on one processor: a program with its arguments."""

    runtime: str
    file: str
    size: ImageSize
    program: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Phone:
    """A phone that `adb` reaches."""

    adb: str
    serial: str | None

    def call(self, *arguments: str) -> str:
        """Run adb; its output. Raises AdbError."""
        line = [self.adb, *(["-s", self.serial] if self.serial else []), *arguments]
        try:
            done = subprocess.run(
                line, stdout=-1, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TIMEOUT, check=False
            )
        except FileNotFoundError as error:
            raise AdbError(
                f"{self.adb} is not installed; install Android's platform tools, or name it by --adb"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise AdbError(f"adb {arguments[0]} took over {TIMEOUT} seconds") from error
        if done.returncode:
            lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            raise AdbError(f"adb {arguments[0]} failed: {lines[-1] if lines else f'exit code {done.returncode}'}")
        return done.stdout

    def shell(self, *words: str) -> str:
        """Run a command on the phone; its output. Raises AdbError."""
        return self.call("shell", shlex.join(words))


def cases(manifest: Manifest, programs: Sequence[str], threads: int, runs: int) -> Iterator[Case]:
    """Every model of a bundle on every processor that the programs drive."""
    models = {model.file: model for model in manifest.models}
    litert, npu = models.get(LITERT_FILE), models.get(NPU_FILE)
    for size in litert.functions.values() if litert and LITERT in programs else ():
        common = (f"--signature_to_run_for={signature(size.height, size.width)}", f"--num_runs={runs}")
        cpu = "--use_cpu=true", f"--num_threads={threads}"
        yield Case(f"LiteRT, CPU, {threads} threads", LITERT_FILE, size, LITERT, (*common, *cpu))
        gpu = "--use_cpu=false", "--use_gpu=true", "--require_full_delegation=true"
        yield Case("LiteRT, GPU", LITERT_FILE, size, LITERT, (*common, *gpu))
    if ORT not in programs:
        return
    generated = "-I", "-m", "times", "-r", str(runs)
    for size in litert.functions.values() if litert else [ImageSize(512, 512)]:
        for name in ("cpu", "xnnpack"):
            sides = "-f", f"height:{size.height}", "-f", f"width:{size.width}"
            arguments = (*generated, "-e", name, "-x", str(threads), *sides)
            label = f"ONNX Runtime, {name.upper()}, {threads} threads"
            yield Case(label, IN_BUNDLE.as_posix(), size, ORT, arguments)
    if npu:
        strict = "-C", "session.disable_cpu_ep_fallback|1", "-e", "qnn", "-i", "backend_path|libQnnHtp.so"
        yield Case("ONNX Runtime, QNN (HTP)", NPU_FILE, npu.functions["main"], ORT, (*generated, *strict))


def measure(phone: Phone, case: Case) -> dict[str, Any]:
    """The row of a case: its latency in ms, or why there is none."""
    model = f"{FOLDER}/{Path(case.file).name}"
    line = [f"--graph={model}", *case.arguments] if case.program == LITERT else [*case.arguments, model]
    pattern, scale = TIMINGS[case.program]
    ms, error = None, None
    try:
        libraries = f"LD_LIBRARY_PATH={FOLDER}", f"ADSP_LIBRARY_PATH={FOLDER}"
        output = phone.shell("env", *libraries, f"{FOLDER}/{case.program}", *line)
    except AdbError as failure:
        error = str(failure)
    else:
        found = pattern.search(output)
        ms = round(scale * float(found[1]), 2) if found else None
        error = None if found else f"{case.program} printed no latency"
    return {
        "runtime": case.runtime,
        "file": case.file,
        "width": case.size.width,
        "height": case.size.height,
        "ms": ms,
        "error": error,
    }


def benchmark(phone: Phone, bundle: Path, tools: Sequence[Path], threads: int, runs: int) -> dict[str, Any]:
    """Copy programs and models to a phone, run every case, and delete what was copied."""
    manifest = Manifest.load(bundle)
    programs = {path.name: path for folder in tools for path in folder.iterdir() if path.name in TIMINGS}
    facts = {key: phone.shell("getprop", name).strip() for key, name in PROPERTIES.items()}
    planned = [*cases(manifest, [*programs], threads, runs)]
    try:
        phone.shell("mkdir", "-p", FOLDER)
        libraries = [path for folder in tools for path in sorted(folder.glob("*.so*"))]
        models = [bundle / name for name in dict.fromkeys(case.file for case in planned)]
        for path in (*programs.values(), *libraries, *models):
            phone.call("push", str(path), f"{FOLDER}/{path.name}")
        phone.shell("chmod", "755", *(f"{FOLDER}/{name}" for name in programs))
        rows = []
        for case in planned:
            print(f"{case.runtime}: {case.file} at {case.size}", file=sys.stderr)
            rows.append(measure(phone, case))
    finally:
        phone.shell("rm", "-rf", FOLDER)
    about = {"style": manifest.style.name, "digest": manifest.digest(bundle), "runs": runs}
    return {"format": FORMAT, **facts, **about, "rows": rows}


def main() -> None:
    """Measure, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--litert", type=Path)
    parser.add_argument("--ort", type=Path)
    parser.add_argument("--adb", default="adb")
    parser.add_argument("--serial", help="of the phone, as `adb devices` lists it, where several are connected")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for folder, program in ((options.litert, LITERT), (options.ort, ORT)):
        if folder is not None and not (folder / program).is_file():
            parser.error(f"{folder} does not contain {program}")
    tools = [folder for folder in (options.litert, options.ort) if folder is not None]
    if not tools:
        parser.error("name a folder of programs by --litert or --ort")
    try:
        phone = Phone(options.adb, options.serial)
        report = benchmark(phone, options.bundle, tools, options.threads, options.runs)
    except (AdbError, CheckFailed, UsageError) as error:
        sys.exit(f"benchmarks.phone: {error}")
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
