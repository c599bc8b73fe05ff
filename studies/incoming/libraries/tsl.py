"""Time-Series-Library: github.com/thuml/Time-Series-Library (seen at 4e938a1). Packages: einops, PyWavelets, scikit-learn."""

import contextlib
import importlib
import sys
import types
from unittest.mock import MagicMock

import torch

title = "Time-Series-Library"

# Files import packages for plots, archives, and Reformer's attention, which no other model needs.
for package in ("matplotlib", "matplotlib.pyplot", "patoolib", "sktime", "sktime.datasets", "reformer_pytorch"):
    with contextlib.suppress(ImportError):
        importlib.import_module(package)
    sys.modules.setdefault(package, MagicMock())

# Wrappers of pre-trained models, which download weights.
foundation = {"Chronos", "Chronos2", "Moirai", "Sundial", "TiRex", "TimeMoE", "TimesFM"}
base = dict(
    task_name="long_term_forecast", seq_len=48, label_len=24, pred_len=24, enc_in=7, dec_in=7, c_out=7, d_model=16, n_heads=4,
    e_layers=2, d_layers=1, d_ff=32, factor=3, dropout=0.1, embed="timeF", freq="h", activation="gelu", moving_avg=13, top_k=3,
    num_kernels=3, channel_independence=1, decomp_method="moving_avg", use_norm=1, down_sampling_layers=2,
    down_sampling_window=2, down_sampling_method="avg", seg_len=12, patch_len=8, stride=4, p_hidden_dims=[16, 16],
    p_hidden_layers=2, features="M", distil=True, output_attention=False, expand=2, d_conv=4, data="ETTh1", alpha=0.1,
    top_p=0.5, pos=1, num_class=2, device="cpu", individual=False, use_gpu=False, gpu=0, subgraph_size=3, node_dim=10,
    conv_channel=8, skip_channel=8, gcn_depth=2, gcn_dropout=0.1, propalpha=0.3, bucket_size=4, n_hashes=4,
    seasonal_patterns="Monthly", batch_size=2, use_amp=False,
)  # fmt: skip
other = base | dict(
    seq_len=36, label_len=12, pred_len=12, enc_in=5, dec_in=5, c_out=5, d_model=24, n_heads=2, e_layers=1, d_layers=2, d_ff=20,
    use_norm=0, embed="fixed", activation="relu", moving_avg=8, channel_independence=0, decomp_method="dft_decomp", factor=1,
    distil=False, seg_len=6, patch_len=6, stride=6, top_k=2, down_sampling_layers=1, p_hidden_dims=[8, 8], individual=True,
)  # fmt: skip
configurations = {"a": base, "b": other}


def of_model(name, config):
    if name == "ETSformer":
        return dict(d_layers=config["e_layers"])
    if name == "MICN":
        return dict(label_len=config["seq_len"], conv_kernel=[12, 16])
    if name == "MultiPatchFormer":
        return dict(seq_len=96)
    if name == "TimeXer" and config["patch_len"] == 6:
        return dict(patch_len=12)
    if name == "WPMixer":
        return dict(device=torch.device("cpu"))
    return {}


def marks(embed, rows):
    if embed == "timeF":
        return torch.rand(2, rows, 4) - 0.5
    return torch.stack([torch.randint(low, high, (2, rows)) for low, high in [(1, 13), (1, 32), (0, 7), (0, 24)]], -1).float()


def call(model, inputs):
    return model(*inputs.values())


def maker(name, config):
    def make():
        model = importlib.import_module(f"models.{name}").Model(types.SimpleNamespace(**config))
        rows, length, series = config["label_len"] + config["pred_len"], config["seq_len"], config["enc_in"]
        inputs = dict(
            x_enc=torch.randn(2, length, series),
            x_mark_enc=marks(config["embed"], length),
            x_dec=torch.randn(2, rows, series),
            x_mark_dec=marks(config["embed"], rows),
        )
        return model, inputs, call

    return make


def models(checkout, configuration):
    config = configurations[configuration]
    found = sorted(path.stem for path in (checkout / "models").glob("*.py") if path.stem != "__init__")
    return {name: maker(name, config | of_model(name, config)) for name in found if name not in foundation}
