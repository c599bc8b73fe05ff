"""Writes the PyTorch checkpoints beside this file (seen with torch 2.13). Not needed to run the tests."""

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

here = Path(__file__).parent


def counting(*shape, dtype=torch.float32):
    size = 1
    for extent in shape:
        size *= extent
    return (torch.arange(size, dtype=torch.float64) / 4 - 1).reshape(shape).to(dtype)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        with torch.no_grad():
            self.linear.weight.copy_(counting(2, 3))
            self.linear.bias.copy_(counting(2))


torch.save(Small().state_dict(), here / "module.pth")
torch.save({"epoch": 7, "optimizer": {"lr": 0.1}, "state_dict": Small().state_dict()}, here / "wrapped.pth")
torch.save(nn.DataParallel(Small()).state_dict(), here / "parallel.pth")

base = counting(4, 6)
torch.save(
    OrderedDict(
        float64=counting(2, 2, dtype=torch.float64),
        float16=counting(5, dtype=torch.float16),
        bfloat16=counting(5, dtype=torch.bfloat16),
        int64=torch.tensor([[1, -2], [3, 2**31 - 1]]),
        int32=torch.tensor([-5, 6], dtype=torch.int32),
        int16=torch.tensor([-5, 6], dtype=torch.int16),
        int8=torch.tensor([-5, 6], dtype=torch.int8),
        uint8=torch.tensor([5, 200], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        transposed=base.t(),
        sliced=base[1:3, ::2],
        tied=base,
        parameter=nn.Parameter(counting(3)),
    ),
    here / "numbers.pth",
)
torch.save({"a": torch.tensor([2**40])}, here / "large-integer.pth")
torch.save([1, 2, {"a": 3}], here / "list.pth")
torch.save({"epoch": 3}, here / "no-tensors.pth")
torch.save(Small(), here / "whole-module.pth")
torch.save(Small().state_dict(), here / "legacy.pth", _use_new_zipfile_serialization=False)
torch.jit.save(torch.jit.script(Small().eval()), here / "script.pth")


class Call:
    def __reduce__(self):
        return os.system, ("echo this must never run > ran",)


def archive(name, data, **files):
    with zipfile.ZipFile(here / name, "w") as zipped:
        zipped.writestr("archive/data.pkl", data)
        for path, content in files.items():
            zipped.writestr(f"archive/{path}", content)


archive("call.pth", pickle.dumps({"a": Call()}, protocol=2))
archive("call-protocol-4.pth", pickle.dumps({"a": Call()}, protocol=4))
