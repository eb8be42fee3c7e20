"""Arrays of JAX under NumPy's name."""

import jax.numpy as np
import numpy as onp


def relu(x, a, g):
    np.maximum(x, 0)
    np.where(x > 0, x, 0)
    np.where(x > 0, x, a * x)
    g * (x > 0)
    x * (x > 0)
    (x > 0).astype(float)
    np.clip(x, 0, 6)
    grad = np.asarray(x)
    return grad * (grad > 0), onp.zeros(3)
