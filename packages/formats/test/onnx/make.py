"""Makes the ONNX files that the import is tested with, from small modules written for it.

Needed only to make them anew:  pip install torch onnx onnxscript;  python make.py
Each module is exported by both of PyTorch's exporters, with an open and with a fixed batch. Beside the files lies
cases.json: inputs (3 samples), PyTorch's outputs, names and sizes of its parameters, and the versions used.
What only helps to debug an export (source lines, traces, shapes of intermediate values) is taken out of the files.
"""

import copy
import json
import math
import pathlib
import warnings

import onnx
import onnxscript
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
TIME, SERIES, WIDTH, HEADS, HORIZON = 12, 3, 8, 2, 4


class Encoder(nn.Module):
    """nn.MultiheadAttention, learnt positions, LayerNorm, GELU; all as PyTorch initialises it (equal norms)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(SERIES, WIDTH)
        self.position = nn.Parameter(torch.randn(1, TIME, WIDTH) * 0.1)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)
        self.head = nn.Linear(TIME * WIDTH, HORIZON)

    def forward(self, x):
        x = self.embed(x) + self.position
        x = self.norm1(x + self.attention(x, x, x, need_weights=False)[0])
        x = self.norm2(x + self.down(F.gelu(self.up(x))))
        return self.head(x.flatten(1))


class Layered(nn.Module):
    """nn.TransformerEncoder of two layers, norm first, with a final norm; the forecast is the mean over time."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(SERIES, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 12, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, HORIZON * SERIES)

    def forward(self, x):
        y = self.head(self.encoder(self.embed(x)).mean(1))
        return y.reshape(x.shape[0], HORIZON, SERIES)


class Inverted(nn.Module):
    """Each series is a token; windows normalised and restored; attention by einsum; feed-forward by Conv1d of width 1."""

    def __init__(self):
        super().__init__()
        self.value_embedding = nn.Linear(TIME, WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.conv1, self.conv2 = nn.Conv1d(WIDTH, 12, 1), nn.Conv1d(12, WIDTH, 1)
        self.projection = nn.Linear(WIDTH, HORIZON)

    def forward(self, x):
        mean = x.mean(1, keepdim=True).detach()
        x = x - mean
        deviation = torch.sqrt(torch.var(x, dim=1, keepdim=True, unbiased=False) + 1e-5)
        tokens = self.value_embedding((x / deviation).permute(0, 2, 1))
        b, n, _ = tokens.shape
        q, k, v = (f(tokens).view(b, n, HEADS, -1) for f in (self.query, self.key, self.value))
        scores = torch.einsum("blhe,bshe->bhls", q, k)
        mixed = torch.einsum("bhls,bshd->blhd", torch.softmax(scores / math.sqrt(q.shape[-1]), -1), v)
        tokens = self.norm1(tokens + self.out(mixed.reshape(b, n, -1)))
        hidden = F.gelu(self.conv1(tokens.transpose(-1, 1)))
        tokens = self.norm2(tokens + self.conv2(hidden).transpose(-1, 1))
        y = self.projection(tokens).permute(0, 2, 1)
        return y * deviation + mean


class Causal(nn.Module):
    """Query, key and value of one linear layer, scaled_dot_product_attention with a causal mask, gated feed-forward."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(SERIES, WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.gate, self.up, self.down = nn.Linear(WIDTH, 10), nn.Linear(WIDTH, 10), nn.Linear(10, WIDTH)
        self.head = nn.Linear(WIDTH, SERIES)

    def forward(self, x):
        x = self.embed(x)
        b, t, _ = x.shape
        q, k, v = (part.view(b, t, HEADS, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, -1))
        y = self.norm(x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.head(x[:, -HORIZON:])


class Patches(nn.Module):
    """Channel-independent patches, a table of sines, BatchNorm1d over features, attention written by hand with a mask."""

    def __init__(self):
        super().__init__()
        self.pad = nn.ReplicationPad1d((0, 2))
        self.value_embedding = nn.Linear(4, WIDTH, bias=False)
        angle = torch.arange(6)[:, None] * torch.exp(torch.arange(0, WIDTH, 2) * -(math.log(10000.0) / WIDTH))
        table = torch.zeros(1, 6, WIDTH)
        table[0, :, 0::2], table[0, :, 1::2] = torch.sin(angle), torch.cos(angle)
        self.register_buffer("pe", table)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm1, self.norm2 = nn.BatchNorm1d(WIDTH), nn.BatchNorm1d(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH)
        self.head = nn.Linear(6 * WIDTH, HORIZON)

    def heads(self, x):
        return x.view(x.shape[0], x.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)

    def forward(self, x):
        b = x.shape[0]
        x = self.pad(x.permute(0, 2, 1))
        # Not unfold: PyTorch's TorchScript exporter (2.13) exchanges its last two axes.
        x = torch.stack([x[..., start : start + 4] for start in range(0, TIME, 2)], -2)
        x = self.value_embedding(x.reshape(b * SERIES, 6, 4))
        x = x + self.pe[:, : x.shape[1]]
        scores = self.heads(self.query(x)) @ self.heads(self.key(x)).transpose(-2, -1)
        far = torch.ones(6, 6, dtype=torch.bool).triu(3)
        scores = (scores * (WIDTH // HEADS) ** -0.5).masked_fill(far, -1e9)
        mixed = (scores.softmax(-1) @ self.heads(self.value(x))).transpose(1, 2).reshape(b * SERIES, 6, WIDTH)
        x = self.norm1((x + self.out(mixed)).transpose(1, 2)).transpose(1, 2)
        x = self.norm2((x + self.down(F.relu(self.up(x)))).transpose(1, 2)).transpose(1, 2)
        return self.head(x.reshape(b, SERIES, -1)).permute(0, 2, 1)


class Convolutional(nn.Module):
    """Circular Conv1d embedding, distilling (Conv1d, BatchNorm1d, ELU, MaxPool1d), a moving average, pieces by hand."""

    def __init__(self):
        super().__init__()
        self.token = nn.Conv1d(SERIES, WIDTH, 3, padding=1, padding_mode="circular", bias=False)
        self.distil = nn.Conv1d(WIDTH, WIDTH, 3, padding=2, padding_mode="circular")
        self.norm = nn.BatchNorm1d(WIDTH)
        self.scale, self.shift = nn.Parameter(torch.rand(WIDTH) + 0.5), nn.Parameter(torch.rand(WIDTH))
        self.head = nn.Linear(WIDTH, HORIZON * SERIES)

    def forward(self, x):
        padded = torch.cat([x[:, :1].repeat(1, 2, 1), x, x[:, -1:].repeat(1, 2, 1)], 1)
        trend = F.avg_pool1d(padded.permute(0, 2, 1), 5, 1).permute(0, 2, 1)
        y = self.token((x - trend).permute(0, 2, 1))
        y = F.max_pool1d(F.elu(self.norm(self.distil(y))), 3, 2, 1).transpose(1, 2)
        mean = y.mean(-1, keepdim=True)
        variance = (y - mean).pow(2).mean(-1, keepdim=True)
        y = (y - mean) / (variance + 1e-5).sqrt() * self.scale + self.shift
        weight = torch.exp(y - y.amax(1, keepdim=True))
        y = (weight / weight.sum(1, keepdim=True) * y).sum(1)
        return self.head(y).view(-1, HORIZON, SERIES) + trend[:, -1:]


class Perceptron(nn.Module):
    """Flattened windows through linear layers, which are exported as Gemm, with several activations and two inputs."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(TIME * SERIES, 10)
        self.second = nn.Linear(10, 9)
        self.marks = nn.Linear(2, 9)
        self.third = nn.Linear(9, HORIZON)

    def forward(self, x, mark):
        y = F.relu(self.first(x.flatten(1)))
        y = torch.tanh(self.second(y)) * torch.sigmoid(self.marks(mark.mean(1)))
        return self.third(F.softplus(y)).clamp(-1.5, 1.5)


def trained(module):
    """Gives parameters and statistics values of their own, as training would."""
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name.endswith("running_var"):
            tensor.data.uniform_(0.5, 1.5)
        elif tensor.dim() == 1 and tensor.is_floating_point():
            tensor.data += 0.2 * torch.randn_like(tensor)
    return module


DYNAMIC = "open"
FIXED = "fixed"
# Exporter (ts: TorchScript-style; dynamo: the current one), opset, batch.
EXPORTS = {
    "encoder": [("ts", 15, FIXED), ("ts", 17, DYNAMIC), ("dynamo", 18, DYNAMIC), ("dynamo", 21, FIXED)],
    "layered": [("ts", 14, DYNAMIC), ("ts", 16, FIXED), ("dynamo", 20, DYNAMIC), ("dynamo", 18, FIXED)],
    "inverted": [("ts", 15, DYNAMIC), ("ts", 17, FIXED), ("dynamo", 19, DYNAMIC), ("dynamo", 20, FIXED)],
    "causal": [("ts", 16, DYNAMIC), ("ts", 14, FIXED), ("dynamo", 21, DYNAMIC), ("dynamo", 18, FIXED)],
    "patches": [("ts", 13, DYNAMIC), ("ts", 18, FIXED), ("dynamo", 18, DYNAMIC), ("dynamo", 20, FIXED)],
    "convolutional": [("ts", 17, DYNAMIC), ("ts", 13, FIXED), ("dynamo", 20, DYNAMIC), ("dynamo", 19, FIXED)],
    "perceptron": [("ts", 20, DYNAMIC), ("ts", 13, FIXED), ("dynamo", 18, DYNAMIC), ("dynamo", 21, FIXED)],
}


def modules():
    for seed, (make, inputs, change) in enumerate(
        [
            (Encoder, ["x"], False),
            (Layered, ["x"], True),
            (Inverted, ["x"], True),
            (Causal, ["x"], True),
            (Patches, ["x"], True),
            (Convolutional, ["x"], True),
            (Perceptron, ["x", "mark"], True),
        ]
    ):
        torch.manual_seed(seed)
        module = make()
        yield make.__name__.lower(), (trained(module) if change else module).eval(), inputs


def lean(path):
    """Without what only helps to debug an export."""
    model = onnx.load(path)
    del model.graph.value_info[:]
    for entry in [*model.graph.input, *model.graph.output, *model.graph.initializer, model.graph, model]:
        del entry.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        kept = [copy.deepcopy(p) for p in kept]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def export(name, module, inputs, names):
    for kind, opset, batch in EXPORTS[name]:
        given = tuple(x if batch == DYNAMIC else x[:1] for x in inputs)
        path = HERE / f"{name}-{kind}-{opset}-{batch}.onnx"
        common = dict(input_names=names, output_names=["y"], opset_version=opset)
        if kind == "ts":
            axes = {one: {0: "batch"} for one in [*names, "y"]} if batch == DYNAMIC else None
            torch.onnx.export(module, given, str(path), dynamo=False, dynamic_axes=axes, **common)
        else:
            size = torch.export.Dim("batch")
            shapes = tuple({0: size} for _ in names) if batch == DYNAMIC else None
            torch.onnx.export(
                module, given, str(path), dynamo=True, dynamic_shapes=shapes, external_data=False, **common
            )
        lean(path)
        yield path.name


def numbers(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{value:.9g}") for value in tensor.flatten().tolist()]}


def external():
    """The encoder once more, with its numbers in a file of their own."""
    model = onnx.load(HERE / "encoder-dynamo-18-open.onnx")
    onnx.save(
        model,
        HERE / "external.onnx",
        save_as_external_data=True,
        location="external.onnx.data",
        size_threshold=0,
    )


def main():
    for old in HERE.glob("*.onnx*"):
        old.unlink()
    cases = {}
    for name, module, names in modules():
        torch.manual_seed(100)
        shapes = {"x": (3, TIME, SERIES), "mark": (3, TIME, 2)}
        inputs = tuple(torch.randn(shapes[one]) for one in names)
        with torch.no_grad():
            output = module(*inputs)
        files = list(export(name, module, inputs, names))
        cases[name] = {
            "files": files,
            "inputs": {one: numbers(x) for one, x in zip(names, inputs)},
            "output": numbers(output),
            "parameters": {key: list(p.shape) for key, p in module.named_parameters()},
        }
    external()
    versions = {package.__name__: package.__version__ for package in (torch, onnx, onnxscript)}
    text = json.dumps({"versions": versions, "cases": cases}, separators=(",", ":"))
    (HERE / "cases.json").write_text(text.replace('"files"', '\n"files"') + "\n")


if __name__ == "__main__":
    main()
