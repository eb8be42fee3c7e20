"""Names that may stand for another library than NumPy."""

import numpy

try:
    import cupy as np
except ImportError:
    import numpy as np


def either(x, xp):
    np.maximum(x, 0)
    np.where(x > 0, x, 0)
    xp.maximum(x, 0)
    return numpy.pi


def parameter(x, numpy):
    return numpy.maximum(x, 0)


def own(x):
    def maximum(x, y):
        return x

    return maximum(x, 0)
