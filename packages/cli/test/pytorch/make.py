"""
Writes checkpoint.pth and forecast.json beside this file (seen with torch 2.13): a whole inverted transformer under
Time-Series-Library's parameter names, saved as it saves its checkpoints, and what PyTorch forecasts with it. Not needed
to run the tests.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

here = Path(__file__).parent
length, horizon, series, width, heads, inner, layers = 24, 6, 3, 8, 2, 12, 2


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        for name in ("query", "key", "value", "out"):
            self.add_module(f"{name}_projection", nn.Linear(width, width))

    def forward(self, x):
        def split(part):
            return part(x).unflatten(-1, (heads, -1)).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(*map(split, (self.query_projection, self.key_projection, self.value_projection)))
        return self.out_projection(mixed.transpose(1, 2).flatten(2))


class AttentionLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.conv1, self.conv2 = nn.Conv1d(width, inner, 1), nn.Conv1d(inner, width, 1)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.conv2(F.gelu(self.conv1(x.transpose(1, 2)))).transpose(1, 2))


class Inverted(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc_embedding = nn.ModuleDict({"value_embedding": nn.Linear(length, width)})
        blocks = nn.ModuleList(AttentionLayer() for _ in range(layers))
        self.encoder = nn.ModuleDict({"attn_layers": blocks, "norm": nn.LayerNorm(width)})
        self.projection = nn.Linear(width, horizon)

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        deviation = torch.sqrt(x.var(1, keepdim=True, unbiased=False) + 1e-5)
        y = self.enc_embedding["value_embedding"](((x - mean) / deviation).transpose(1, 2))
        for layer in self.encoder["attn_layers"]:
            y = layer(y)
        return self.projection(self.encoder["norm"](y)).transpose(1, 2) * deviation + mean


torch.manual_seed(1)
model = Inverted().eval()
torch.save(model.state_dict(), here / "checkpoint.pth")
x = torch.randn(2, length, series)
with torch.no_grad():
    y = model(x)
numbers = {name: [round(v, 7) for v in t.flatten().tolist()] for name, t in (("x", x), ("y", y))}
(here / "forecast.json").write_text(json.dumps(numbers) + "\n")
