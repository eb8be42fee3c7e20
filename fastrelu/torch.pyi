import torch

__all__ = ["ReLU", "relu"]

def relu(x: torch.Tensor, /) -> torch.Tensor: ...

class ReLU(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...
