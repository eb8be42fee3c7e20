"""What every function means, in plain Python and NumPy: the tests' oracle, and the fallback."""

import sys
import warnings

import numpy as np


def relu(x, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True):
    """
    Rectified linear unit: x where it is not below zero, else 0, element by element.

    The same values, dtypes and errors as ``np.maximum(0, x)``, whose signs of zero differ between
    machines; here x itself passes, bit for bit, unless ``x < 0``. So NaN passes with its sign and
    payload, and -0.0 stays -0.0. No floating-point warning is ever given.

    Parameters
    ----------
    x : array_like
        Of any shape; integers, bool, real and complex floats, timedelta64 or object; and of
        ml_dtypes, where it is installed, the integers and real floats.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that x broadcasts to. It may be x.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the shape and dtype of x (bool gives the default integer); a scalar if x is one. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If x has no order against 0 (datetime64, strings, structured dtypes), or is of a dtype of a
        library other than ml_dtypes, or if the result does
        not fit the dtype of out under the casting rule.
    ValueError
        If the shapes do not broadcast to that of out, or out is read-only.

    See Also
    --------
    relu_backward : Its gradient.

    Notes
    -----
    Complex numbers are ordered as in NumPy, by their real parts, then by the imaginary ones.

    The types of ml_dtypes give themselves; ``np.maximum(0, x)`` gives int8 for int4 and the like,
    and before NumPy 2.1 float32 for bfloat16. float8_e8m0fnu has no zero and passes whole.

    References
    ----------
    V. Nair and G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines",
    ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.relu(np.array([-2.0, -0.5, 0.5, 2.0]))
    array([0. , 0. , 0.5, 2. ])
    """
    x = np.asanyarray(x)
    if dtype is None:
        dtype = np.dtype(int) if x.dtype.kind == "b" else _checked("relu", x.dtype)
    y = x.astype(dtype, order=order, casting=casting, subok=subok, copy=True)
    return _deliver(_rectify(y), out, where, casting)


def relu_backward(
    grad, x, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True
):
    """
    Gradient of relu: grad where x is not zero or below, else 0, element by element.

    grad itself passes, bit for bit, unless ``x <= 0``: nothing is multiplied, so a NaN or an
    infinity in grad is dropped where x is not positive, and where x is NaN the gradient passes.
    No floating-point warning is ever given.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the output of relu; integers or real floats, NumPy's or those
        of ml_dtypes.
    x : array_like
        The input of relu, or its output, which gives the same; integers or real floats.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that grad and x broadcast to. It may be grad or x.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        The gradient with respect to x, of the broadcast shape and the common dtype of grad and x;
        a scalar if both are. It is out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype is neither an integer nor a real float, or if the result does not fit
        the dtype of out under the casting rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    relu : The forward pass.

    Notes
    -----
    The derivative of relu has no value at 0; 0 is taken there, as PyTorch and JAX do,
    and the treatment of NaN is that of PyTorch's ``threshold_backward``.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.relu_backward(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 3.])
    """
    grad, x = _reals("relu_backward", (grad, x), dtype, casting, of_bools=np.int8)
    y, _, grad, x = _broadcast(grad, (grad, x), out, where, order, subok)
    zero = zero_of(y.dtype)
    with np.errstate(all="ignore"):
        stops = np.less_equal(x, zero)
    np.asarray(y)[stops] = zero
    return _deliver(y, out, where, casting)


def add_relu(
    x, y, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True
):
    """
    Rectified sum: ``relu(np.add(x, y))``, element by element, in one pass.

    The same values, dtypes, errors and floating-point warnings as those of the two calls: x + y
    itself is the result, bit for bit, unless ``x + y < 0``. So a sum that is NaN stays NaN, and
    one that is -0.0 stays -0.0; integers wrap before the comparison.

    Parameters
    ----------
    x, y : array_like
        The operands of ``np.add``: integers, bool, real and complex floats, timedelta64 or object.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that x and y broadcast to. It may be x or y.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape of x and y and of the dtype that ``np.add`` gives them; a scalar if
        both are. bool gives the default integer: 1 where either is true. It is out, if that was
        given.

    Raises
    ------
    TypeError
        If ``np.add`` does not take x and y, if what it gives has no order against 0 (datetime64,
        strings), if x or y is of a type of ml_dtypes, or if the result does not fit the dtype of
        out under the casting rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    subtract_relu : The same of a difference.
    relu : Of one operand.

    Notes
    -----
    Floating-point warnings are those of ``np.add``, as `numpy.errstate` sets them: "overflow
    encountered" where finite numbers give an infinity, "invalid value encountered" where infinities
    give NaN. The comparison with 0 gives none.

    Where x and y are both NaN, the result is x, made quiet. ``np.add`` gives either, which depends
    on the position in the array.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.add_relu(np.array([-2.0, 0.5, 3.0]), 1.0)
    array([0. , 1.5, 4. ])
    """
    return _rectified(np.add, x, y, out, where, casting, order, dtype, subok)


def subtract_relu(
    x, y, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True
):
    """
    Rectified difference: ``relu(np.subtract(x, y))``, element by element, in one pass.

    The same values, dtypes, errors and floating-point warnings as those of the two calls: x - y
    itself is the result, bit for bit, unless ``x - y < 0``. So a difference that is NaN stays
    NaN, and one that is -0.0 stays -0.0; integers wrap before the comparison.

    Parameters
    ----------
    x, y : array_like
        The operands of ``np.subtract``: integers, real and complex floats, datetime64, timedelta64
        or object.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that x and y broadcast to. It may be x or y.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape of x and y and of the dtype that ``np.subtract`` gives them; a scalar
        if both are. It is out, if that was given.

    Raises
    ------
    TypeError
        If ``np.subtract`` does not take x and y (bool, strings), if what it gives has no order
        against 0 (datetime64), if x or y is of a type of ml_dtypes, or if the result does not fit
        the dtype of out under the casting rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    add_relu : The same of a sum.
    relu : Of one operand.

    Notes
    -----
    Floating-point warnings are those of ``np.subtract``, as `numpy.errstate` sets them: "overflow
    encountered" where finite numbers give an infinity, "invalid value encountered" where infinities
    give NaN. The comparison with 0 gives none.

    Where x and y are both NaN, the result is x, made quiet.

    The difference of two datetime64 is a timedelta64, which has an order.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.subtract_relu(np.array([-2.0, 0.5, 3.0]), 1.0)
    array([0., 0., 2.])
    """
    return _rectified(np.subtract, x, y, out, where, casting, order, dtype, subok)


def leaky_relu(
    x,
    negative_slope,
    /,
    out=None,
    *,
    where=True,
    casting="same_kind",
    order="K",
    dtype=None,
    subok=True,
):
    """
    Leaky ReLU: x where it is not below zero, else x * negative_slope, element by element.

    ``np.where(x < 0, x * negative_slope, x)``, which multiplies only where the product is the
    result: x itself passes, bit for bit, unless ``x < 0``. So NaN passes with its sign and payload,
    and -0.0 stays -0.0. A slope for each channel makes it PReLU.

    Parameters
    ----------
    x : array_like
        Real floats, or integers where negative_slope is a float.
    negative_slope : array_like
        The slope below zero: a number, or an array that broadcasts with x.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands; a scalar if all are. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype of the operands is not a real float, as where all are integers, if one
        is of a type of ml_dtypes, or if the result does not fit the dtype of out under the casting
        rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    leaky_relu_backward : Its gradient.
    relu : The same with the slope 0, where infinities give 0.

    Notes
    -----
    Floating-point warnings are those of the products alone. ``-inf * 0`` is NaN and an invalid
    value; ``np.maximum(x, negative_slope * x)`` takes the wrong branch where the slope is above 1.

    The name of the parameter is PyTorch's. A. L. Maas, A. Y. Hannun and A. Y. Ng, "Rectifier
    nonlinearities improve neural network acoustic models", ICML 2013; K. He, X. Zhang, S. Ren and
    J. Sun, "Delving deep into rectifiers", ICCV 2015, for PReLU.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.leaky_relu(np.array([-2.0, -0.0, 3.0]), 0.1)
    array([-0.2, -0. ,  3. ])
    >>> fastrelu.leaky_relu(np.full((2, 2), -1.0), np.array([0.1, 0.5]))  # a slope for each column
    array([[-0.1, -0.5],
           [-0.1, -0.5]])
    """
    x, slope = _floats("leaky_relu", (x, negative_slope), dtype, casting)
    y, written, x, slope = _broadcast(x, (x, slope), out, where, order, subok)
    with np.errstate(all="ignore"):
        below = np.less(x, 0)
    np.multiply(x, slope, out=np.asarray(y), where=below & written)
    return _deliver(y, out, where, casting)


def leaky_relu_backward(
    grad,
    x,
    negative_slope,
    /,
    out=None,
    *,
    where=True,
    casting="same_kind",
    order="K",
    dtype=None,
    subok=True,
):
    """
    Gradient of leaky_relu: grad where x is above zero, else grad * negative_slope.

    grad itself passes, bit for bit, unless ``x <= 0``, so also where x is NaN. Nothing is
    multiplied elsewhere.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the output of leaky_relu.
    x : array_like
        The input of leaky_relu; or its output, which gives the same if the slope is not below 0.
    negative_slope : array_like
        The slope below zero: a number, or an array that broadcasts with the others.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands; a scalar if all are. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype of the operands is not a real float, as where all are integers, if one
        is of a type of ml_dtypes, or if the result does not fit the dtype of out under the casting
        rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    leaky_relu : The forward pass.

    Notes
    -----
    The derivative has no value at 0; the slope is taken there, as PyTorch does. The gradient with
    respect to the slope is ``grad * np.minimum(x, 0)``, summed over what the slope is shared by.

    Floating-point warnings are those of the products alone.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.leaky_relu_backward(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 1.0]), 0.5)
    array([0.5, 1. , 3. ])
    """
    operands = _floats("leaky_relu_backward", (grad, x, negative_slope), dtype, casting)
    y, written, grad, x, slope = _broadcast(operands[0], operands, out, where, order, subok)
    with np.errstate(all="ignore"):
        stops = np.less_equal(x, 0)
    np.multiply(grad, slope, out=np.asarray(y), where=stops & written)
    return _deliver(y, out, where, casting)


def clipped_relu(
    x, max_value, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True
):
    """
    Clipped ReLU: ``np.minimum(relu(x), max_value)``, element by element; with 6, ReLU6.

    x itself passes, bit for bit, unless ``x < 0`` or ``x > max_value``. So NaN passes with its sign
    and payload, and -0.0 stays -0.0. No floating-point warning is ever given.

    Parameters
    ----------
    x : array_like
        Integers, bool or real floats; and of ml_dtypes, where it is installed, the integers and
        real floats.
    max_value : array_like
        The upper bound: a number, or an array that broadcasts with x.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands (bool gives the default
        integer); a scalar if both are. It is out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype is neither an integer nor a real float, or if the result does not fit
        the dtype of out under the casting rule.
    OverflowError
        If a Python integer does not fit the dtype of the array beside it, as in ``np.minimum``.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    clipped_relu_backward : Its gradient.
    relu : The same without an upper bound.

    Notes
    -----
    Where max_value is below zero, it is the result everywhere, as `numpy.minimum` has it; where it
    is NaN too. Only where x is NaN, x is.

    A. Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010, for the bound of 6.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.clipped_relu(np.array([-2.0, 3.0, 8.0]), 6)
    array([0., 3., 6.])
    """
    x, max_value = _reals("clipped_relu", (x, max_value), dtype, casting, of_bools=int)
    y, _, x, max_value = _broadcast(x, (x, max_value), out, where, order, subok)
    _rectify(y)
    with np.errstate(all="ignore"):
        exceeds = ~np.less_equal(np.asarray(y), max_value) & np.equal(x, x)
    np.asarray(y)[exceeds] = max_value[exceeds]
    return _deliver(y, out, where, casting)


def clipped_relu_backward(
    grad,
    x,
    max_value,
    /,
    out=None,
    *,
    where=True,
    casting="same_kind",
    order="K",
    dtype=None,
    subok=True,
):
    """
    Gradient of clipped_relu: grad where x lies between 0 and max_value, else 0.

    grad itself passes, bit for bit, where ``0 < x < max_value``, and where x is NaN: nothing is
    multiplied. No floating-point warning is ever given.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the output of clipped_relu.
    x : array_like
        The input of clipped_relu, or its output, which gives the same if max_value is not NaN.
    max_value : array_like
        The upper bound: a number, or an array that broadcasts with the others.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands; a scalar if all are. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype of the operands is not a real float, as where all are integers, if one
        is of a type of ml_dtypes, or if the result does not fit the dtype of out under the casting
        rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    clipped_relu : The forward pass.

    Notes
    -----
    The derivative has no value at 0 and at max_value; 0 is taken there, as PyTorch's ``relu6``
    does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.clipped_relu_backward(np.ones(4), np.array([-1.0, 3.0, 6.0, 8.0]), 6)
    array([0., 1., 0., 0.])
    """
    operands = _floats("clipped_relu_backward", (grad, x, max_value), dtype, casting)
    y, _, grad, x, max_value = _broadcast(operands[0], operands, out, where, order, subok)
    with np.errstate(all="ignore"):
        passes = np.greater(x, 0) & np.less(x, max_value) | np.not_equal(x, x)
    np.asarray(y)[~passes] = 0
    return _deliver(y, out, where, casting)


def soft_threshold(
    x, threshold, /, out=None, *, where=True, casting="same_kind", order="K", dtype=None, subok=True
):
    """
    Soft threshold: ``np.sign(x) * relu(np.abs(x) - threshold)``, element by element.

    Each x moves towards zero by threshold, and those within it become 0. A NaN in x passes, bit for
    bit. In all else the values are those of the expression, and so are the floating-point warnings.

    Parameters
    ----------
    x : array_like
        Real floats, or integers where threshold is a float.
    threshold : array_like
        How far x moves: a number, or an array that broadcasts with x. Below zero, x moves away
        from 0.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands; a scalar if all are. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype of the operands is not a real float, as where all are integers, if one
        is of a type of ml_dtypes, or if the result does not fit the dtype of out under the casting
        rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    soft_threshold_backward : Its gradient.
    subtract_relu : The same for x that is not negative.

    Notes
    -----
    Its signs of zero are those of the expression: -0.0 where a negative x is within the threshold,
    0.0 where x is -0.0. An infinite x and an infinite threshold give NaN and an invalid value.

    It is the proximal operator of ``threshold * abs(x)``: D. L. Donoho, "De-noising by
    soft-thresholding", IEEE Transactions on Information Theory 41, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.soft_threshold(np.array([-2.0, -0.3, 0.3, 2.0]), 0.5)
    array([-1.5, -0. ,  0. ,  1.5])
    """
    x, threshold = _floats("soft_threshold", (x, threshold), dtype, casting)
    y, written, x, threshold = _broadcast(x, (x, threshold), out, where, order, subok)
    with np.errstate(all="ignore"):
        missing = np.not_equal(x, x)
        sign, magnitude = np.where(missing, 1, np.sign(x)), np.abs(x)
    difference = np.zeros_like(magnitude)
    np.subtract(magnitude, threshold, out=difference, where=written)
    product = np.zeros_like(magnitude)
    np.multiply(sign, _rectify(difference), out=product, where=written)
    np.asarray(y)[~missing] = product[~missing]
    return _deliver(y, out, where, casting)


def soft_threshold_backward(
    grad,
    x,
    threshold,
    /,
    out=None,
    *,
    where=True,
    casting="same_kind",
    order="K",
    dtype=None,
    subok=True,
):
    """
    Gradient of soft_threshold: grad where x lies outside the threshold, else 0.

    grad itself passes, bit for bit, unless ``abs(x) <= threshold``, so also where x is NaN: nothing
    is multiplied. No floating-point warning is ever given.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the output of soft_threshold.
    x : array_like
        The input of soft_threshold. With the threshold 0 it may be the output.
    threshold : array_like
        As in soft_threshold: a number, or an array that broadcasts with the others.
    out : ndarray, or tuple of one ndarray, optional
        Where the result goes: of a shape that the operands broadcast to. It may be one of them.
    where : array_like of bool, optional
        Where out is written; elsewhere it keeps what it held.
    casting, order : str, optional
        As every ufunc takes them.
    dtype : dtype, optional
        Of the computation and the result, as every ufunc takes it.
    subok : bool, optional
        As every ufunc takes it.

    Returns
    -------
    ndarray or scalar
        Of the broadcast shape and the common dtype of the operands; a scalar if all are. It is
        out, if that was given.

    Raises
    ------
    TypeError
        If the common dtype of the operands is not a real float, as where all are integers, if one
        is of a type of ml_dtypes, or if the result does not fit the dtype of out under the casting
        rule.
    ValueError
        If the shapes do not broadcast, or out is read-only.

    See Also
    --------
    soft_threshold : The forward pass.

    Notes
    -----
    The derivative has no value where ``abs(x) == threshold``; 0 is taken there, as PyTorch's
    ``softshrink`` does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.soft_threshold_backward(np.ones(4), np.array([-2.0, -0.5, 0.3, 2.0]), 0.5)
    array([1., 0., 0., 1.])
    """
    operands = _floats("soft_threshold_backward", (grad, x, threshold), dtype, casting)
    y, _, grad, x, threshold = _broadcast(operands[0], operands, out, where, order, subok)
    with np.errstate(all="ignore"):
        stops = np.less_equal(np.abs(x), threshold)
    np.asarray(y)[stops] = 0
    return _deliver(y, out, where, casting)


def relu_derivative(x, at_zero=0):
    """
    Derivative of relu: 0 where x is below zero, at_zero where it is zero, and 1 above.

    Parameters
    ----------
    x : array_like
        Of any shape; integers or real floats.
    at_zero : {0, 1}, optional
        The value at 0, where the derivative is undefined: any number from 0 to 1 is a subgradient.
        0, the default, is what the frameworks take.

    Returns
    -------
    ndarray or scalar
        Of the shape and dtype of x. Where x is NaN it is 1, as in ``relu_backward(1, x)``.

    Raises
    ------
    ValueError
        If at_zero is neither 0 nor 1.
    TypeError
        If x holds neither integers nor real floats.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.relu_derivative(np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 1.])
    >>> fastrelu.relu_derivative(np.array([-1.0, 0.0, 1.0]), at_zero=1)
    array([0., 1., 1.])
    """
    check_at_zero(at_zero)
    if isinstance(x, int):  # as an array: alone it would be of the default integer, and may not fit
        x = np.asarray(x)
    derivative = relu_backward(one_of(x), x)
    with np.errstate(all="ignore"):
        at = np.equal(x, zero_of(derivative.dtype))
    if type(derivative) is np.ndarray:
        derivative[at] = at_zero
        return derivative
    return np.where(at, derivative.dtype.type(at_zero), derivative)[()]


def relu_with_mask(x, out=None, mask=None, *, at_zero=0):
    """
    Rectified linear unit, and where its gradient passes, packed into one bit for each element.

    The mask is all that the backward pass needs of x, and a thirty-second of it if x is float32.

    Parameters
    ----------
    x : array_like
        Of any shape and memory order; integers, bool or real floats. A subclass of ndarray is taken
        as the array that it holds, but a masked array is refused. It is copied unless C-contiguous
        and of native byte order.
    out : ndarray, optional
        Where y goes: of the shape and dtype of y, C-contiguous, writable. It may be x.
    mask : ndarray, optional
        Where the mask goes: of its shape and dtype, C-contiguous, writable, apart from out.
    at_zero : {0, 1}, optional
        Whether the gradient passes where x is zero; 0, the default, is what `relu_backward` does.

    Returns
    -------
    y : ndarray
        ``relu(x)``: of the shape and dtype of x (bool gives the default integer), in C order. It is
        out, if that was given. Of a scalar it is an array of no dimensions.
    mask : ndarray of uint8, of shape ((x.size + 7) // 8,)
        ``np.packbits(~(x <= 0), axis=None, bitorder="little")``; with at_zero 1,
        ``np.packbits(~(x < 0), axis=None, bitorder="little")``. The bits lie in the C order of x,
        from the lowest of the first byte on, and those to spare in the last byte are 0. It is the
        mask that was given, if one was.

    Raises
    ------
    TypeError
        If x holds neither integers nor real floats; if it is a masked array, or of another library
        that NumPy leaves its functions to (``__array_function__``: dask, sparse), where the mask or
        the container would be lost; if out or mask is not an array.
    ValueError
        If out or mask is not as said above, or at_zero is neither 0 nor 1. Nothing is written then.

    See Also
    --------
    relu_backward_from_mask : The gradient from the mask.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> y, mask = fastrelu.relu_with_mask(np.array([-1.0, 0.0, 2.0, 3.0]))
    >>> y
    array([0., 0., 2., 3.])
    >>> mask
    array([12], dtype=uint8)
    >>> fastrelu.relu_backward_from_mask(np.array([1.0, 2.0, 3.0, 4.0]), mask)
    array([0., 0., 3., 4.])
    """
    check_at_zero(at_zero)
    x = contiguous_operand("x", x)
    if mask is not None:
        check_written_mask(mask, x)
    if out is not None:
        check_out(out, x)
        if mask is not None:
            check_apart(out, mask)
    zero = zero_of(x.dtype)
    with np.errstate(all="ignore"):
        passes = ~(x < zero) if at_zero else ~(x <= zero)
    bits = np.packbits(passes, axis=None, bitorder="little")
    return _copy(out, np.asarray(relu(x))), _copy(mask, bits)


def relu_backward_from_mask(grad, mask, out=None):
    """
    Gradient of relu from its mask: grad where the mask has a 1, else 0, element by element.

    With the mask of ``relu_with_mask(x)`` it is ``relu_backward(grad, x)``: grad passes bit for
    bit, and nothing is multiplied. No floating-point warning is ever given.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the output of relu: of any shape and memory order; integers,
        bool or real floats, not necessarily those of x. A subclass of ndarray is taken as the array
        that it holds, but a masked array is refused. It is copied unless C-contiguous and of native
        byte order.
    mask : ndarray of uint8, of shape ((grad.size + 7) // 8,)
        From `relu_with_mask`: C-contiguous, its bits in the C order of grad. It may be read-only.
    out : ndarray, optional
        Where the result goes: of its shape and dtype, C-contiguous, writable. It may be grad.

    Returns
    -------
    ndarray
        The gradient with respect to x: of the shape and dtype of grad (bool gives the default
        integer), in C order. It is out, if that was given. Of a scalar it is an array of no
        dimensions.

    Raises
    ------
    TypeError
        If grad holds neither integers nor real floats; if it is a masked array, or of another
        library that NumPy leaves its functions to (``__array_function__``: dask, sparse), where the
        mask or the container would be lost; if mask or out is not an array.
    ValueError
        If mask or out is not as said above. Nothing is written then.

    See Also
    --------
    relu_with_mask : The forward pass, which makes the mask.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> y, mask = fastrelu.relu_with_mask(np.array([-1.0, 0.0, 1.0]))
    >>> fastrelu.relu_backward_from_mask(np.array([4, 5, 6]), mask)
    array([0, 0, 6])
    """
    grad = contiguous_operand("grad", grad)
    check_mask(mask, grad)
    if out is not None:
        check_out(out, grad)
    passes = np.unpackbits(mask, count=grad.size, bitorder="little").astype(bool)
    y = grad.copy()
    y[~passes.reshape(y.shape)] = np.zeros((), y.dtype)
    return _copy(out, y)


REDUCTIONS = ("relu_sum", "relu_mean", "activity", "dead_units")


def relu_sum(x, axis=None, *, threshold=0, dtype=None, out=None, keepdims=False):
    """
    Sum of what exceeds a threshold: ``relu(x - threshold).sum(axis)``, in one read of x.

    Parameters
    ----------
    x : array_like
        Of any shape and strides; any dtype that `relu` takes and NumPy sums.
    axis : None, int or tuple of ints, optional
        The axes to sum over: all by default, none for ``()``.
    threshold : scalar or array_like, optional
        What is subtracted first, with NumPy's promotion; an array broadcasts. 0, the default,
        leaves x as it is.
    dtype : dtype, optional
        Of the sum, as in `numpy.sum`. By default the dtype of out if that is given, else of
        ``x - threshold``, and the default integer, signed or unsigned, for narrower ones.
    out : ndarray, optional
        Where the result goes, of its shape. It may be x.
    keepdims : bool, optional
        Whether the axes stay, of length 1.

    Returns
    -------
    ndarray or scalar
        The sums: of the shape of x without the axes. It is out, if that was given.

    Raises
    ------
    TypeError
        If x and threshold have no difference (bool less bool, strings) or it has no order against 0
        (datetime64), or if out does not take the result.
    ValueError
        If axis repeats or is out of range (`numpy.exceptions.AxisError`), or the shape of out or
        threshold does not fit.
    OverflowError
        If threshold is a Python integer that the dtype of x does not hold.

    See Also
    --------
    relu_mean : The mean.
    subtract_relu : The elements.

    Notes
    -----
    Each element is ``subtract_relu(x, threshold)``, rounded in its dtype; NaN stays. Floats are
    added in float64, and the sum is rounded to dtype; if that is float32, elements of float32 are
    added in fours first. Integers wrap. Floating-point warnings are those of ``np.subtract`` and
    ``np.sum``; where `numpy.errstate` raises them, out is not written.

    The order of additions depends on the number of elements alone, and on the order of the reduced
    axes in memory if there are several. So every instruction set and any number of threads give the
    same bits, but for the sign and payload of NaN. No element is negative. So the error of a sum of
    n elements is at most ``(11 + max(9, ceil(log2(n)))) * 2**-53`` of the exact sum for float64,
    and ``(26 + max(10, ceil(log2(n)))) * 2**-53`` for float16 and float32, before it is rounded to
    dtype. The fours of float32 add ``2**-23`` at most. `numpy.sum` has the bound of float64 along a
    contiguous axis, in units of the dtype that it adds in; along others it adds one by one.

    That holds for arrays of NumPy (not of a subclass), integers or float16 to float64, with one
    finite number as the threshold. All else is computed by NumPy, in several passes.

    References
    ----------
    N. J. Higham, "The accuracy of floating point summation", SIAM J. Sci. Comput. 14, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> x = np.array([[-1.0, 2.0], [3.0, 4.0]])
    >>> fastrelu.relu_sum(x)
    np.float64(9.0)
    >>> fastrelu.relu_sum(x, axis=0, threshold=2.5)
    array([0.5, 1.5])
    """
    return reduced(np.sum, relu, x, axis, threshold, dtype, out, keepdims)


def relu_mean(x, axis=None, *, threshold=0, dtype=None, out=None, keepdims=False):
    """
    Mean of what exceeds a threshold: ``relu(x - threshold).mean(axis)``, in one read of x.

    The price of a call option, for example, is the mean of the price of the share at the end above
    the strike: ``relu_mean(prices, threshold=strike)``.

    Parameters
    ----------
    x : array_like
        Of any shape and strides; any dtype that `relu` takes and NumPy takes the mean of.
    axis : None, int or tuple of ints, optional
        The axes to take the mean over: all by default, none for ``()``.
    threshold : scalar or array_like, optional
        What is subtracted first, with NumPy's promotion; an array broadcasts. 0, the default,
        leaves x as it is.
    dtype : dtype, optional
        Of the mean, as in `numpy.mean`. By default float64 for integers, else the dtype of out if
        that is given, else of ``x - threshold``.
    out : ndarray, optional
        Where the result goes, of its shape. It may be x.
    keepdims : bool, optional
        Whether the axes stay, of length 1.

    Returns
    -------
    ndarray or scalar
        The means: of the shape of x without the axes. It is out, if that was given.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As `relu_sum` does.

    Warns
    -----
    RuntimeWarning
        If the mean is of no element, and then NaN.

    See Also
    --------
    relu_sum : The sum, whose notes apply here.

    Notes
    -----
    A mean is the sum in float64, divided by the number of elements and then rounded to dtype. So it
    does not overflow where the sum of float32 does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.relu_mean(np.array([90.0, 105.0, 120.0, 99.0]), threshold=100.0)
    np.float64(6.25)
    """
    return reduced(np.mean, relu, x, axis, threshold, dtype, out, keepdims)


def activity(x, axis=0):
    """
    Share of x above zero, ``(x > 0).mean(axis)``: by default for each unit of a batch of rows.

    Parameters
    ----------
    x : array_like
        The inputs of relu, or its outputs, which give the same. Integers, bool or real floats.
    axis : None, int or tuple of ints, optional
        The axes to take the share over: the first by default, all for None.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape of x without the axes.

    Raises
    ------
    TypeError
        If x has no order against 0.
    ValueError
        If axis repeats or is out of range (`numpy.exceptions.AxisError`).

    Warns
    -----
    RuntimeWarning
        If the share is of no element, and then NaN.

    See Also
    --------
    dead_units : Where it is 0.

    Notes
    -----
    NaN is not above zero. Nothing else gives a floating-point warning.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.activity(np.array([[-1.0, 2.0], [-3.0, -4.0]]))
    array([0. , 0.5])
    """
    with np.errstate(all="ignore"):
        fires = np.greater(x, _zero_beside(x))
    return np.mean(fires, axis=axis)


def dead_units(x, axis=0):
    """
    Where all of x is zero or below, ``(x <= 0).all(axis)``: by default for each unit of a batch.

    The gradient of relu does not reach such a unit. x is read until every unit has fired, which is
    soon if all are alive.

    Parameters
    ----------
    x : array_like
        The inputs of relu, or its outputs, which give the same: a row for each sample, a column for
        each unit. Integers, bool or real floats.
    axis : None, int or tuple of ints, optional
        The axes of the samples: the first by default, all for None.

    Returns
    -------
    ndarray of bool, or scalar
        Of the shape of x without the axes; True if these are empty.

    Raises
    ------
    TypeError
        If x has no order against 0.
    ValueError
        If axis repeats or is out of range (`numpy.exceptions.AxisError`).

    See Also
    --------
    activity : How often each unit fires.

    Notes
    -----
    A unit with NaN is not dead: `relu_backward` lets the gradient pass there. No floating-point
    warning is given.

    References
    ----------
    L. Lu, Y. Shin, Y. Su and G. E. Karniadakis, "Dying ReLU and initialization: theory and
    numerical examples", Commun. Comput. Phys. 28, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrelu
    >>> fastrelu.dead_units(np.array([[-1.0, 2.0], [-3.0, -4.0]]))
    array([ True, False])
    """
    with np.errstate(all="ignore"):
        rests = np.less_equal(x, _zero_beside(x))
    return np.all(rests, axis=axis)


def reduced(reduce, relu, x, axis, threshold, dtype, out, keepdims):
    """Return what a reduction of NumPy makes of relu(x - threshold)."""
    is_default = type(threshold) is int and threshold == 0
    above = relu(x if is_default else np.subtract(x, threshold))
    options = {"axis": axis}  # and what is given: a container need not know the others
    if dtype is not None:
        options["dtype"] = dtype
    if keepdims is not False:
        options["keepdims"] = keepdims
    if out is None:
        return reduce(above, **options)
    if type(out) is not np.ndarray:
        return reduce(above, out=out, **options)
    out[...] = reduce(above, out=np.empty_like(out), **options)
    return out  # which is not written where np.errstate raises


def reduce_otherwise(function, numpys, x, axis, **options):
    """
    Return what a reduction gives that no kernel takes as it is.

    A list, or an array of swapped byte order, is converted, and the compiled function called again;
    else NumPy's way is called.
    """
    if type(x) in (list, tuple):
        return function(np.asarray(x), axis, **options)
    if type(x) is np.ndarray and not x.dtype.isnative and x.dtype.kind in "iuf":
        return function(x.astype(x.dtype.newbyteorder("=")), axis, **options)
    return numpys(x, axis, **options)


def _zero_beside(x):
    """Return the zero to compare an operand with."""
    dtype = getattr(x, "dtype", None)
    return zero_of(dtype) if isinstance(dtype, np.dtype) else 0


def _rectified(ufunc, x, y, out, where, casting, order, dtype, subok):
    """Return relu of what a ufunc of two operands gives, as one ufunc would."""
    x, y = (a if type(a) in (int, float, complex) else np.asanyarray(a) for a in (x, y))
    for a in (x, y):
        if isinstance(a, np.ndarray | np.generic) and a.dtype.isbuiltin == 2:
            raise TypeError(f"{ufunc.__name__}_relu has no loop for the dtype {a.dtype}")
    options = {"casting": casting, "order": order, "dtype": dtype, "subok": subok}
    if out is None or where is True:
        z = ufunc(x, y, **options)
    else:  # elsewhere nothing is to be reported; what the memory there holds is not delivered
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'where' used without 'out'", UserWarning)
            z = ufunc(x, y, where=where, **options)
    dtypes = [getattr(a, "dtype", None) for a in (x, y)] if dtype is None else [np.dtype(dtype)]
    of_objects = np.dtype(object) in dtypes
    z = np.asanyarray(z, object if of_objects else None)  # a ufunc gives no array of no dimensions
    if of_objects and out is not None:
        np.copyto(z, 0, where=np.logical_not(where))  # not None, which cannot be compared
    return _deliver(_rectify(z.astype(int) if z.dtype.kind == "b" else z), out, where, casting)


def _rectify(y):
    """Return an array whose numbers below zero have been set to zero, in place."""
    zero = np.zeros((), y.dtype) if y.dtype.kind == "m" else zero_of(y.dtype)
    with np.errstate(all="ignore"):
        y[np.less(y, zero)] = zero
    return y


def _reals(function, operands, dtype, casting, of_bools):
    """Return operands in their common dtype, or in the one asked for: integers or real floats."""
    dtype = _common_dtype(function, operands, dtype)
    if dtype.kind == "b":
        dtype = np.dtype(of_bools)
    if not is_real(dtype):
        raise TypeError(f"{function} takes integers and real floats, not {dtype}")
    return _cast(operands, dtype, casting)


def _floats(function, operands, dtype, casting):
    """Return operands in their common dtype, or in the one asked for: a real float of NumPy."""
    dtype = _common_dtype(function, operands, dtype)
    for given in (dtype, *(getattr(a, "dtype", dtype) for a in operands)):
        if dtype.kind != "f" or name_in_ml_dtypes(given):
            raise TypeError(f"{function} has no loop for the dtype {given}")
    return _cast(operands, dtype, casting)


def _common_dtype(function, operands, dtype):
    if dtype is not None:
        return np.dtype(dtype)
    # The type of a Python number is weak: beside an array it takes the array's.
    weak = [a for a in operands if type(a) in (int, float)]
    types = [
        _checked(function, np.asanyarray(a).dtype) for a in operands if type(a) not in (int, float)
    ]
    if weak and len(types) == 1 and name_in_ml_dtypes(types[0]):
        # np.result_type gives another dtype here than NumPy's loops
        return np.minimum(np.ones(1, types[0]), weak[0]).dtype
    return np.result_type(*types, *weak)


def _cast(operands, dtype, casting):
    return [
        np.asarray(a, dtype)
        if type(a) in (int, float)
        else np.asanyarray(a).astype(dtype, casting=casting)
        for a in operands
    ]


def _broadcast(first, operands, out, where, order, subok):
    """
    Return all that an operation of several operands needs, in their common shape.

    These are a copy of the first operand for the result, where out is written, and the operands.
    """
    written = np.asarray(True if out is None else where, bool)
    # Not by np.broadcast_arrays, which stops at 32 dimensions.
    shape = written
    for a in operands:
        shape = shape | np.zeros(a.shape, bool)
    if first.shape != shape.shape:
        first = np.broadcast_to(first, shape.shape, subok=subok)
    y = np.array(first, order=order, subok=subok)
    return y, *(np.broadcast_to(np.asarray(a), y.shape) for a in (written, *operands))


def _checked(function, dtype):
    """Return a dtype in native byte order; raise if it is of a library other than ml_dtypes."""
    if dtype.isbuiltin == 2 and not name_in_ml_dtypes(dtype):
        raise TypeError(f"{function} has no loop for the dtype {dtype}")
    return dtype.newbyteorder("=")


def name_in_ml_dtypes(dtype):
    """Return the name of a type of ml_dtypes; None of any other, and if nobody imported that."""
    name = dtype.type.__name__
    try:
        return name if getattr(sys.modules.get("ml_dtypes"), name, None) is dtype.type else None
    except Exception:  # from a broken ml_dtypes, whose types nobody has
        return None


def is_real(dtype):
    """Return whether a type has integers, bool or real floats, NumPy's or those of ml_dtypes."""
    return dtype.kind in "biuf" or "complex" not in (name_in_ml_dtypes(dtype) or "complex")


def zero_of(dtype):
    """Return the zero to compare with: a type of ml_dtypes is compared with its own zero alone."""
    return dtype.type(0) if name_in_ml_dtypes(dtype) else 0


def one_of(x):
    """Return the gradient of ones for an operand: a 1 of its type for ml_dtypes, else 1."""
    dtype = np.asarray(x).dtype if isinstance(x, list | tuple) else getattr(x, "dtype", None)
    return dtype.type(1) if isinstance(dtype, np.dtype) and name_in_ml_dtypes(dtype) else 1


def check_at_zero(at_zero):
    """Raise a ValueError unless at_zero is 0 or 1."""
    if not np.isscalar(at_zero) or at_zero not in (0, 1):
        raise ValueError(f"at_zero must be 0 or 1, not {at_zero!r}")


def contiguous_operand(name, operand):
    """Return an operand as a C-contiguous array in native byte order; raise if it has no mask."""
    if isinstance(operand, np.ma.MaskedArray):
        advice = f"give {name}.data or {name}.filled(0)"
        raise TypeError(f"{name} must not be a masked array, whose mask would be lost: {advice}")
    if _is_foreign(operand):
        kind = f"{type(operand).__module__}.{type(operand).__name__}"
        advice = "relu and relu_backward take it as it is"
        raise TypeError(f"{name} must be an array of NumPy, not {kind}; {advice}")
    operand = np.asarray(operand, order="C")
    if not is_real(operand.dtype):
        raise TypeError(f"{name} must hold integers or real floats, not {operand.dtype}")
    dtype = np.dtype(int) if operand.dtype.kind == "b" else operand.dtype.newbyteorder("=")
    return operand.astype(dtype, copy=False)


def _is_foreign(operand):
    """Whether NumPy leaves its functions to the type of an operand, which may be lazy or sparse."""
    kind = type(operand)
    return hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray)


def check_out(out, operand):
    """Raise unless out can take what an operand gives."""
    expected = f"out must be a writable, C-contiguous array of {operand.dtype} and shape"
    _check_array(out, operand.shape, operand.dtype, True, f"{expected} {operand.shape}")


def check_mask(mask, operand, written=False):
    """Raise unless mask holds a bit for each element of an operand."""
    shape = (-(-operand.size // 8),)
    expected = (
        f"mask must be a {'writable, ' if written else ''}C-contiguous array of uint8 and shape "
        f"{shape}, a bit for each of {operand.size} elements"
    )
    _check_array(mask, shape, np.dtype(np.uint8), written, expected)


def check_written_mask(mask, operand):
    """Raise unless a bit for each element of an operand can be written into mask."""
    check_mask(mask, operand, written=True)


def check_apart(out, mask):
    """Raise if out and mask, both C-contiguous, share memory."""
    if np.may_share_memory(out, mask):
        raise ValueError("mask must not share memory with out")


def _check_array(array, shape, dtype, written, expected):
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{expected}, not {type(array).__name__}")
    for wrong, what in (
        (array.shape != shape, f"its shape is {array.shape}"),
        (array.dtype != dtype, f"its dtype is {array.dtype}"),
        (not array.flags.c_contiguous, "it is not C-contiguous"),
        (written and not array.flags.writeable, "it is read-only"),
    ):
        if wrong:
            raise ValueError(f"{expected}; {what}")


def _copy(out, result):
    if out is None:
        return result
    out[...] = result
    return out


def _deliver(y, out, where, casting):
    if out is None:
        return y if y.ndim else y[()]
    if isinstance(out, tuple):
        (out,) = out
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, not {type(out).__name__}")
    if not np.can_cast(y.dtype, out.dtype, casting):
        raise TypeError(f"cannot cast {y.dtype} to {out.dtype}, the dtype of out, by {casting!r}")
    np.copyto(out, y, casting=casting, where=where)
    return out
