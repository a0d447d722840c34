from pathlib import Path

import matplotlib

from impasto.train.runtime import plots


def test_plots_ignore_the_settings_of_the_current_folder(tmp_path: Path) -> None:
    """matplotlib reads a matplotlibrc there, which could start TeX."""
    rows = [
        {"step": float(step), "total": 3.0 / step, "content": 2.0 / step, "style": 1.0 / step} for step in (1, 2, 3)
    ]
    plots.write_curves(tmp_path / "own.png", rows, rows[:1])
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red", "figure.facecolor": "blue"}):
        plots.write_curves(tmp_path / "foreign.png", rows, rows[:1])
        plots.write_trajectories(tmp_path / "trajectories.png", [("a", [3.0, 2.0], 1.0)])
        assert matplotlib.rcParams["text.usetex"] is True
    assert (tmp_path / "own.png").read_bytes() == (tmp_path / "foreign.png").read_bytes()
