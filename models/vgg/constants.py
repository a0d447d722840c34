"""Shared by all VGG modules: the ImageNet mean and the type of the weights."""

from torch import Tensor

# Mean of ImageNet in RGB, 0..255: Simonyan & Zisserman's published models
MEAN_RGB = (123.68, 116.779, 103.939)

Weights = dict[str, Tensor]
"""conv1_1 .. conv5_3, each as `<conv>.weight` [out, in, 3, 3] and `<conv>.bias` [out], float32, RGB order."""
