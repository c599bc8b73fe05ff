"""
Exports the models of Time-Series-Library with both exporters of PyTorch (seen with torch 2.13, onnx 1.23 and onnxruntime
1.30), random weights, for the page "What comes in":

    python export.py CHECKOUT FOLDER [MODEL ...]

CHECKOUT is a clone of github.com/thuml/Time-Series-Library (seen at 4e938a1). Of each model and exporter, FOLDER gets
NAME.onnx with inputs and PyTorch's outputs in NAME.json, or the reason in NAME.fail.json. Then, in the root of Espalier:

    ESPALIER_INCOMING=FOLDER npx -y pnpm@12 exec vitest run studies/test/incoming.test.ts
"""

import contextlib
import importlib
import io
import json
import os
import re
import sys
import types
import warnings
from pathlib import Path

import onnxruntime
import torch

checkout, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path.insert(0, str(checkout))
warnings.filterwarnings("ignore")
folder.mkdir(parents=True, exist_ok=True)
os.chdir(checkout)
torch.set_num_threads(1)

with contextlib.suppress(ImportError):
    import reformer_pytorch  # noqa: F401
if "reformer_pytorch" not in sys.modules:
    # All attentions lie in one file, of which only Reformer's needs this package.
    sys.modules["reformer_pytorch"] = types.SimpleNamespace(LSHSelfAttention=type("LSHSelfAttention", (), {}))

# Wrappers of pre-trained models, which download weights.
foundation = {"Chronos", "Chronos2", "Moirai", "Sundial", "TiRex", "TimeMoE", "TimesFM"}
config = dict(
    task_name="long_term_forecast", seq_len=48, label_len=24, pred_len=24, enc_in=7, dec_in=7, c_out=7, d_model=16, n_heads=4,
    e_layers=2, d_layers=1, d_ff=32, factor=3, dropout=0.1, embed="timeF", freq="h", activation="gelu", moving_avg=13, top_k=3,
    num_kernels=3, channel_independence=1, decomp_method="moving_avg", use_norm=1, down_sampling_layers=2,
    down_sampling_window=2, down_sampling_method="avg", seg_len=12, patch_len=8, stride=4, p_hidden_dims=[16, 16],
    p_hidden_layers=2, features="M", distil=True, output_attention=False, expand=2, d_conv=4, data="ETTh1", alpha=0.1,
    top_p=0.5, pos=1, num_class=2, device="cpu", individual=False, use_gpu=False, gpu=0, subgraph_size=3, node_dim=10,
    conv_channel=8, skip_channel=8, gcn_depth=2, gcn_dropout=0.1, propalpha=0.3, bucket_size=4, n_hashes=4,
    seasonal_patterns="Monthly", batch_size=2,
)  # fmt: skip
of_models = {
    "ETSformer": dict(d_layers=2),
    "MICN": dict(label_len=48, conv_kernel=[12, 16]),
    "MultiPatchFormer": dict(seq_len=96),
}
inputs = ["x_enc", "x_mark_enc", "x_dec", "x_mark_dec"]


def export_with(exporter, model, example, path):
    if exporter == "TorchScript":
        axes = {name: {0: "batch"} for name in [*inputs, "y"]}
        torch.onnx.export(
            model, example, path, dynamo=False, input_names=inputs, output_names=["y"], dynamic_axes=axes, opset_version=17
        )
    else:
        batch = torch.export.Dim("batch", min=1, max=4096)
        torch.onnx.export(
            model, example, path, dynamo=True, input_names=inputs, output_names=["y"],
            dynamic_shapes=({0: batch},) * 4, external_data=False, verbose=False,
        )  # fmt: skip


def listed(tensor):
    return dict(shape=list(tensor.shape), data=tensor.flatten().tolist())


def export(name, exporter):
    about = dict(library="Time-Series-Library", model=name, exporter=exporter)
    path = folder / f"{name}-{exporter}.onnx"
    failed = path.with_suffix(".fail.json")
    failed.unlink(missing_ok=True)
    try:
        torch.manual_seed(0)
        own = config | of_models.get(name, {})
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model = importlib.import_module(f"models.{name}").Model(types.SimpleNamespace(**own)).eval()
            rows = own["label_len"] + own["pred_len"]
            sizes = [(own["seq_len"], own["enc_in"]), (own["seq_len"], 4), (rows, own["enc_in"]), (rows, 4)]
            example = tuple(torch.randn(2, *size) if size[1] != 4 else torch.rand(2, *size) - 0.5 for size in sizes)
            y = model(*example)
            export_with(exporter, model, example, str(path))
        session = onnxruntime.InferenceSession(str(path))
        read = [one.name for one in session.get_inputs()]
        feeds = {key: value for key, value in zip(inputs, example) if key in read}
        got = torch.from_numpy(session.run(None, {key: value.numpy() for key, value in feeds.items()})[0])
        if not torch.allclose(got, y, atol=1e-3, rtol=1e-3):
            raise ValueError("ONNX Runtime gives other numbers than PyTorch")
    except Exception as error:  # Whatever a model or an exporter raises is the finding.
        path.unlink(missing_ok=True)
        why = re.sub(r"\x1b\[\d*m", "", f"{type(error).__name__}: {error}").strip().split("\n")[0][:200]
        failed.write_text(json.dumps(about | dict(why=why)))
        print(name, exporter, why, flush=True)
        return
    example = dict(inputs={key: listed(value) for key, value in feeds.items()}, outputs=dict(y=listed(y)))
    path.with_suffix(".json").write_text(json.dumps(dict(meta=about) | example))
    print(name, exporter, "written", flush=True)


found = sorted(path.stem for path in (checkout / "models").glob("*.py") if path.stem != "__init__")
for model in sys.argv[3:] or [name for name in found if name not in foundation]:
    for exporter in ("TorchScript", "torch.export"):
        export(model, exporter)
