"""A sum or difference within ReLU, and the sum or mean of ReLU."""

import numpy as np


def bias(x, w, b):
    return np.maximum(0, x @ w + b)  # -> fastrelu.add_relu(x @ w, b)


def bias_by_where(x, b):
    return np.where(x + b > 0, x + b, 0)  # -> fastrelu.add_relu(x, b)


def bias_by_function(x, b):
    return np.maximum(np.add(x, b), 0)  # -> fastrelu.add_relu(x, b)


def bias_with_out(x, b, y):
    np.maximum(x + b, 0, out=y)  # -> fastrelu.add_relu(x, b, out=y)


def bias_first(x, w, b):
    return np.maximum(b + x @ w, 0)  # -> fastrelu.add_relu(b, x @ w)


def bias_before(x, w, b):
    z = x @ w + b
    return np.maximum(z, 0)  # -> fastrelu.add_relu(x @ w, b)


def bias_before_an_assignment(x, w, b):
    z = x @ w + b
    a = np.maximum(z, 0)  # -> fastrelu.add_relu(x @ w, b)
    return a + 1


def bias_before_and_used_again(x, w, b):
    z = x @ w + b
    a = np.maximum(z, 0)  # -> fastrelu.relu(z)
    return z, a


def bias_to_the_same_name(x, w, b):
    # -> z = fastrelu.add_relu(x @ w, b)
    z = x @ w + b
    z = np.maximum(z, 0)
    return z


def bias_in_place(z, b):
    # -> fastrelu.add_relu(z, b, out=z)
    z += b
    np.maximum(z, 0, out=z)


def bias_in_place_and_mask(z, b):
    # -> fastrelu.add_relu(z, b, out=z)
    z += b
    z[z < 0] = 0


def bias_in_place_and_new(x, w, b):
    z = x @ w
    # -> z = fastrelu.add_relu(z, b)
    z += b
    z = np.maximum(z, 0)
    return z


def bias_in_place_and_return(x, w, b):
    z = x @ w
    # -> return fastrelu.add_relu(z, b)
    z += b
    return np.maximum(z, 0)


def call_option(x, K):
    return np.maximum(x - K, 0)  # -> fastrelu.subtract_relu(x, K)


def put_option(x, K):
    return np.maximum(0, K - x)  # -> fastrelu.subtract_relu(K, x)


def hinge(x, g):
    return np.maximum(0, 1 - x * g)  # -> fastrelu.subtract_relu(1, x * g)


def difference_by_method(x, K):
    return (x - K).clip(0)  # -> fastrelu.subtract_relu(x, K)


def difference_by_product(x, K):
    return (x - K) * (x - K > 0)  # -> fastrelu.subtract_relu(x, K)


def difference_by_where(x, K):
    return np.where(x - K > 0, x - K, 0)  # -> fastrelu.subtract_relu(x, K)


def difference_before(x, K):
    gain = x - K
    return np.maximum(gain, 0)  # -> fastrelu.subtract_relu(x, K)


def difference_of_arrays(x, g):
    return np.maximum(x - g, 0)  # -> fastrelu.subtract_relu(x, g)


def difference_to_the_same_name(x, K):
    # -> x = fastrelu.subtract_relu(x, K)
    x = x - K
    x = np.maximum(x, 0)
    return x


def difference_in_place(x, K):
    # -> fastrelu.subtract_relu(x, K, out=x)
    x -= K
    np.maximum(x, 0, out=x)


def total(x):
    return np.maximum(x, 0).sum()  # -> fastrelu.relu_sum(x)


def total_by_function(x):
    return np.sum(np.maximum(0, x), axis=1)  # -> fastrelu.relu_sum(x, axis=1)


def total_by_where(x):
    return np.where(x > 0, x, 0).sum(0)  # -> fastrelu.relu_sum(x, axis=0)


def total_with_keepdims(x):
    # -> fastrelu.relu_sum(x, axis=0, keepdims=True)
    return np.sum(x * (x > 0), axis=0, keepdims=True)


def total_above(x, K):
    return np.maximum(x - K, 0).sum()  # -> fastrelu.relu_sum(x, threshold=K)


def total_above_a_number(x):
    # -> fastrelu.relu_sum(x, axis=0, threshold=0.5)
    return np.maximum(x - 0.5, 0).sum(axis=0)


def total_of_a_difference(x, g):
    return np.sum(np.maximum(x - g, 0))  # -> fastrelu.relu_sum(x - g)


def total_of_positive_elements(x):
    return x[x > 0].sum()  # -> fastrelu.relu_sum(x)


def total_of_positive_elements_by_function(x):
    return np.sum(x[x > 0])  # -> fastrelu.relu_sum(x)


def average(x):
    return np.maximum(x, 0).mean()  # -> fastrelu.relu_mean(x)


def average_by_function(x):
    return np.mean(np.maximum(0, x), axis=1)  # -> fastrelu.relu_mean(x, axis=1)


def average_payoff(x, K):
    return 0.9 * np.maximum(x - K, 0).mean()  # -> fastrelu.relu_mean(x, threshold=K)


def average_payoff_of_puts(x, K):
    return np.mean(np.maximum(K - x, 0))  # -> fastrelu.relu_mean(K - x)


def average_as_a_number(x, K):
    return float(np.mean(np.maximum(0, x - K)))  # -> fastrelu.relu_mean(x, threshold=K)


def difference_where_above(x, K):
    return np.where(x > K, x - K, 0)  # -> fastrelu.subtract_relu(x, K)


def difference_unless_below(x, K):
    return np.where(x <= K, 0, x - K)  # -> fastrelu.subtract_relu(x, K)
