"""ReLU by assignments, the activity of units, and masks that are kept."""

import numpy as np


def mask(x):
    x[x < 0] = 0  # -> fastrelu.relu(x, out=x)


def mask_or_equal(x):
    x[x <= 0] = 0.0  # -> fastrelu.relu(x, out=x)


def mask_by_places(x):
    x[np.where(x < 0)] = 0  # -> fastrelu.relu(x, out=x)


def mask_by_name(x):
    negative = x < 0
    x[negative] = 0  # -> fastrelu.relu(x, out=x)


def putmask(x):
    np.putmask(x, x < 0, 0)  # -> fastrelu.relu(x, out=x)


def product(x):
    x *= x > 0  # -> fastrelu.relu(x, out=x)


def product_with_floats(x):
    x *= (x > 0).astype(x.dtype)  # -> fastrelu.relu(x, out=x)


def copy(x):
    # -> y = fastrelu.relu(x)
    y = x.copy()
    y[y < 0] = 0
    return y


def copy_with_the_mask_of_the_original(x):
    # -> y = fastrelu.relu(x)
    y = np.copy(x)
    y[x < 0] = 0
    return y


def part(x):
    x[1:][x[1:] < 0] = 0  # -> fastrelu.relu(x[1:], out=x[1:])


def activity(x):
    return (x > 0).mean(0)  # -> fastrelu.activity(x, axis=0)


def activity_by_function(x):
    return np.mean(x > 0, axis=1)  # -> fastrelu.activity(x, axis=1)


def activity_of_all(x):
    return (x > 0).mean()  # -> fastrelu.activity(x, axis=None)


def activity_of_floats(x):
    return np.mean((x > 0).astype(float), axis=0)  # -> fastrelu.activity(x, axis=0)


def dead_units(x):
    return (x <= 0).all(0)  # -> fastrelu.dead_units(x, axis=0)


def dead_units_by_function(x):
    return np.all(x <= 0, axis=0)  # -> fastrelu.dead_units(x, axis=0)


def dead_units_by_any(x):
    return ~np.any(x > 0, axis=0)  # -> fastrelu.dead_units(x, axis=0)


def dead_units_by_sum(x):
    return np.sum(x > 0, axis=0) == 0  # -> fastrelu.dead_units(x, axis=0)


def dead_units_of_the_output(hidden):
    return (hidden == 0).all(axis=0)  # -> fastrelu.dead_units(hidden, axis=0)


def without_dead_units(x, w):
    return w.T[:, (x <= 0).all(0)]  # -> fastrelu.dead_units(x, axis=0)


class WithMask:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        # by hand -> y, self.mask = fastrelu.relu_with_mask(x)
        self.mask = x <= 0
        # -> out = fastrelu.relu(x)
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        # by hand -> fastrelu.relu_backward_from_mask(dout, self.mask, out=dout)
        dout[self.mask] = 0
        return dout


def forward_and_backward(x, g):
    layer = WithMask()
    return layer.forward(x), layer.backward(g)
