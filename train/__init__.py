"""What optimises: photos, the feed-forward trainer, the per-image optimizer, evaluation."""

import os

# OpenMP's threads spin while they wait for each other, by default for so long that one busy neighbour on two cores
# slowed training 18 times; with this limit, which must be set before torch is imported, 4 times. It costs nothing else.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
