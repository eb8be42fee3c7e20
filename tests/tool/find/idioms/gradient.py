"""The gradient and the derivative of ReLU, as expressions."""

import numpy as np


def product(g, x):
    return g * (x > 0)  # -> fastrelu.relu_backward(g, x)


def product_from_the_left(g, x):
    return (x > 0) * g  # -> fastrelu.relu_backward(g, x)


def product_by_function(g, x):
    return np.multiply(g, x > 0)  # -> fastrelu.relu_backward(g, x)


def product_with_greater(g, x):
    return g * np.greater(x, 0)  # -> fastrelu.relu_backward(g, x)


def product_with_floats(g, x):
    return g * (x > 0).astype(float)  # -> fastrelu.relu_backward(g, x)


def product_with_integers(g, x):
    return g * (x > 0).astype(int)  # -> fastrelu.relu_backward(g, x)


def product_with_where(g, x):
    return g * np.where(x > 0, 1, 0)  # -> fastrelu.relu_backward(g, x)


def product_with_where_below(g, x):
    return g * np.where(x <= 0, 0.0, 1.0)  # -> fastrelu.relu_backward(g, x)


def product_with_heaviside(g, x):
    return g * np.heaviside(x, 0)  # -> fastrelu.relu_backward(g, x)


def product_with_type(g, x):
    return g * np.float32(x > 0)  # -> fastrelu.relu_backward(g, x)


def product_or_equal(g, x):
    return g * (x >= 0)  # -> fastrelu.relu_backward(g, x)


def product_with_floats_or_equal(g, x):
    return g * np.where(x >= 0, 1, 0)  # -> fastrelu.relu_backward(g, x)


def derivative_of_arrays(x):
    return np.where(x > 0, np.ones_like(x), np.zeros(x.shape))  # -> fastrelu.relu_derivative(x)


def product_of_a_layer(d, w, x):
    return d @ w.T * (x > 0)  # -> fastrelu.relu_backward(d @ w.T, x)


def product_of_a_layer_by_dot(d, w, x):
    dx = np.dot(d, w.T) * (x > 0)  # -> fastrelu.relu_backward(np.dot(d, w.T), x)
    return dx


def product_with_mask(g, x):
    mask = x > 0
    return g * mask  # -> fastrelu.relu_backward(g, x)


def product_in_place(d, x):
    d *= x > 0  # -> fastrelu.relu_backward(d, x, out=d)


def product_in_place_with_floats(d, x):
    d *= (x > 0).astype(d.dtype)  # -> fastrelu.relu_backward(d, x, out=d)


def where(g, x):
    return np.where(x > 0, g, 0)  # -> fastrelu.relu_backward(g, x)


def where_below(g, x):
    return np.where(x <= 0, 0, g)  # -> fastrelu.relu_backward(g, x)


def where_or_equal(g, x):
    return np.where(x >= 0, g, 0)  # -> fastrelu.relu_backward(g, x)


def mask_in_place(d, x):
    d[x <= 0] = 0  # -> fastrelu.relu_backward(d, x, out=d)


def mask_in_place_by_places(d, x):
    d[np.where(x <= 0)] = 0  # -> fastrelu.relu_backward(d, x, out=d)


def mask_in_place_by_name(d, x):
    dead = x <= 0
    d[dead] = 0  # -> fastrelu.relu_backward(d, x, out=d)


def mask_below_in_place(d, x):
    d[x < 0] = 0  # -> fastrelu.relu_backward(d, x, out=d)


def gradient_of_relu_by_its_output(d, y):
    d[y == 0] = 0  # -> fastrelu.relu_backward(d, y, out=d)


def copy_and_mask(g, x):
    # -> dx = fastrelu.relu_backward(g, x)
    dx = g.copy()
    dx[x <= 0] = 0
    return dx


def copy_and_mask_by_array(dout, x):
    # -> dx = fastrelu.relu_backward(dout, x)
    dx = np.array(dout, copy=True)
    dx[x <= 0] = 0
    return dx


def alias_and_mask(dout, x):
    dx = dout
    dx[x <= 0] = 0  # -> fastrelu.relu_backward(dx, x, out=dx)
    return dx


def derivative(x):
    return (x > 0).astype(x.dtype)  # -> fastrelu.relu_derivative(x)


def derivative_as_float(x):
    return (x > 0).astype(float)  # -> fastrelu.relu_derivative(x)


def derivative_as_float32(x):
    return np.greater(x, 0).astype(np.float32)  # -> fastrelu.relu_derivative(x)


def derivative_as_integers(x):
    return (x > 0).astype(int)  # -> fastrelu.relu_derivative(x)


def derivative_where(x):
    return np.where(x > 0, 1, 0)  # -> fastrelu.relu_derivative(x)


def derivative_where_floats(x):
    return np.where(x > 0, 1.0, 0.0)  # -> fastrelu.relu_derivative(x)


def derivative_where_below(x):
    return np.where(x <= 0, 0, 1)  # -> fastrelu.relu_derivative(x)


def derivative_by_product(x):
    return 1.0 * (x > 0)  # -> fastrelu.relu_derivative(x)


def derivative_or_equal(x):
    return (x >= 0).astype(x.dtype)  # -> fastrelu.relu_derivative(x, at_zero=1)


def derivative_where_not_below(x):
    return np.where(x < 0, 0, 1)  # -> fastrelu.relu_derivative(x, at_zero=1)


def derivative_by_heaviside(x):
    return np.heaviside(x, 0)  # -> fastrelu.relu_derivative(x)


def derivative_by_heaviside_of_one(x):
    return np.heaviside(x, 1.0)  # -> fastrelu.relu_derivative(x, at_zero=1)


def derivative_by_masks(x):
    # -> x[...] = fastrelu.relu_derivative(x)
    x[x <= 0] = 0
    x[x > 0] = 1
    return x


def derivative_by_masks_of_a_copy(x):
    # -> dx = fastrelu.relu_derivative(x)
    dx = np.copy(x)
    dx[x <= 0] = 0
    dx[x > 0] = 1
    return dx


def derivative_by_masks_of_a_copy_or_equal(x):
    # -> dx = fastrelu.relu_derivative(x, at_zero=1)
    dx = x.copy()
    dx[dx >= 0] = 1
    dx[dx < 0] = 0
    return dx


def derivative_from_ones(x):
    # -> dx = fastrelu.relu_derivative(x)
    dx = np.ones_like(x)
    dx[x <= 0] = 0
    return dx


def derivative_from_zeros(x):
    # -> dx = fastrelu.relu_derivative(x)
    dx = np.zeros_like(x)
    dx[x > 0] = 1
    return dx


def derivative_by_masks_or_equal(x):
    # -> x[...] = fastrelu.relu_derivative(x, at_zero=1)
    x[x >= 0] = 1
    x[x < 0] = 0
    return x


def derivative_from_ones_or_equal(x):
    # -> dx = fastrelu.relu_derivative(x, at_zero=1)
    dx = np.ones(x.shape)
    dx[x < 0] = 0
    return dx


def copy_and_mask_below(g, x):
    # -> dx = fastrelu.relu_backward(g, x)
    dx = g.copy()
    dx[x < 0] = 0
    return dx


def copy_and_relu_by_its_output(g, y):
    # -> dx = fastrelu.relu_backward(g, y)
    dx = g.copy()
    dx[y == 0] = 0
    return dx


def derivative_as_an_array(x):
    return np.asarray(x > 0, x.dtype)  # -> fastrelu.relu_derivative(x)
