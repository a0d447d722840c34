"""Moving averages of a loss's statistics over the batches of recent steps."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn


class MovingAverages(nn.Module):
    """Replaces the statistics of a batch by their exponential moving average, through which gradients flow.

        a <- decay a + (1 - decay) mean over the batch of x,    y = a + x - stop_gradient(x)

    The value of y is the average, and its gradient that of x. A loss that compares y with the painting asks the
    pictures of many steps together for the painting's statistics. A loss that compares x asks each crop, flat ones,
    too, and gets blotches on skies and walls.

    Args:
        initial: The averages to start from, each [1, ...].
        decay: The share of the average that remains in each step, 0..1.
        reduce: Averages a tensor over the processes of a run.
    """

    def __init__(
        self, initial: Mapping[str, Tensor], decay: float, reduce: Callable[[Tensor], Tensor] = lambda values: values
    ) -> None:
        super().__init__()
        self.decay = decay
        self.reduce = reduce
        for name, values in initial.items():
            self.register_buffer(name, values.detach().clone())

    def forward(self, name: str, values: Tensor) -> Tensor:
        """Update an average.

        Args:
            name: One of `initial`.
            values: Statistics x of a batch [N, ...].

        Returns:
            The average y [1, ...].
        """
        values = values.mean(0, keepdim=True)
        average = self.get_buffer(name)
        average.lerp_(self.reduce(values.detach()), 1 - self.decay)
        return average.clone() + (values - values.detach())


def average(averages: MovingAverages | None, name: str, values: Tensor) -> Tensor:
    """Return the moving average of statistics [N, ...], or the statistics themselves without averages."""
    return values if averages is None else averages(name, values)
