"""Measures what torch.relu and fastrelu.torch.relu keep for the backward pass, and their times."""

import argparse
from time import perf_counter

import torch

import fastrelu
import fastrelu.torch

DESCRIPTION = "Measure the memory and the time of torch.relu and fastrelu.torch.relu."

WIDTH = 256


def elementwise():
    """Return a layer that keeps nothing for its own backward pass."""
    bias = torch.zeros(WIDTH)
    return lambda h: h + bias


def linear():
    """Return a layer that keeps its input: the output of the ReLU before it."""
    layer = torch.nn.Linear(WIDTH, WIDTH)
    torch.nn.init.orthogonal_(layer.weight)
    return layer


LAYERS = {"elementwise": elementwise, "linear": linear}
RELUS = {"torch": torch.relu, "fastrelu": fastrelu.torch.relu}


def forward(x, layers, relu):
    for layer in layers:
        x = layer(relu(x))
    return x


def kept(x, layers, relu):
    """Return the bytes saved for the backward pass, without weights; shared memory counts once."""
    weights = {p.data_ptr() for layer in layers for p in getattr(layer, "parameters", tuple)()}
    saved = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = forward(x, layers, relu)
    del y
    return sum(saved.values())


def once(x, grad, layers, relu):
    """Return the seconds of a forward and a backward pass, the output and the gradient."""
    x.grad = None
    start = perf_counter()
    y = forward(x, layers, relu)
    middle = perf_counter()
    y.backward(grad)
    return (middle - start, perf_counter() - middle), y.detach(), x.grad


def measure(kind, options):
    dtype = getattr(torch, options.dtype)
    torch.manual_seed(0)
    layers = [LAYERS[kind]() for _ in range(options.layers)]
    for layer in layers:
        if isinstance(layer, torch.nn.Module):
            layer.to(dtype)
    rows = options.mib * 2**20 // dtype.itemsize // WIDTH
    x = torch.randn(rows, WIDTH, dtype=dtype).requires_grad_()
    grad = torch.randn(rows, WIDTH, dtype=dtype)
    _, *expected = once(x, grad, layers, torch.relu)
    _, *results = once(x, grad, layers, fastrelu.torch.relu)
    if not all(map(torch.equal, expected, results)):
        raise SystemExit(f"{kind}: fastrelu.torch.relu does not give what torch.relu gives")
    del expected, results
    best = {name: (float("inf"),) * 2 for name in RELUS}
    for _ in range(options.rounds):
        for name, relu in RELUS.items():
            seconds, *_ = once(x, grad, layers, relu)
            best[name] = tuple(map(min, best[name], seconds))
    for name, relu in RELUS.items():
        there, back = best[name]
        print(
            f"{kind:12} {name:9} {kept(x, layers, relu) / 2**20:10,.1f}"
            f" {there * 1e3:11.1f} {back * 1e3:11.1f} {(there + back) * 1e3:11.1f}"
        )


def main():
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--layers", type=int, default=8, help="how many (default 8)")
    parser.add_argument("--mib", type=int, default=64, help="of each activation (default 64)")
    parser.add_argument("--dtype", default="float32", help="of the tensors (default float32)")
    parser.add_argument("--rounds", type=int, default=7, help="how many (default 7)")
    options = parser.parse_args()
    print(
        f"{options.layers} times a ReLU and a layer, activations of {options.mib} MiB,"
        f" {options.dtype}; PyTorch {torch.__version__} with {torch.get_num_threads()} threads,"
        f" fastrelu {fastrelu.__version__} with {fastrelu.get_num_threads()}\n"
    )
    print(
        f"{'layer':12} {'ReLU of':9} {'MiB kept':>10}"
        f" {'forward, ms':>11} {'backward, ms':>11} {'both, ms':>10}"
    )
    for kind in LAYERS:
        measure(kind, options)


if __name__ == "__main__":
    main()
