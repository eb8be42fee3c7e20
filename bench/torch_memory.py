"""Measures what PyTorch's activations and fastrelu.torch's keep for the gradient, and times."""

import argparse
from time import perf_counter

import torch

import fastrelu
import fastrelu.torch

DESCRIPTION = "Measure memory and time of the activations of PyTorch and of fastrelu.torch."

WIDTH = 256


def elementwise():
    """Return a layer that keeps nothing for its own backward pass."""
    bias = torch.zeros(WIDTH)
    return lambda h: h + bias


def linear():
    """Return a layer that keeps its input: the output of the activation before it."""
    layer = torch.nn.Linear(WIDTH, WIDTH)
    torch.nn.init.orthogonal_(layer.weight)
    return layer


LAYERS = {"elementwise": elementwise, "linear": linear}
BIAS = torch.linspace(-1, 1, WIDTH)
ACTIVATIONS = {
    "relu": {"torch": torch.relu, "fastrelu": fastrelu.torch.relu},
    "leaky_relu": {
        "torch": torch.nn.functional.leaky_relu,
        "fastrelu": fastrelu.torch.leaky_relu,
    },
    "add_relu": {
        "torch": lambda h: torch.relu(h + BIAS.to(h.dtype)),
        "fastrelu": lambda h: fastrelu.torch.add_relu(h, BIAS.to(h.dtype)),
    },
}


def forward(x, layers, activation):
    for layer in layers:
        x = layer(activation(x))
    return x


def kept(x, layers, activation):
    """Return the bytes saved for the backward pass, without weights; shared memory counts once."""
    weights = {p.data_ptr() for layer in layers for p in getattr(layer, "parameters", tuple)()}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = forward(x, layers, activation)
    del y
    return sum(saved.values())


def once(x, grad, layers, activation):
    """Return the seconds of a forward and a backward pass, the output and the gradient."""
    x.grad = None
    start = perf_counter()
    y = forward(x, layers, activation)
    middle = perf_counter()
    y.backward(grad)
    return (middle - start, perf_counter() - middle), y.detach(), x.grad


def measure(kind, name, options):
    dtype = getattr(torch, options.dtype)
    torch.manual_seed(0)
    layers = [LAYERS[kind]() for _ in range(options.layers)]
    for layer in layers:
        if isinstance(layer, torch.nn.Module):
            layer.to(dtype)
    rows = options.mib * 2**20 // dtype.itemsize // WIDTH
    x = torch.randn(rows, WIDTH, dtype=dtype).requires_grad_()
    grad = torch.randn(rows, WIDTH, dtype=dtype)
    libraries = ACTIVATIONS[name]
    results = [once(x, grad, layers, activation)[1:] for activation in libraries.values()]
    if not all(map(torch.equal, *results)):
        raise SystemExit(f"{kind}: fastrelu.torch.{name} does not give what PyTorch gives")
    del results
    best = {library: (float("inf"),) * 2 for library in libraries}
    for _ in range(options.rounds):
        for library, activation in libraries.items():
            seconds, *_ = once(x, grad, layers, activation)
            best[library] = tuple(map(min, best[library], seconds))
    for library, activation in libraries.items():
        there, back = best[library]
        print(
            f"{kind:12} {name:11} {library:9} {kept(x, layers, activation) / 2**20:10,.1f}"
            f" {there * 1e3:11.1f} {back * 1e3:12.1f} {(there + back) * 1e3:10.1f}"
        )


def main():
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--layers", type=int, default=8, help="how many (default 8)")
    parser.add_argument("--mib", type=int, default=64, help="of each activation (default 64)")
    parser.add_argument("--dtype", default="float32", help="of the tensors (default float32)")
    parser.add_argument("--rounds", type=int, default=7, help="how many (default 7)")
    options = parser.parse_args()
    print(
        f"{options.layers} times an activation and a layer, activations of {options.mib} MiB,"
        f" {options.dtype}; PyTorch {torch.__version__} with {torch.get_num_threads()} threads,"
        f" fastrelu {fastrelu.__version__} with {fastrelu.get_num_threads()}\n"
    )
    print(
        f"{'layer':12} {'activation':11} {'of':9} {'MiB kept':>10}"
        f" {'forward, ms':>11} {'backward, ms':>12} {'both, ms':>10}"
    )
    for kind in LAYERS:
        for name in ACTIVATIONS:
            measure(kind, name, options)


if __name__ == "__main__":
    main()
