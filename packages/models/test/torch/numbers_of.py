"""Weights and inputs that a test can make without PyTorch."""

import torch


def numbers(name, shape):
    """Numbers in [-0.5, 0.5) of a name and a position: FNV-1a and an integer hash, exact in any language."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    out = []
    for i in range(torch.Size(shape).numel()):
        x = (seed + (i + 1) * 2654435761) & 0xFFFFFFFF
        x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        out.append((x ^ (x >> 16)) / 2**32 - 0.5)
    return torch.tensor(out, dtype=torch.float32).reshape(shape)


def fill(model, kept=()):
    """Gives a model's tensors their numbers, around 1 for scales and variances; those that end with `kept` stay."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(("num_batches_tracked", *kept)):
                continue
            around_one = name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1)
            tensor.copy_(numbers(name, tensor.shape) + (1 if around_one else 0))
