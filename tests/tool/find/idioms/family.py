"""Leaky ReLU, clipped ReLU, the soft threshold and their gradients."""

import numpy as np


def leaky_where(x, a):
    return np.where(x > 0, x, a * x)  # -> fastrelu.leaky_relu(x, a)


def leaky_where_with_number(x):
    return np.where(x > 0, x, x * 0.01)  # -> fastrelu.leaky_relu(x, 0.01)


def leaky_where_or_equal(x, a):
    return np.where(x >= 0, x, x * a)  # -> fastrelu.leaky_relu(x, a)


def leaky_where_below(x, a):
    return np.where(x < 0, a * x, x)  # -> fastrelu.leaky_relu(x, a)


def leaky_where_not_above(x, a):
    return np.where(x <= 0, a * x, x)  # -> fastrelu.leaky_relu(x, a)


def leaky_product(x, a):
    return x * np.where(x > 0, 1, a)  # -> fastrelu.leaky_relu(x, a)


def leaky_maximum(x, a):
    return np.maximum(x, a * x)  # -> fastrelu.leaky_relu(x, a)


def leaky_maximum_with_number(x):
    return np.maximum(0.2 * x, x)  # -> fastrelu.leaky_relu(x, 0.2)


def leaky_parts(x, a):
    return np.maximum(0, x) + a * np.minimum(0, x)  # -> fastrelu.leaky_relu(x, a)


def leaky_parts_by_products(x, a):
    return x * (x > 0) + a * x * (x <= 0)  # -> fastrelu.leaky_relu(x, a)


def leaky_parts_by_relu(x, a):
    return np.maximum(x, 0) - a * np.maximum(-x, 0)  # -> fastrelu.leaky_relu(x, a)


def leaky_in_place(x):
    x[x < 0] *= 0.01  # -> fastrelu.leaky_relu(x, 0.01, out=x)


def leaky_in_place_by_assignment(x):
    x[x < 0] = 0.1 * x[x < 0]  # -> fastrelu.leaky_relu(x, 0.1, out=x)


def leaky_copy(x):
    # -> y = fastrelu.leaky_relu(x, 0.01)
    y = x.copy()
    y[y < 0] *= 0.01
    return y


def prelu(x, slopes):
    return np.where(x > 0, x, slopes * x)  # -> fastrelu.leaky_relu(x, slopes)


def leaky_gradient(g, x, a):
    return g * np.where(x > 0, 1.0, a)  # -> fastrelu.leaky_relu_backward(g, x, a)


def leaky_gradient_where(g, x, a):
    return np.where(x > 0, g, a * g)  # -> fastrelu.leaky_relu_backward(g, x, a)


def leaky_gradient_or_equal(g, x, a):
    return g * np.where(x >= 0, 1.0, a)  # -> fastrelu.leaky_relu_backward(g, x, a)


def leaky_gradient_in_place(d, x):
    d[x <= 0] *= 0.01  # -> fastrelu.leaky_relu_backward(d, x, 0.01, out=d)


def leaky_gradient_in_place_or_equal(d, x):
    d[x < 0] *= 0.01  # -> fastrelu.leaky_relu_backward(d, x, 0.01, out=d)


def leaky_derivative_or_equal(x, a):
    return np.where(x >= 0, 1, a)  # -> fastrelu.leaky_relu_backward(1.0, x, a)


def leaky_derivative(x, a):
    return np.where(x > 0, 1, a)  # -> fastrelu.leaky_relu_backward(1.0, x, a)


def leaky_derivative_by_mask(x):
    # -> dx = fastrelu.leaky_relu_backward(1.0, x, 0.01)
    dx = np.ones_like(x)
    dx[x < 0] = 0.01
    return dx


def clip(x):
    return np.clip(x, 0, 6)  # -> fastrelu.clipped_relu(x, 6)


def clip_by_method(x):
    return x.clip(0, 1)  # -> fastrelu.clipped_relu(x, 1)


def clip_by_names(x):
    return np.clip(x, a_min=0.0, a_max=1.0)  # -> fastrelu.clipped_relu(x, 1.0)


def clip_in_place(x):
    np.clip(x, 0, 6, out=x)  # -> fastrelu.clipped_relu(x, 6, out=x)


def clip_to_a_name(x, c):
    return np.clip(x, 0, c)  # -> fastrelu.clipped_relu(x, c)


def clip_from_zeros(x, c):
    return np.clip(x, np.full_like(x, 0.0), c)  # -> fastrelu.clipped_relu(x, c)


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6)  # -> fastrelu.clipped_relu(x, 6)


def relu6_the_other_way_round(x):
    return np.maximum(0, np.minimum(x, 6))  # -> fastrelu.clipped_relu(x, 6)


def clipped_gradient(g, x, c):
    return g * ((x > 0) & (x < c))  # -> fastrelu.clipped_relu_backward(g, x, c)


def clipped_gradient_by_function(g, x):
    # -> fastrelu.clipped_relu_backward(g, x, 6)
    return g * np.logical_and(x > 0, x < 6)


def clipped_gradient_where(g, x):
    # -> fastrelu.clipped_relu_backward(g, x, 6)
    return np.where((x > 0) & (x < 6), g, 0)


def soft(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.sign(x) * np.maximum(np.abs(x) - t, 0)


def soft_with_zero_first(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.sign(x) * np.maximum(0.0, abs(x) - t)


def soft_by_functions(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.multiply(np.sign(x), np.maximum(np.absolute(x) - t, 0))


def soft_by_clip(x, t):
    return np.sign(x) * (np.abs(x) - t).clip(0)  # -> fastrelu.soft_threshold(x, t)


def soft_sign_last(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.maximum(np.abs(x) - t, 0) * np.sign(x)


def soft_over_lines(x, w, t):
    # -> fastrelu.soft_threshold(x @ w, 2 * t)
    return np.sign(x @ w) * np.maximum(
        np.abs(x @ w) - 2 * t, 0
    )


def soft_where(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.where(x > t, x - t, np.where(x < -t, x + t, 0))


def soft_where_sign(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.where(np.abs(x) <= t, 0, x - t * np.sign(x))


def soft_by_maxima(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.maximum(x - t, 0) - np.maximum(-x - t, 0)


def soft_by_parts(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.maximum(x - t, 0) + np.minimum(x + t, 0)


def soft_by_products(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return (x - t) * (x > t) + (x + t) * (x < -t)


def soft_by_products_and_equal(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return (x + t) * (x <= -t) + (x - t) * (x >= t)


def soft_gradient(g, x, t):
    return g * (np.abs(x) > t)  # -> fastrelu.soft_threshold_backward(g, x, t)


def soft_gradient_where(g, x, t):
    # -> fastrelu.soft_threshold_backward(g, x, t)
    return np.where(np.abs(x) > t, g, 0)


def soft_with_another_sign(x, z, t):
    # -> fastrelu.subtract_relu(np.abs(z), t)
    return np.sign(x) * np.maximum(np.abs(z) - t, 0)


def soft_sign_and_where(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.sign(x) * np.where(np.abs(x) > t, np.abs(x) - t, 0)


def soft_by_clip_to_infinity(x, t):
    # -> fastrelu.soft_threshold(x, t)
    return np.sign(x) * np.clip(np.abs(x) - t, 0, float("inf"))


def leaky_copy_by_assignment(x):
    # -> y = fastrelu.leaky_relu(x, 0.01)
    y = x.copy()
    y[y < 0] = y[y < 0] * 0.01
    return y


def leaky_copy_by_assignment_of_its_parts(x, a):
    # -> y = fastrelu.leaky_relu(x, a)
    y = x.copy()
    y[x <= 0] = x[x <= 0] * a
    return y


def clip_of_what_has_a_length(x):
    y = np.clip(x, 0, 6)  # -> fastrelu.clipped_relu(x, 6)
    return y, int(y.shape[0])


def clip_to_an_expression(x, c):
    return np.clip(x, 0, c / 2.0)  # -> fastrelu.clipped_relu(x, c / 2.0)
