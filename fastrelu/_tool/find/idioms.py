"""The list of idioms: how NumPy code writes them, what replaces them, and what must hold for it."""

from typing import NamedTuple

# What must hold for the replacement to mean the same. The tests know each by name.
ZERO = "signs of zero do not matter"
NAN = "no NaN"
INFINITE = "no infinities"
HALF = "no value above half of the largest"
GRADIENT = "the gradient has no NaN or infinity"
SHAPE = "both have one shape and dtype"
SAME_ZEROS = "the zeros have the dtype and shape of the operand"
DTYPE = "float64, or the result may be of the operand's dtype"
TYPE = "the type of the number is not wider than that of the operand"
AT_ZERO = "the gradient may stop at exactly 0"
SLOPE = "the slope is from 0 to 1"
FLOATS = "floats"
OUTPUT = "it is an output of ReLU, so not below 0"
THRESHOLD = "the threshold is not below 0"
SUM = "the last bits of the sum do not matter"
NUMBER = "what is subtracted is one number"
ALONE = "nothing else refers to the array that was changed in place"
UNCHANGED = "nothing else changes the operand between the comparison and its use"
MASK = "every use of the mask changes with it: it becomes packed bits"
ARRAY = "an array of numbers"
MODEL = "scikit-learn 1.4.2 or later"


class Idiom(NamedTuple):
    """
    A way of writing something that fastrelu has a function for.

    Attributes
    ----------
    name : str
        Stands in the output, and in the table of factors.
    call : str
        What replaces it.
    conditions : tuple of str
        What must hold for both to mean the same.
    forms : tuple of str
        How it is written; the first is the one that is measured. Each letter stands for an
        expression: x and z for the operand, g and d for a gradient, a for a slope, c for an upper
        bound, K and t for thresholds, b for a bias, y for a target. ``relu(x)`` stands for every
        form of those that are FORWARD.
    near : {"", "gradient", "activity"}
        Of what the names around it must speak, where the form alone does not tell.
    """

    name: str
    call: str
    conditions: tuple
    forms: tuple
    near: str = ""

    @property
    def function(self):
        """The name of the function that replaces it."""
        return self.call.rpartition("= ")[2].partition("(")[0]


# What is relu of one operand; other idioms contain them.
FORWARD = (
    Idiom("maximum", "relu(x, *)", (ZERO,), ("np.maximum(x, 0)",)),
    Idiom(
        "maximum of zeros",
        "relu(x, *)",
        (SAME_ZEROS, ZERO),
        ("np.maximum(np.zeros_like(x), x)", "np.maximum(np.zeros_like(y), x)"),
    ),
    Idiom("fmax", "relu(x, *)", (NAN, ZERO), ("np.fmax(x, 0)",)),
    Idiom(
        "clip at 0",
        "relu(x, *)",
        (ZERO,),
        ("np.clip(x, 0, None)", "np.clip(x, 0, np.inf)"),
    ),
    Idiom(
        "where positive",
        "relu(x, *)",
        (NAN, ZERO),
        (
            "np.where(x > 0, x, 0)",
            "np.where(x >= 0, x, 0)",
            "np.where(x > 0, x, np.zeros_like(y))",
        ),
    ),
    Idiom(
        "where negative",
        "relu(x, *)",
        (ZERO,),
        ("np.where(x < 0, 0, x)", "np.where(x <= 0, 0, x)"),
    ),
    Idiom(
        "negative part",
        "relu(-x, *)",
        (NAN, ZERO),
        ("np.where(x < 0, -x, 0)", "np.where(x <= 0, -x, 0)"),
    ),
    Idiom("negative part by minimum", "relu(-x, *)", (ZERO,), ("-np.minimum(x, 0)",)),
    Idiom("product", "relu(x, *)", (INFINITE, ZERO), ("x * (x > 0)", "x * (x >= 0)")),
    Idiom(
        "product with floats",
        "relu(x, *)",
        (INFINITE, ZERO, DTYPE),
        ("x * (x > 0).astype(float)", "x * np.where(x > 0, 1, 0)", "x * np.heaviside(x, 0)"),
    ),
    Idiom(
        "half of x + |x|",
        "relu(x, *)",
        (INFINITE, HALF, ZERO, FLOATS),
        ("(x + np.abs(x)) / 2", "(x + np.abs(x)) * 0.5"),
    ),
)

# Expressions, those that contain others first.
EXPRESSIONS = (
    Idiom(
        "soft threshold by sign",
        "soft_threshold(x, t)",
        (FLOATS,),
        ("np.sign(x) * relu(np.abs(x) - t)",),
    ),
    Idiom(
        "soft threshold by where",
        "soft_threshold(x, t)",
        (NAN, ZERO, THRESHOLD, FLOATS),
        (
            "np.where(x > t, x - t, np.where(x < -t, x + t, 0))",
            "np.where(x < -t, x + t, np.where(x > t, x - t, 0))",
            "np.where(np.abs(x) <= t, 0, x - t * np.sign(x))",
            "np.where(np.abs(x) < t, 0, x - t * np.sign(x))",
            "np.where(np.abs(x) > t, x - t * np.sign(x), 0)",
            "np.where(np.abs(x) > t, np.sign(x) * (np.abs(x) - t), 0)",
        ),
    ),
    Idiom(
        "soft threshold by two maxima",
        "soft_threshold(x, t)",
        (ZERO, THRESHOLD, FLOATS),
        ("relu(x - t) - relu(-x - t)", "relu(x - t) + np.minimum(x + t, 0)"),
    ),
    Idiom(
        "soft threshold by products",
        "soft_threshold(x, t)",
        (NAN, INFINITE, ZERO, THRESHOLD, FLOATS),
        (
            "(x - t) * (x > t) + (x + t) * (x < -t)",
            "(x - t) * (x >= t) + (x + t) * (x <= -t)",
        ),
    ),
    Idiom("clip from 0", "clipped_relu(x, c, *)", (ZERO,), ("np.clip(x, 0, c)",)),
    Idiom(
        "clip from zeros",
        "clipped_relu(x, c, *)",
        (SAME_ZEROS, ZERO),
        ("np.clip(x, np.zeros_like(y), c)",),
    ),
    Idiom(
        "minimum of maximum",
        "clipped_relu(x, c, *)",
        (ZERO,),
        ("np.minimum(relu(x), c)",),
    ),
    Idiom(
        "maximum of minimum",
        "clipped_relu(x, c, *)",
        (ZERO,),
        ("relu(np.minimum(x, c))",),
    ),
    Idiom(
        "sum above a threshold",
        "relu_sum(x, *, threshold=K)",
        (SUM,),
        ("np.sum(relu(x - K))",),
    ),
    Idiom("sum of positive part", "relu_sum(x, *)", (SUM,), ("np.sum(relu(x))",)),
    Idiom(
        "sum of positive elements",
        "relu_sum(x)",
        (NAN, SUM),
        ("x[x > 0].sum()", "x[x >= 0].sum()"),
    ),
    Idiom(
        "mean above a threshold",
        "relu_mean(x, *, threshold=K)",
        (SUM,),
        ("np.mean(relu(x - K))",),
    ),
    Idiom("mean of positive part", "relu_mean(x, *)", (SUM,), ("np.mean(relu(x))",)),
    Idiom(
        "leaky by where",
        "leaky_relu(x, a)",
        (ZERO, FLOATS),
        (
            "np.where(x > 0, x, a * x)",
            "np.where(x >= 0, x, a * x)",
            "np.where(x < 0, a * x, x)",
            "np.where(x <= 0, a * x, x)",
        ),
    ),
    Idiom(
        "leaky by product",
        "leaky_relu(x, a)",
        (NAN, ZERO, FLOATS, DTYPE),
        (
            "x * np.where(x > 0, 1, a)",
            "x * np.where(x >= 0, 1, a)",
            "x * np.where(x < 0, a, 1)",
        ),
    ),
    Idiom(
        "leaky by maximum",
        "leaky_relu(x, a, *)",
        (SLOPE, INFINITE, ZERO, FLOATS),
        ("np.maximum(x, a * x)",),
    ),
    Idiom(
        "leaky by two parts",
        "leaky_relu(x, a)",
        (ZERO, INFINITE, FLOATS),
        (
            "relu(x) + a * np.minimum(x, 0)",
            "relu(x) + np.minimum(x, 0) * a",
            "relu(x) - a * relu(-x)",
            "x * (x > 0) + a * x * (x <= 0)",
            "x * (x > 0) + a * x * (x < 0)",
            "x * (x > 0) + x * a * (x <= 0)",
            "x * (x >= 0) + a * x * (x < 0)",
            "x * (x > 0) + a * (x * (x <= 0))",
        ),
    ),
    Idiom(
        "gradient of leaky",
        "leaky_relu_backward(g, x, a)",
        (NAN, DTYPE, FLOATS),
        (
            "g * np.where(x > 0, 1, a)",
            "g * np.where(x <= 0, a, 1)",
            "np.where(x > 0, g, a * g)",
            "np.where(x <= 0, a * g, g)",
        ),
        "gradient",
    ),
    Idiom(
        "gradient of leaky, 1 at 0",
        "leaky_relu_backward(g, x, a)",
        (NAN, DTYPE, FLOATS, AT_ZERO),
        (
            "g * np.where(x >= 0, 1, a)",
            "g * np.where(x < 0, a, 1)",
            "np.where(x >= 0, g, a * g)",
            "np.where(x < 0, a * g, g)",
        ),
        "gradient",
    ),
    Idiom(
        "clipped gradient",
        "clipped_relu_backward(g, x, c)",
        (NAN, GRADIENT, ZERO, FLOATS),
        (
            "g * ((x > 0) & (x < c))",
            "np.where((x > 0) & (x < c), g, 0)",
        ),
        "gradient",
    ),
    Idiom(
        "soft gradient",
        "soft_threshold_backward(g, x, t)",
        (NAN, GRADIENT, ZERO, FLOATS),
        ("g * (np.abs(x) > t)", "np.where(np.abs(x) > t, g, 0)"),
        "gradient",
    ),
    Idiom(
        "derivative",
        "relu_derivative(x)",
        (NAN, DTYPE),
        (
            "(x > 0).astype(float)",
            "np.where(x > 0, 1, 0)",
            "np.where(x <= 0, 0, 1)",
            "(x > 0) * 1",
            "np.where(x > 0, np.ones_like(y), np.zeros_like(y))",
            "np.where(x <= 0, np.zeros_like(y), np.ones_like(y))",
        ),
        "gradient",
    ),
    Idiom(
        "derivative, 1 at 0",
        "relu_derivative(x, at_zero=1)",
        (NAN, DTYPE),
        (
            "(x >= 0).astype(float)",
            "np.where(x >= 0, 1, 0)",
            "np.where(x < 0, 0, 1)",
            "(x >= 0) * 1",
            "np.where(x >= 0, np.ones_like(y), np.zeros_like(y))",
            "np.where(x < 0, np.zeros_like(y), np.ones_like(y))",
        ),
        "gradient",
    ),
    Idiom("heaviside", "relu_derivative(x)", (NAN, FLOATS), ("np.heaviside(x, 0)",), "gradient"),
    Idiom(
        "heaviside, 1 at 0",
        "relu_derivative(x, at_zero=1)",
        (NAN, FLOATS),
        ("np.heaviside(x, 1)",),
        "gradient",
    ),
    Idiom(
        "derivative of leaky",
        "leaky_relu_backward(1.0, x, a)",
        (NAN, DTYPE, FLOATS),
        ("np.where(x > 0, 1, a)", "np.where(x <= 0, a, 1)"),
        "gradient",
    ),
    Idiom(
        "derivative of leaky, 1 at 0",
        "leaky_relu_backward(1.0, x, a)",
        (NAN, DTYPE, FLOATS, AT_ZERO),
        ("np.where(x >= 0, 1, a)", "np.where(x < 0, a, 1)"),
        "gradient",
    ),
    Idiom("sum inside", "add_relu(y, b, *)", (), ("relu(y + b)",)),
    Idiom("difference inside", "subtract_relu(y, K, *)", (), ("relu(y - K)",)),
    Idiom(
        "difference by where",
        "subtract_relu(x, K)",
        (NAN, INFINITE, ZERO),
        (
            "np.where(x > K, x - K, 0)",
            "np.where(x >= K, x - K, 0)",
            "np.where(x < K, 0, x - K)",
            "np.where(x <= K, 0, x - K)",
        ),
    ),
    Idiom(
        "soft threshold by sign and where",
        "soft_threshold(x, t)",
        (NAN, INFINITE, ZERO, FLOATS),
        ("np.sign(x) * np.where(np.abs(x) > t, np.abs(x) - t, 0)",),
    ),
    *FORWARD,
    Idiom(
        "gradient by product",
        "relu_backward(g, x)",
        (NAN, GRADIENT, ZERO),
        ("g * (x > 0)",),
        "gradient",
    ),
    Idiom(
        "gradient by product, 1 at 0",
        "relu_backward(g, x)",
        (NAN, GRADIENT, ZERO, AT_ZERO),
        ("g * (x >= 0)",),
        "gradient",
    ),
    Idiom(
        "gradient by product with floats",
        "relu_backward(g, x)",
        (NAN, GRADIENT, ZERO, DTYPE),
        (
            "g * (x > 0).astype(float)",
            "g * np.where(x > 0, 1, 0)",
            "g * np.where(x <= 0, 0, 1)",
            "g * ((x > 0) * 1)",
            "g * np.heaviside(x, 0)",
        ),
        "gradient",
    ),
    Idiom(
        "gradient by product with floats, 1 at 0",
        "relu_backward(g, x)",
        (NAN, GRADIENT, ZERO, DTYPE, AT_ZERO),
        ("g * (x >= 0).astype(float)", "g * np.where(x >= 0, 1, 0)", "g * np.where(x < 0, 0, 1)"),
        "gradient",
    ),
    Idiom(
        "gradient by where",
        "relu_backward(g, x)",
        (NAN,),
        ("np.where(x > 0, g, 0)", "np.where(x <= 0, 0, g)"),
        "gradient",
    ),
    Idiom(
        "gradient by where, 1 at 0",
        "relu_backward(g, x)",
        (NAN, AT_ZERO),
        ("np.where(x >= 0, g, 0)", "np.where(x < 0, 0, g)"),
        "gradient",
    ),
    Idiom(
        "dead units",
        "dead_units(x, axis=*)",
        (NAN,),
        (
            "np.all(x <= 0, axis=0)",
            "~np.any(x > 0, axis=0)",
            "np.sum(x > 0, axis=0) == 0",
            "np.mean(x > 0, axis=0) == 0",
        ),
        "activity",
    ),
    Idiom(
        "dead units of the output",
        "dead_units(x, axis=*)",
        (OUTPUT, NAN),
        ("np.all(x == 0, axis=0)",),
        "activity",
    ),
    Idiom("activity", "activity(x, axis=*)", (), ("np.mean(x > 0, axis=0)",), "activity"),
    Idiom(
        "activity of floats",
        "activity(x, axis=*)",
        (DTYPE,),
        ("np.mean((x > 0).astype(float), axis=0)",),
        "activity",
    ),
)

# Statements that follow each other.
STATEMENTS = (
    Idiom(
        "derivative by masks",
        "x[...] = relu_derivative(x)",
        (NAN,),
        ("x[x <= 0] = 0\nx[x > 0] = 1", "x[x > 0] = 1\nx[x <= 0] = 0"),
    ),
    Idiom(
        "derivative by masks, 1 at 0",
        "x[...] = relu_derivative(x, at_zero=1)",
        (NAN,),
        ("x[x >= 0] = 1\nx[x < 0] = 0",),
    ),
    Idiom(
        "derivative by masks of a copy",
        "y = relu_derivative(x)",
        (NAN,),
        (
            "y = x.copy()\ny[x <= 0] = 0\ny[x > 0] = 1",
            "y = x.copy()\ny[y <= 0] = 0\ny[y > 0] = 1",
            "y = x.copy()\ny[x > 0] = 1\ny[x <= 0] = 0",
            "y = x.copy()\ny[y > 0] = 1\ny[y <= 0] = 0",
        ),
    ),
    Idiom(
        "derivative from ones",
        "y = relu_derivative(x)",
        (NAN, DTYPE),
        ("y = np.ones_like(x)\ny[x <= 0] = 0", "y = np.zeros_like(x)\ny[x > 0] = 1"),
    ),
    Idiom(
        "derivative by masks of a copy, 1 at 0",
        "y = relu_derivative(x, at_zero=1)",
        (NAN,),
        (
            "y = x.copy()\ny[x < 0] = 0\ny[x >= 0] = 1",
            "y = x.copy()\ny[y >= 0] = 1\ny[y < 0] = 0",
        ),
    ),
    Idiom(
        "derivative from ones, 1 at 0",
        "y = relu_derivative(x, at_zero=1)",
        (NAN, DTYPE),
        ("y = np.ones_like(x)\ny[x < 0] = 0", "y = np.zeros_like(x)\ny[x >= 0] = 1"),
    ),
    Idiom(
        "derivative of leaky by masks",
        "y = leaky_relu_backward(1.0, x, a)",
        (NAN, FLOATS, AT_ZERO, DTYPE),
        ("y = np.ones_like(x)\ny[x <= 0] = a", "y = np.ones_like(x)\ny[x < 0] = a"),
    ),
    Idiom(
        "copy and mask",
        "y = relu(x)",
        (ZERO,),
        (
            "y = x.copy()\ny[y < 0] = 0",
            "y = x.copy()\ny[x < 0] = 0",
            "y = x.copy()\ny[x <= 0] = 0",
            "y = x.copy()\ny[y <= 0] = 0",
        ),
    ),
    Idiom(
        "copy and mask of the gradient",
        "y = relu_backward(g, x)",
        (SHAPE,),
        ("y = g.copy()\ny[x <= 0] = 0",),
        "gradient",
    ),
    Idiom(
        "copy and mask of the gradient, 1 at 0",
        "y = relu_backward(g, x)",
        (SHAPE, AT_ZERO),
        ("y = g.copy()\ny[x < 0] = 0",),
        "gradient",
    ),
    Idiom(
        "copy and mask of the gradient, output",
        "y = relu_backward(g, z)",
        (SHAPE, OUTPUT),
        ("y = g.copy()\ny[z == 0] = 0",),
        "gradient",
    ),
    Idiom(
        "leaky by a copy and mask",
        "y = leaky_relu(x, a)",
        (FLOATS,),
        (
            "y = x.copy()\ny[y < 0] *= a",
            "y = x.copy()\ny[x < 0] *= a",
            "y = x.copy()\ny[x <= 0] *= a",
            "y = x.copy()\ny[y <= 0] *= a",
            "y = x.copy()\ny[y < 0] = y[y < 0] * a",
            "y = x.copy()\ny[x < 0] = x[x < 0] * a",
            "y = x.copy()\ny[x < 0] = y[x < 0] * a",
            "y = x.copy()\ny[x <= 0] = x[x <= 0] * a",
        ),
    ),
    Idiom(
        "bias, then maximum in place",
        "add_relu(z, b, out=z)",
        (ZERO, SHAPE),
        ("z += b\nnp.maximum(z, 0, out=z)", "z += b\nz[z < 0] = 0", "z += b\nz[z <= 0] = 0"),
    ),
    Idiom(
        "difference, then maximum in place",
        "subtract_relu(z, b, out=z)",
        (ZERO, SHAPE),
        ("z -= b\nnp.maximum(z, 0, out=z)", "z -= b\nz[z < 0] = 0"),
    ),
    Idiom(
        "bias, then ReLU",
        "z = add_relu(z, b)",
        (ALONE,),
        ("z += b\nz = relu(z)",),
    ),
    Idiom("bias, then return", "return add_relu(z, b)", (ALONE,), ("z += b\nreturn relu(z)",)),
    Idiom("sum, then ReLU", "z = add_relu(y, b)", (), ("z = y + b\nz = relu(z)",)),
    Idiom("difference, then ReLU", "z = subtract_relu(y, b)", (), ("z = y - b\nz = relu(z)",)),
    Idiom(
        "mask in place",
        "relu(x, out=x)",
        (ZERO,),
        (
            "x[x < 0] = 0",
            "x[x <= 0] = 0",
            "x[np.where(x < 0)] = 0",
            "x[np.where(x <= 0)] = 0",
            "np.putmask(x, x < 0, 0)",
            "np.place(x, x < 0, 0)",
        ),
    ),
    Idiom(
        "product in place",
        "relu(x, out=x)",
        (INFINITE, ZERO),
        ("x *= x > 0", "x *= (x > 0).astype(float)"),
    ),
    Idiom(
        "gradient by mask in place",
        "relu_backward(d, z, out=d)",
        (SHAPE,),
        ("d[z <= 0] = 0", "d[np.where(z <= 0)] = 0", "d[~(z > 0)] = 0"),
        "gradient",
    ),
    Idiom(
        "gradient by product in place",
        "relu_backward(d, z, out=d)",
        (SHAPE, NAN, GRADIENT, ZERO),
        ("d *= z > 0", "d *= (z > 0).astype(float)", "d *= np.where(z > 0, 1, 0)"),
        "gradient",
    ),
    Idiom(
        "gradient by mask in place, 1 at 0",
        "relu_backward(d, x, out=d)",
        (SHAPE, AT_ZERO),
        ("d[x < 0] = 0",),
        "gradient",
    ),
    Idiom(
        "gradient by mask of the output",
        "relu_backward(d, z, out=d)",
        (SHAPE, OUTPUT),
        ("d[z == 0] = 0",),
        "gradient",
    ),
    Idiom(
        "leaky in place",
        "leaky_relu(x, a, out=x)",
        (FLOATS,),
        ("x[x < 0] *= a", "x[x <= 0] *= a", "x[x < 0] = a * x[x < 0]", "x[x <= 0] = a * x[x <= 0]"),
    ),
    Idiom(
        "leaky gradient in place",
        "leaky_relu_backward(d, z, a, out=d)",
        (SHAPE, FLOATS),
        ("d[z <= 0] *= a",),
        "gradient",
    ),
    Idiom(
        "leaky gradient in place, 1 at 0",
        "leaky_relu_backward(d, x, a, out=d)",
        (SHAPE, FLOATS, AT_ZERO),
        ("d[x < 0] *= a",),
        "gradient",
    ),
)
# Found otherwise than by a form.
SKLEARN = Idiom(
    "scikit-learn's perceptron", "fastrelu.sklearn", (MODEL,), ("MLPClassifier", "MLPRegressor")
)
KEPT_MASK = Idiom(
    "mask kept for the gradient",
    "y, m = relu_with_mask(x)",
    (MASK,),
    ("m = x > 0",),
)
KEPT_MASK_USED = Idiom(
    "gradient by a kept mask",
    "relu_backward_from_mask(g, m)",
    (MASK,),
    ("g * m", "g[~m] = 0"),
)
