"""Run directories and sweeps, in this process and in others: what is logged, what stays behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.cli import app, runs
from impasto.configs.errors import CheckFailed, UsageError
from tests.helpers.cli import Start, fail, files, shell

JOBS = """
import os, pathlib
from hydra.core.hydra_config import HydraConfig
from impasto.configs.errors import CheckFailed

def task(config):
    folder = pathlib.Path(HydraConfig.get().runtime.output_dir)
    (folder / "seen").write_text(f"{os.getpid()} {os.environ.get('HYDRA_FULL_ERROR')}")
    if config.seed == 2:
        (folder / "seen").unlink()
        raise CheckFailed("seed 2 fails")
    if config.seed == 3:
        raise KeyboardInterrupt("saved at step 5")
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to sweep in; the jobs' task is in a module that other processes find, too."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "some_jobs.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


CODE = "from some_jobs import task\n"


def test_check_outputs_refuses_one_that_several_jobs_write() -> None:
    line = ["model=zoo/udnie", "input=photo.jpg"]
    jobs = [app.compose("stylize", [*line, f"output={name}"]) for name in ("a.jpg", "b.jpg", "a.jpg")]
    with pytest.raises(UsageError, match=r"^output=.*/a\.jpg would be written by 2 jobs of the sweep; omit -m"):
        runs.check_outputs(jobs)
    runs.check_outputs(jobs[:2])
    runs.check_outputs([app.compose("bench", ["model=zoo/udnie"])] * 2)  # writes no file
    runs.check_outputs([app.compose("train", ["data.root=photos", "style=swirls"])] * 2)  # has a directory for each job


@pytest.mark.slow
def test_sweep_in_other_processes_reports_each_job(jobs: Path) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    line = ["-m", "hydra/launcher=submitit_local", "seed=1,2,3", "data.root=x", "hydra.sweep.dir=sweep"]
    done = shell(jobs, *line, code=CODE)
    said = sorted(done.stderr.splitlines())
    assert done.returncode == 1, done.stderr
    assert said[:2] == ["impasto-train: job 1: seed 2 fails", "impasto-train: job 2: saved at step 5"]
    assert len(said) == 3 and said[2].startswith("job 0 has ended") and said[2].endswith(": 0-mobile-swirls")
    notes = runs.statuses(jobs / "sweep")
    assert [(note.job, note.code) for note in notes] == [(0, 0), (1, 1), (2, 130)]
    assert [note.overrides for note in notes][1] == ["seed=2", f"data.root='{jobs}/x'"]
    # Each job saw the user's environment, and ran in a separate process.
    folders = ["0-mobile-swirls", "1-mobile-swirls", "2-mobile-swirls"]
    assert sorted(path.name for path in (jobs / "sweep").glob("[0-9]*")) == folders
    seen = [path.read_text().split() for path in (jobs / "sweep").glob("*/seen")]
    assert len({pid for pid, _ in seen}) == 2 and {full for _, full in seen} == {"None"}
    again = shell(jobs, *line, code=CODE)
    assert again.returncode == 2 and "holds an earlier sweep" in again.stderr


# Stand-ins for Slurm's programs: sbatch copies the job script, which submitit then moves, and runs each task of its
# array at once.
SBATCH = """\
cp "$1" {folder}/submitted.sh
for task in $([ "$LOST" ] || seq 0 $(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")); do
  export SLURM_ARRAY_TASK_ID=$task SLURM_JOB_ID=$((4711 + task))
  (bash {folder}/submitted.sh; touch {folder}/ended_$task) >/dev/null 2>&1 &
done
echo "Submitted batch job 4711"
"""
SLURM = {
    "sbatch": SBATCH,
    "srun": 'while [ "$1" != {python} ]; do shift; done; exec "$@"\n',
    "sacct": 'echo "JobID|State|NodeList"; for n in 0 1; do\n'
    '[ -e {folder}/ended_$n ] || [ "$LOST" ] && state=COMPLETED || state=RUNNING; echo "4711_$n|$state|here"; done\n',
}
INSIDE = {  # what Slurm tells a task, apart from its number
    **{"SLURM_ARRAY_JOB_ID": "4711", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"},
    **{"SLURM_JOB_NODELIST": "here", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
}


def slurm(jobs: Path, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    programs = jobs.parent / "bin"
    programs.mkdir()
    for name, text in SLURM.items():
        (programs / name).write_text(f"#!/bin/bash\n{text.format(folder=jobs.parent, python=sys.executable)}")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    line = ("-m", "hydra/launcher=submitit_slurm", *line, "data.root=x", "hydra.sweep.dir=sweep")
    return shell(jobs, *line, code=CODE, PATH=path, **INSIDE, **environment)


@pytest.mark.slow
def test_sweep_on_slurm_submits_the_given_resources(jobs: Path) -> None:
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    line = ["seed=1,2", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=1"]
    line += ["hydra.launcher.timeout_min=90", "hydra.launcher.cpus_per_task=4", "hydra.launcher.array_parallelism=2"]
    done = slurm(jobs, *line)
    assert done.returncode == 1, done.stderr
    assert "impasto-train: job 1: seed 2 fails\n" in done.stderr
    assert [(note.job, note.code) for note in runs.statuses(jobs / "sweep")] == [(0, 0), (1, 1)]
    script = (jobs.parent / "submitted.sh").read_text()
    wanted = ("partition=gpu", "gpus-per-node=1", "time=90", "cpus-per-task=4", "array=0-1%2", "job-name=impasto-train")
    assert [key for key in wanted if f"#SBATCH --{key}\n" not in script] == [], script
    assert "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK\n" in script
    assert f"{sys.executable} -u -m submitit.core._submit {jobs}/sweep/.submitit/" in script


@pytest.mark.slow
def test_sweep_lost_jobs_stay_open(jobs: Path) -> None:
    """They may yet run, so what they need stays."""
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    done = slurm(jobs, "seed=1,2", "hydra.launcher.partition=gpu", LOST="1")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("impasto-train: the launcher lost a job (UncompletedJobError: Job 4711_0")
    assert [(note.job, note.code) for note in runs.statuses(jobs / "sweep")] == [(0, None), (1, None)]
    assert (jobs / "sweep" / "multirun.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "extra"), [("ray", "ray"), ("submitit_slurm", "slurm")])
def test_launcher_not_installed_names_the_extra(jobs: Path, launcher: str, extra: str) -> None:
    line = "-m", f"hydra/launcher={launcher}", "seed=1,2", "data.root=x"
    done = shell(jobs, *line, code="sys.modules['hydra_plugins'] = None\n")
    remedy = f'install it by pip install "impasto[{extra}]"'
    assert done.returncode == 2
    assert done.stderr == f"impasto-train: hydra/launcher={launcher} is not installed; {remedy}\n"
    assert files(jobs) == []


def test_claim_impossible_directory_is_an_error(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "NotADirectoryError" in start("data.root=x", "hydra.run.dir=file/run").sentence(1)
    assert files(tmp_path) == ["file"]


def test_run_failing_task_keeps_what_it_wrote(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        directory = runs.current().claim()
        (directory / "metrics.csv").touch()
        runs.current().save(directory, config)
        raise RuntimeError

    assert start("data.root=x", "hydra.run.dir=run", task=task).code == 1
    assert {"run/metrics.csv", "run/.hydra/overrides.yaml"} <= {*files(tmp_path)}


def test_run_task_that_fails_its_checks_leaves_other_directories_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "run").mkdir()
    assert start("data.root=x", task=fail(UsageError("no"))).code == 2
    assert start("data.root=x", "hydra.run.dir=run", task=fail(KeyboardInterrupt())).code == 130
    assert files(tmp_path) == ["outputs", "run"]


def test_run_task_that_fails_its_checks_creates_no_directory(start: Start, tmp_path: Path) -> None:
    assert start("data.root=x", "hydra.run.dir=a/b/c", task=fail(CheckFailed("no"))).code == 1
    assert files(tmp_path) == []


def test_claim_taken_default_name_is_numbered(start: Start, tmp_path: Path) -> None:
    arguments = ["data.root=x", "--config-dir", "."]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "here.yaml").write_text("# @package _global_\nhydra: {run: {dir: same}}\n")
    for _ in range(2):
        assert start(*arguments, "experiment=here").err == ""
    assert [path.name for path in sorted(tmp_path.glob("same*"))] == ["same", "same-2"]
    assert runs.create(tmp_path / "same", exist_ok=False) == tmp_path / "same-3"


@pytest.mark.slow
def test_sweep_runs_every_job(start: Start, tmp_path: Path) -> None:
    outcome = start("-m", "seed=1", "style=swirls,facets", "data.root=x", "hydra.sweep.dir=s w")
    folders = ["0-mobile-swirls", "1-mobile-facets"]
    assert outcome.err.splitlines() == [f"job {n} has ended, {n + 1} of 2: {folders[n]}" for n in range(2)]
    assert outcome.out == ""
    assert [config.style.name for config in outcome.configs] == ["swirls", "facets"]
    jobs = sorted(path.name for path in (tmp_path / "s w").glob("[0-9]*"))
    assert jobs == folders
    [again] = start(f"resume={tmp_path}/s w/1-mobile-facets").configs
    assert (again.seed, again.style.name) == (1, "facets")


@pytest.mark.slow
def test_sweep_over_images_gives_each_its_style(start: Start, tmp_path: Path) -> None:
    names = ["b.jpg", "it's c.jpg"]
    for name in names:
        (tmp_path / name).touch()
    outcome = start("-m", f"style={','.join(names)}", "data.root=x", "hydra.sweep.dir=sweep")
    assert [config.style.image for config in outcome.configs] == [str(tmp_path / name) for name in names]
    assert [config.style.name for config in outcome.configs] == ["b", "it-s-c"]
    [again] = start("resume=sweep/1-mobile-it-s-c", "seed=3").configs
    assert again.style == outcome.configs[1].style
    outcome = start("-m", "style=*.j?g", "data.root=x", "hydra.sweep.dir=other")
    assert [config.style.image for config in outcome.configs] == [str(tmp_path / name) for name in names]


@pytest.mark.slow
def test_sweep_failed_job_does_not_stop_the_others(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        if config.seed < 3:
            raise CheckFailed(f"seed {config.seed} fails")

    outcome = start("-m", "seed=1,2,3", "data.root=x", "hydra.sweep.dir=sweep", task=task)
    assert outcome.code == 1
    lines = ["impasto-train: job 0: seed 1 fails", "impasto-train: job 1: seed 2 fails"]
    assert outcome.err.splitlines() == [*lines, "job 2 has ended, 3 of 3: 2-mobile-swirls"]
    assert len(outcome.configs) == 3
    folders = [f"{number}-mobile-swirls" for number in range(3)]
    assert files(tmp_path / "sweep") == [".jobs", *(f".jobs/{n}.json" for n in range(3)), *folders, "multirun.yaml"]
    assert [(status.job, status.code) for status in runs.statuses(tmp_path / "sweep")] == [(0, 1), (1, 1), (2, 0)]
    again = start("-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=sweep")
    assert "holds an earlier sweep" in again.sentence(2)
    for _ in range(2):  # a sweep of which nothing succeeded may be repeated in its directory
        line = ["-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=other"]
        assert start(*line, task=fail(CheckFailed("no"))).code == 1


@pytest.mark.slow
def test_sweep_interrupted_job_ends_the_sweep(start: Start, tmp_path: Path) -> None:
    line = ["-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=sweep"]
    outcome = start(*line, task=fail(KeyboardInterrupt("saved at step 5")))
    assert outcome.code == 130 and len(outcome.configs) == 1
    assert outcome.err.splitlines() == ["impasto-train: job 0: saved at step 5", "impasto-train: interrupted"]
    assert [(status.job, status.code) for status in runs.statuses(tmp_path / "sweep")] == [(0, 130), (1, None)]


@pytest.mark.parametrize(
    "change",
    [
        *({"job": "0"}, {"job": None}, {"code": "1"}, {"message": 3}, {"overrides": "a=b"}, {"overrides": [1]}),
        *({"folder": "../elsewhere"}, {"folder": "/"}, {"folder": None}),
    ],
)
def test_status_of_another_kind_is_not_a_job(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "sweep/.jobs").mkdir(parents=True)
    status = {"job": 0, "folder": "0", "overrides": ["seed=1"], "code": None, "message": ""}
    path = runs.status_path(tmp_path / "sweep", 0)
    path.write_text(json.dumps(status))
    assert [job.folder for job in runs.statuses(tmp_path / "sweep")] == ["0"]
    for text in (json.dumps(status | change), "[]", "1", "", "[" * 10**5, "\xff"):
        path.write_text(text, encoding="latin-1")
        assert runs.statuses(tmp_path / "sweep") == []
