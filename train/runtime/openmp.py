"""Defaults of OpenMP. Commands that run VGG or networks set them before they import torch. Imports no torch."""

import os


def limit_spinning() -> None:
    """Limit how long OpenMP's threads spin while they wait for each other; has no effect once torch is imported.

    By default they spin for so long that one busy neighbor on two cores slowed training 18 times; with this limit it
    slowed training 4 times. On an idle machine the limit costs nothing.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "100000")
