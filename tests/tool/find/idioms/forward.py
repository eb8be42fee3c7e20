"""ReLU, as an expression."""

import numpy as np
from numpy import maximum as largest


def maximum(x):
    return np.maximum(x, 0)  # -> fastrelu.relu(x)


def maximum_of_zero_first(x):
    return np.maximum(0, x)  # -> fastrelu.relu(x)


def maximum_with_float_zero(x):
    return np.maximum(0.0, x)  # -> fastrelu.relu(x)


def maximum_with_short_zero(x):
    return np.maximum(x, 0.)  # -> fastrelu.relu(x)


def maximum_with_zero_of_numpy(x):
    return np.maximum(x, np.float32(0))  # -> fastrelu.relu(x)


def maximum_by_another_name(x):
    return largest(0, x)  # -> fastrelu.relu(x)


def maximum_by_an_import_within(x):
    import numpy

    return numpy.maximum(x, 0)  # -> fastrelu.relu(x)


def maximum_with_out(x, y):
    np.maximum(x, 0, out=y)  # -> fastrelu.relu(x, out=y)


def maximum_with_out_by_place(x):
    np.maximum(0, x, x)  # -> fastrelu.relu(x, out=x)


def maximum_with_dtype(x):
    return np.maximum(x, 0, dtype=np.float64)  # -> fastrelu.relu(x, dtype=np.float64)


def maximum_with_where(x, y):
    return np.maximum(x, 0, out=y, where=x < 1)  # -> fastrelu.relu(x, out=y, where=x < 1)


def maximum_in_a_lambda(x):
    relu = lambda v: np.maximum(0, v)  # -> fastrelu.relu(v)
    return relu(x)


def maximum_in_a_default(x, f=lambda v: np.maximum(v, 0)):  # -> fastrelu.relu(v)
    return f(x)


def maximum_in_a_comprehension(x):
    return [np.maximum(row, 0) for row in x]  # -> fastrelu.relu(row)


def maximum_of_a_product(x, w):
    return np.maximum(x @ w, 0)  # -> fastrelu.relu(x @ w)


def maximum_of_a_dot(x, w):
    return np.maximum(0, np.dot(x, w))  # -> fastrelu.relu(np.dot(x, w))


def maximum_of_an_element(cache):
    return np.maximum(0, cache["Z1"])  # -> fastrelu.relu(cache["Z1"])


def maximum_of_a_part(x):
    return np.maximum(x[1:, ::2], 0)  # -> fastrelu.relu(x[1:, ::2])


def maximum_of_the_negative(x):
    return np.maximum(-x, 0)  # -> fastrelu.relu(-x)


def maximum_squared(x):
    return np.maximum(x, 0) ** 2  # -> fastrelu.relu(x)


def maximum_in_two_places(x):
    # -> fastrelu.relu(x) | fastrelu.relu(-x)
    return np.maximum(x, 0) / (1 + np.maximum(-x, 0))


def maximum_twice(x, w, v):
    # -> fastrelu.relu(np.maximum(x @ w, 0) @ v) | fastrelu.relu(x @ w)
    return np.maximum(np.maximum(x @ w, 0) @ v, 0)


def maximum_over_lines(x, w):
    # -> fastrelu.relu(x\n        @ w)
    return np.maximum(
        0,
        x
        @ w
    )


def maximum_with_a_comment_beside_it(x):
    return np.maximum(0, x)  # ReLU  # -> fastrelu.relu(x)


def maximum_with_a_comment_inside(x):
    # by hand -> fastrelu.relu(x)
    return np.maximum(
        0,  # as in the paper
        x,
    )


def maximum_with_zeros_like(x):
    return np.maximum(np.zeros_like(x), x)  # -> fastrelu.relu(x)


def maximum_with_zeros_in_a_name(x):
    zeros = np.zeros_like(x)
    return np.maximum(x, zeros)  # -> fastrelu.relu(x)


def maximum_with_zeros_of_shape(x):
    return np.maximum(x, np.zeros(x.shape, x.dtype))  # -> fastrelu.relu(x)


def product_with_heaviside(x):
    return x * np.heaviside(x, 0)  # -> fastrelu.relu(x)


def fmax(x):
    return np.fmax(x, 0)  # -> fastrelu.relu(x)


def fmax_of_zero_first(x):
    return np.fmax(0, x)  # -> fastrelu.relu(x)


def clip(x):
    return np.clip(x, 0, None)  # -> fastrelu.relu(x)


def clip_by_names(x):
    return np.clip(x, a_min=0, a_max=None)  # -> fastrelu.relu(x)


def clip_to_infinity(x):
    return np.clip(x, 0, np.inf)  # -> fastrelu.relu(x)


def clip_by_method(x):
    return x.clip(0)  # -> fastrelu.relu(x)


def clip_by_method_and_name(x):
    return x.clip(min=0)  # -> fastrelu.relu(x)


def clip_by_method_in_place(x):
    x.clip(0, out=x)  # -> fastrelu.relu(x, out=x)


def where(x):
    return np.where(x > 0, x, 0)  # -> fastrelu.relu(x)


def where_or_equal(x):
    return np.where(x >= 0, x, 0.0)  # -> fastrelu.relu(x)


def where_from_the_right(x):
    return np.where(0 < x, x, 0)  # -> fastrelu.relu(x)


def where_greater(x):
    return np.where(np.greater(x, 0), x, 0)  # -> fastrelu.relu(x)


def where_with_zeros(x):
    return np.where(x > 0, x, np.zeros_like(x))  # -> fastrelu.relu(x)


def where_below(x):
    return np.where(x < 0, 0, x)  # -> fastrelu.relu(x)


def where_not_above(x):
    return np.where(x <= 0, 0.0, x)  # -> fastrelu.relu(x)


def where_of_an_expression(x, w):
    return np.where(x @ w > 0, x @ w, 0)  # -> fastrelu.relu(x @ w)


def where_of_the_negative(x):
    return np.where(x < 0, -x, 0)  # -> fastrelu.relu(-x)


def minimum_of_the_negative(x):
    return -np.minimum(x, 0)  # -> fastrelu.relu(-x)


def product(x):
    return x * (x > 0)  # -> fastrelu.relu(x)


def product_from_the_left(x):
    return (x > 0) * x  # -> fastrelu.relu(x)


def product_or_equal(x):
    return x * (x >= 0)  # -> fastrelu.relu(x)


def product_by_function(x):
    return np.multiply(x, x > 0)  # -> fastrelu.relu(x)


def product_with_floats(x):
    return x * (x > 0).astype(x.dtype)  # -> fastrelu.relu(x)


def product_with_mask(x):
    mask = x > 0
    return x * mask  # -> fastrelu.relu(x)


def product_with_mask_used_twice(x, g):
    mask = x > 0
    y = x * mask  # -> fastrelu.relu(x)
    return y, mask.sum()


def where_with_mask(x):
    positive = x > 0
    return np.where(positive, x, 0)  # -> fastrelu.relu(x)


def half_of_the_sum(x):
    return (x + np.abs(x)) / 2  # -> fastrelu.relu(x)


def half_of_the_sum_by_product(x):
    return 0.5 * (abs(x) + x)  # -> fastrelu.relu(x)


class Tensor:
    """A program's own, around an array."""


def maximum_of_the_data(tensor: Tensor):
    return np.maximum(tensor.data, 0)  # -> fastrelu.relu(tensor.data)


class Layer:
    def forward(self, x):
        self.x = x
        self.y = np.maximum(0, self.x)  # -> fastrelu.relu(self.x)
        return self.y


def method(x):
    return Layer().forward(x)


def maximum_of_a_minimum_that_may_be_negative(x, z):
    return np.maximum(0, np.minimum(x, z))  # -> fastrelu.relu(np.minimum(x, z))
