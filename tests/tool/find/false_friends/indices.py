"""Whole numbers: indices, lengths and counts."""

import numpy as np


def places(x, n: int, scale: float, rows, sites, share: float | None = None, gain=1.0):
    np.clip(share, 0, 1)
    np.clip(gain, 0, 1)
    near = x[sites]
    np.add.at(near, (rows, np.maximum(sites, 0)), 1)
    a = x[np.maximum(0, rows)]
    b = x[np.clip(rows, 0, 9)]
    c = x[np.maximum(rows - 1, 0) : n]
    start = np.maximum(rows - 5, 0)
    d = x[start:]
    stop = np.clip(rows + 5, 0, 100)
    e = x[..., stop]
    for i in range(n):
        np.maximum(i - 1, 0)
        np.clip(i + 1, 0, n)
    idx = np.argsort(x)
    np.maximum(idx, 0)
    np.maximum(idx - 1, 0)
    np.maximum(0, len(x) - 5)
    np.maximum(0, x.shape[0] - 5)
    np.maximum(x.size - n, 0)
    np.maximum(np.arange(10) - 3, 0)
    np.maximum(np.floor(x).astype(int) - 1, 0)
    np.maximum(np.searchsorted(x, 3) - 1, 0)
    np.maximum(x.argmax(), 0)
    np.clip(np.digitize(x, rows) - 1, 0, 8)
    np.clip(rows, 0, x.shape[1] - 1)
    np.clip(rows, 0, n - 1)
    np.clip(rows, 0, len(x))
    np.maximum(n - 1, 0)
    np.maximum(scale, 0)
    np.maximum(scale - 0.5, 0)
    np.maximum(float(n), 0)
    segments = np.searchsorted(x, rows)
    segments -= 1
    segments[segments < 0] = 0
    np.clip(np.array(rows.shape) - np.array(x.shape), 0, 9)
    row_index = rows - 1
    np.maximum(row_index, 0)
    corner = np.asarray(x.shape) // 2 - 8
    corner = np.minimum(np.maximum(corner, 0), np.asarray(x.shape) - 16)
    for k in range(np.maximum(rows, 0)):
        pass
    return a, b, c, d, e
