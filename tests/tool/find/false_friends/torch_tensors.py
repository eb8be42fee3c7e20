"""Tensors of PyTorch in a program that imports NumPy as well."""

import numpy as np
import torch
import torch.nn.functional as F


def relu(x: torch.Tensor, g):
    y = torch.randn(3)
    y[y < 0] = 0
    y * (y > 0)
    x * (x > 0)
    grad = g.clone()
    grad[x <= 0] = 0
    F.relu(x)
    torch.maximum(x, torch.zeros(1))
    torch.where(x > 0, x, 0)
    x.clamp(0)
    return grad


def backward(ctx, grad_output):
    (x,) = ctx.saved_tensors
    grad = grad_output * (x > 0)
    grad[x < 0] = 0
    return grad.to(torch.float32), np.pi
