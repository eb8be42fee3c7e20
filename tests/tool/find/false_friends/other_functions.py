"""Lines that look like an idiom and compute something else."""

import math

import numpy as np


def more_than_zero(x, y, eps, t, a, b, c, g):
    np.maximum(x, eps)  # another bound
    np.maximum(x, 1)
    np.maximum(x, -1)
    np.maximum(x, 1e-12)
    np.maximum(x, y)
    np.maximum(y * a, x)
    np.maximum(x, 3 * x)  # a slope above 1: the other branch
    np.maximum(x, -0.5 * x)
    np.clip(x, 0, -1)  # a bound below 0
    np.maximum.reduce(x)
    np.maximum.accumulate(x, 0)
    np.maximum.outer(x, 0)
    np.minimum(x, 0)
    np.minimum(np.maximum(x, 1), 6)
    np.max(x, 0)
    np.max(x, axis=0)
    np.amax([x, y], 0)
    np.ma.maximum(x, 0)
    np.nanmax(x, 0)
    max(x, 0)
    max(0, x.max())
    math.copysign(max(abs(x) - t, 0), x)
    np.fmax(x, y)
    np.clip(x, -1, 1)
    np.clip(x, 1e-7, 1 - 1e-7)
    np.clip(x, None, 0)
    np.clip(x, -c, c)
    np.clip(x, t, None)
    x.clip(-1)
    x.clip(max=0)
    x.clip(lower=0)  # of pandas
    x.clip()
    np.where(x > 0, x, y)
    np.where(x > 0, x, 1)
    np.where(x > 1, x, 0)
    np.where(x > y, x, 0)
    np.where(x < 0, x, 0)
    np.where(x > 0, 0, x)
    np.where(x == 0, 0, x)
    np.where(y > 0, x, 0)
    np.where(x > 0, np.log(x), 0)
    np.where(x > 0, 1 / x, 0)
    np.where(x > 0, x, a * (np.exp(x) - 1))  # ELU
    dx = y.copy()
    rests = x == 0  # of a sparse code, which may be below 0
    dx[rests] = 0
    y[np.all(x == 0, axis=1)] = 1
    near = np.clip(x, -50, 50)
    np.where(x > 0, x, a * np.exp(near))
    np.where(x > 0, 1.0, a * np.exp(near))
    errors = (y == a) * (np.sum(x, axis=0) > 0)  # both are bool
    chance = np.clip(2 * min(a, 1 - a), 0, 1)  # one number
    excess = np.maximum(a - b, 0)
    math.sqrt(float(excess))
    steps = np.heaviside(x - a, 1)  # of time or place
    np.where(x > 0, x, a * y)
    np.where(x > 0, a * x, x)
    np.where(x > 0, x, -x)
    np.where(x > t, x, 0)  # the hard threshold
    np.where(np.abs(x) > t, x, 0)
    np.where(x > t, x + t, 0) + np.where(x < t, x + t, 0)
    np.where(x > t, x - t, np.where(x < -t, x - t, 0))
    np.where(x > 0)
    np.where(x > 0, "up", "down")
    np.where(x > 0, True, False)
    np.where(x > 0, 255, 0)
    x * (y > 0)
    x * (x < 0)
    x * (x > 1)
    x * (x != 0)
    x * (np.abs(x) > t)  # the hard threshold
    x + (x > 0)
    x ** 2 * (x > 0)
    (x > 0) * 255
    (x + np.abs(y)) / 2
    (x - np.abs(x)) / 2
    (x + np.abs(x)) / 3
    np.sign(x) * (np.abs(x) - t)
    np.sign(x) * np.maximum(np.abs(x) - t, y)
    np.sign(x) * np.minimum(np.abs(x), t)
    np.sign(x) * np.abs(x)
    np.sign(x) * np.maximum(np.abs(x) - t, 1)
    np.sign(np.maximum(x, 1))
    np.heaviside(x, 0.5)
    np.heaviside(x, y)
    x[x > 0].mean()  # of the positive elements
    np.mean(x[x > 0])
    (x > 0).sum()
    (x > 0).any()
    (x > 0).all()
    (x > 0).all(axis=0)
    (x >= 0).mean(axis=0)
    (x != 0).mean(axis=0)
    (x == y).all(axis=0)
    (np.isnan(x) == 0).all(axis=0)
    (x > 0).astype(bool)
    (x > 0).astype(np.uint8)
    (x > 0).astype(str)
    np.sum(x > 0)
    np.count_nonzero(x > 0)
    np.maximum(*x)
    np.maximum(x, 0, **y)
    np.maximum(0, 1)
    np.maximum([1, -2], 0)
    np.maximum.at(x, 0, y)
    np.add(x, y)
    g[y > 0] = x[y > 0]


def assignments(x, y, t, mask, img):
    x[x < 0] = 1
    x[x < 0] = np.nan
    x[x < 0] = x[x < 0] + 1
    x[x < 0] = -x[x < 0]
    x[x < 1] = 0
    x[x > 0] = 0
    x[x == 0] = 1
    x[x != x] = 0
    x[y < t] = 0
    x[mask] = 0
    x[mask == 0] = 0
    x[0] = 0
    x[:, 0] = 0
    x[x < 0] += 1
    x[x < 0] /= 2
    x[y > 0] *= 2
    img[mask <= 0] = 0
    img[mask == 0] = 0
    img[~(mask > 0)] = 255


def changed_in_between(x, y):
    mask = x > 0
    x = x + y
    return x * mask


def changed_in_place(x):
    mask = x > 0
    x -= 1
    return np.where(mask, x, 0)


def mask_changed(x):
    mask = x > 0
    mask[0] = True
    return x * mask


def bound_twice(x, y, flag):
    mask = x > 0
    if flag:
        mask = y > 0
    return x * mask


def shared(x, w, b):
    z = x @ w + b
    z = z * 2
    return z


def derivative_of_elu(x, a):
    math.sqrt(np.maximum(x, 0))
    np.where(x[0] > 0, 1, a * np.exp(x[0]))
    mask = x <= 0
    a[mask] *= np.exp(x[mask])
    return np.where(x > 0, 1, a * np.exp(x))


def hard_threshold_of_gradients(x, t, tol):
    np.maximum(tol, tol * np.max(x))
    np.maximum(0, np.max(x) - 1)
    np.maximum(x.mean() - t.mean(), 0)
    return np.where(np.abs(x) > t, x, 0)


class GradientBoosting:
    def fit(self, y):
        return np.where(y <= 0, 0, 1)


def label(returns):
    direction = np.where(returns > 0, 1, 0)
    up = (returns > 0).astype(int)
    wins = (returns > 0).mean()
    weights = returns * (direction > 0)
    return direction, up, wins, weights


def left_out(x, y):
    np.maximum(x, 0)  # fastrelu: ignore
    np.where(
        x > 0,  # fastrelu: ignore
        x,
        0,
    )
    y[y < 0] = 0  # fastrelu: ignore
