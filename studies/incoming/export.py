"""
Exports the models of a library with both exporters of PyTorch (seen with torch 2.13, onnx 1.23 and onnxruntime 1.30),
random weights, for the page "What comes in":

    python export.py LIBRARY CHECKOUT FOLDER [MODEL ...]

LIBRARY is one of the files in libraries/, each of which says at its top what it needs; CHECKOUT is a clone of its
repository. Of each model and exporter, FOLDER gets NAME.onnx with inputs and PyTorch's outputs in NAME.json, or the
reason in NAME.fail.json. With the files of all libraries in FOLDER, in the root of Espalier:

    ESPALIER_INCOMING=FOLDER npx -y pnpm@12 exec vitest run studies/test/incoming.test.ts
"""

import contextlib
import importlib
import io
import json
import logging
import os
import re
import sys
import warnings
from pathlib import Path

import onnxruntime
import torch

library, checkout, folder = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
folder.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)


def quiet():
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
    stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
    return stack


def unlike(model):
    """Numbers that all parameters of a kind start with, such as zeros, would hide mistakes."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point() and parameter.numel() > 0 and parameter.min() == parameter.max():
                parameter.add_(torch.randn_like(parameter) * 0.2)
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand_like(buffer) * 0.4)


class Positional(torch.nn.Module):
    """A model whose inputs are a list of tensors, in the order of their names."""

    def __init__(self, model, names, call):
        super().__init__()
        self.model, self.names, self.call = model, names, call

    def forward(self, *tensors):
        return self.call(self.model, dict(zip(self.names, tensors)))


def export_with(exporter, model, inputs, path):
    names, tensors = list(inputs), tuple(inputs.values())
    if exporter == "TorchScript":
        axes = {name: {0: "batch"} for name in [*names, "y"]}
        torch.onnx.export(
            model, tensors, path, dynamo=False, input_names=names, output_names=["y"], dynamic_axes=axes, opset_version=17
        )
    else:
        batch = torch.export.Dim("batch", min=1, max=4096)
        torch.onnx.export(
            model, tensors, path, dynamo=True, input_names=names, output_names=["y"],
            dynamic_shapes=(tuple({0: batch} for _ in tensors),), external_data=False, verbose=False,
        )  # fmt: skip


def listed(tensor):
    return dict(shape=list(tensor.shape), data=tensor.flatten().tolist())


def export(name, configuration, make, exporter):
    about = dict(library=of.title, model=name, configuration=configuration, exporter=exporter)
    path = folder / f"{library}-{name}-{configuration}-{exporter}.onnx"
    path.with_suffix(".fail.json").unlink(missing_ok=True)
    try:
        torch.manual_seed(0)
        with quiet():
            model, inputs, call = make()
            unlike(model)
            model = Positional(model.eval(), list(inputs), call)
            y = model(*inputs.values()).detach()
            if not torch.equal(y, model(*inputs.values())):
                raise ValueError("every call gives other numbers: it draws samples")
            export_with(exporter, model, inputs, str(path))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(path), options)
        read = [one.name for one in session.get_inputs()]
        feeds = {key: value for key, value in inputs.items() if key in read}
        got = torch.from_numpy(session.run(None, {key: value.numpy() for key, value in feeds.items()})[0])
        if not torch.allclose(got, y, atol=1e-3, rtol=1e-3):
            raise ValueError("ONNX Runtime gives other numbers than PyTorch")
    except Exception as error:  # Whatever a model or an exporter raises is the finding.
        path.unlink(missing_ok=True)
        why = re.sub(r"\x1b\[\d*m", "", f"{type(error).__name__}: {error}").strip().split("\n")[0][:200]
        path.with_suffix(".fail.json").write_text(json.dumps(about | dict(why=why)))
        print(name, configuration, exporter, why, flush=True)
        return
    example = dict(inputs={key: listed(value) for key, value in feeds.items()}, outputs=dict(y=listed(y)))
    path.with_suffix(".json").write_text(json.dumps(dict(meta=about) | example))
    print(name, configuration, exporter, "written", flush=True)


os.chdir(checkout)
sys.path.insert(1, str(checkout))
with quiet():
    of = importlib.import_module(f"libraries.{library}")
for configuration in of.configurations:
    for name, make in of.models(checkout, configuration).items():
        if name in sys.argv[4:] or len(sys.argv) == 4:
            for exporter in ("TorchScript", "torch.export"):
                export(name, configuration, make, exporter)
