"""The metric equivalent iterations: how many iterations of the per-image optimizer one pass of a network equals."""

from collections.abc import Sequence


def equivalent_iterations(optimizer_losses: Sequence[float], network_loss: float) -> int:
    """Return the number of L-BFGS iterations that one pass of a network is equivalent to on one photo.

    It is the smallest i with L_i <= L_network, where L_i is the optimizer's total loss at iteration i and L_network is
    the total loss of the network's output, by the same loss. Source: the comparison in Johnson et al. 2016, figure 5.
    Higher is better. The metric depends on the optimizer, its initial image and the size of the photo; tables use
    `optimizer_baseline.BASELINE`.

    Args:
        optimizer_losses: The optimizer's total loss at each iteration, from iteration 1; need not fall monotonically.
        network_loss: The total loss of the network's output.

    Returns:
        An iteration from 1 to `len(optimizer_losses)`. The latter is a lower bound: it is also returned where the
        optimizer never reached the network's loss.
    """
    reached = (iteration for iteration, loss in enumerate(optimizer_losses, 1) if loss <= network_loss)
    return next(reached, len(optimizer_losses))
