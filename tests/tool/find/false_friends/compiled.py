"""Functions that a compiler takes, which cannot call fastrelu."""

import numba
import numpy as np
from numba import njit


@njit
def relu(x):
    return np.maximum(x, 0)


@numba.jit(nopython=True)
def leaky_relu(x, a):
    return np.where(x > 0, x, a * x)


@numba.vectorize
def gradient(g, x):
    return g * (x > 0)
