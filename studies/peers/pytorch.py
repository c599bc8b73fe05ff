"""Training steps of iTransformer and PatchTST in PyTorch, one thread; parameters are named as Time-Series-Library's.

usage: pytorch.py FOLDER, with model.json {name, options, batch, inputs, target} and tensors.safetensors in it. Each line on
standard input runs one step (forward, backward, Adam); its answer is the loss before it.
"""

import json
import os
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def tensors_of(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    kinds = {"F32": torch.float32, "I32": torch.int32}
    result = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            part = data[8 + size + start : 8 + size + end]
            result[name] = torch.frombuffer(part, dtype=kinds[entry["dtype"]]).reshape(entry["shape"])
    return result


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query_projection = nn.Linear(width, width)
        self.key_projection = nn.Linear(width, width)
        self.value_projection = nn.Linear(width, width)
        self.out_projection = nn.Linear(width, width)

    def forward(self, x):
        n, length, width = x.shape
        split = lambda y: y.view(n, length, self.heads, width // self.heads).transpose(1, 2)
        q, k, v = (split(f(x)) for f in (self.query_projection, self.key_projection, self.value_projection))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_projection(mixed.transpose(1, 2).reshape(n, length, width))


class EncoderLayer(nn.Module):
    def __init__(self, width, hidden, heads):
        super().__init__()
        self.attention = Attention(width, heads)
        self.conv1 = nn.Conv1d(width, hidden, 1)
        self.conv2 = nn.Conv1d(hidden, width, 1)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        y = F.linear(x, self.conv1.weight.squeeze(-1), self.conv1.bias)
        y = F.linear(F.gelu(y), self.conv2.weight.squeeze(-1), self.conv2.bias)
        return self.norm2(x + y)


def encoder(o, norm):
    stack = nn.Module()
    stack.attn_layers = nn.ModuleList(EncoderLayer(o["width"], o["feedForward"], o["heads"]) for _ in range(o["layers"]))
    stack.norm = norm
    return stack


def normalised(x):
    mean = x.mean(1, keepdim=True)
    deviation = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
    return (x - mean) / deviation, mean, deviation


class ITransformer(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.enc_embedding = nn.Module()
        self.enc_embedding.value_embedding = nn.Linear(o["inputLength"], o["width"])
        self.encoder = encoder(o, nn.LayerNorm(o["width"]))
        self.projection = nn.Linear(o["width"], o["horizon"])

    def forward(self, x):
        x, mean, deviation = normalised(x)
        x = self.enc_embedding.value_embedding(x.transpose(1, 2))
        for layer in self.encoder.attn_layers:
            x = layer(x)
        return self.projection(self.encoder.norm(x)).transpose(1, 2) * deviation + mean


class PatchTST(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.length, self.stride = o["patchLength"], o["stride"]
        count = (o["inputLength"] - self.length) // self.stride + 2
        self.patch_embedding = nn.Module()
        self.patch_embedding.value_embedding = nn.Linear(self.length, o["width"], bias=False)
        self.patch_embedding.position_embedding = nn.Module()
        self.patch_embedding.position_embedding.register_buffer("pe", torch.zeros(1, count, o["width"]))
        self.encoder = encoder(o, nn.ModuleDict({"1": nn.BatchNorm1d(o["width"])}))
        self.head = nn.Module()
        self.head.linear = nn.Linear(o["width"] * count, o["horizon"])

    def forward(self, x):
        x, mean, deviation = normalised(x)
        n, _, series = x.shape
        x = F.pad(x.transpose(1, 2), (0, self.stride), mode="replicate").unfold(-1, self.length, self.stride)
        embedding = self.patch_embedding
        x = embedding.value_embedding(x.flatten(0, 1)) + embedding.position_embedding.pe
        for layer in self.encoder.attn_layers:
            x = layer(x)
        x = self.encoder.norm["1"](x.transpose(1, 2))
        return self.head.linear(x.reshape(n, series, -1)).transpose(1, 2) * deviation + mean


def main(folder):
    with open(os.path.join(folder, "model.json")) as file:
        setup = json.load(file)
    given = tensors_of(os.path.join(folder, "tensors.safetensors"))
    history, target = given.pop("input:x_enc"), given.pop("input:target")
    rate = given.pop("input:learningRate").item()
    model = {"iTransformer": ITransformer, "PatchTST": PatchTST}[setup["name"]](setup["options"])
    missing, unexpected = model.load_state_dict(given, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"names differ: {missing} missing, {unexpected} unexpected")
    model.train()
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    print("ready", flush=True)
    for _ in sys.stdin:
        adam.zero_grad()
        loss = F.mse_loss(model(history), target)
        loss.backward()
        adam.step()
        print(loss.item(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
