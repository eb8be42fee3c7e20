"""A program without NumPy, whose x may be anything."""


def relu(x, g):
    x[x < 0] = 0
    numpy = None
    return x * (x > 0), g * (x > 0), x.clip(0), numpy
