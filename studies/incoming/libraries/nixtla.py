"""neuralforecast: github.com/Nixtla/neuralforecast (seen at 5ffa0d0). Packages: pytorch-lightning, pandas, fsspec."""

import contextlib
import importlib
import sys
import types
from unittest.mock import MagicMock

import torch

title = "neuralforecast"
configurations = {
    "a": dict(h=12, input_size=24, width=16, heads=4, layers=2),
    "b": dict(h=7, input_size=35, width=24, heads=2, layers=1),
}
# Data frames are prepared with these, which no model needs.
for package in ("utilsforecast", "utilsforecast.processing", "utilsforecast.compat", "utilsforecast.validation"):
    with contextlib.suppress(ImportError):
        importlib.import_module(package)
    sys.modules.setdefault(package, MagicMock())


def options(name, o):
    h, width, heads, layers = o["h"], o["width"], o["heads"], o["layers"]
    attention = dict(hidden_size=width, n_head=heads, encoder_layers=layers, decoder_layers=1, conv_hidden_size=20)
    recurrent = dict(encoder_hidden_size=width, encoder_n_layers=layers, decoder_hidden_size=20)
    own = {
        "RNN": recurrent, "GRU": recurrent, "LSTM": recurrent,
        "TCN": dict(encoder_hidden_size=width, decoder_hidden_size=20),
        "DeepAR": dict(lstm_hidden_size=width, lstm_n_layers=layers),
        "DilatedRNN": dict(encoder_hidden_size=width, decoder_hidden_size=20),
        "MLP": dict(hidden_size=width, num_layers=layers),
        "MLPMultivariate": dict(hidden_size=width, num_layers=layers),
        "NHITS": dict(mlp_units=3 * [[width, width]], n_pool_kernel_size=[2, 2, 1], n_freq_downsample=[4, 2, 1]),
        "NBEATS": dict(mlp_units=3 * [[width, width]]), "NBEATSx": dict(mlp_units=3 * [[width, width]]),
        "TFT": dict(hidden_size=width, n_head=heads),
        "VanillaTransformer": attention, "Informer": attention, "Autoformer": attention, "FEDformer": attention,
        "PatchTST": dict(hidden_size=width, n_heads=heads, encoder_layers=layers, linear_hidden_size=20, patch_len=6, stride=3),
        "iTransformer": dict(hidden_size=width, n_heads=heads, e_layers=layers, d_ff=20),
        "TimeXer": dict(hidden_size=width, n_heads=heads, e_layers=layers, d_ff=20, patch_len=o["input_size"] // 4 if h == 12 else 7),
        "SOFTS": dict(hidden_size=width, d_core=12, e_layers=layers, d_ff=20),
        "TSMixer": dict(n_block=layers, ff_dim=width), "TSMixerx": dict(n_block=layers, ff_dim=width),
        "TiDE": dict(hidden_size=width, decoder_output_dim=8, temporal_decoder_dim=12),
        "BiTCN": dict(hidden_size=width), "DeepNPTS": dict(hidden_size=width, n_layers=layers),
        "TimesNet": dict(hidden_size=width, conv_hidden_size=20, encoder_layers=layers, num_kernels=3, top_k=2),
        "TimeMixer": dict(d_model=width, d_ff=20, e_layers=layers),
        "KAN": dict(hidden_size=width), "RMoK": {}, "StemGNN": {}, "DLinear": {}, "NLinear": {}, "XLinear": {},
        "xLSTM": dict(encoder_n_blocks=layers, encoder_hidden_size=width, decoder_hidden_size=20),
    }  # fmt: skip
    return own[name]


def call(model, given):
    absent = dict(futr_exog=None, hist_exog=None, stat_exog=None)
    batch = absent | given | dict(insample_mask=torch.ones_like(given["insample_y"]))
    y = model(batch)
    return y[0] if isinstance(y, tuple) else y


def maker(checkout, name, o):
    def make():
        # Without its __init__, which imports distributed tuning.
        for package, folder in (("neuralforecast", ""), ("neuralforecast.models", "models")):
            module = types.ModuleType(package)
            module.__path__ = [str(checkout / "neuralforecast" / folder)]
            sys.modules.setdefault(package, module)
        kind = getattr(importlib.import_module(f"neuralforecast.models.{'dilated_rnn' if name == 'DilatedRNN' else name.lower()}"), name)
        series = 5 if getattr(kind, "MULTIVARIATE", False) else 1
        more = dict(n_series=series) if series > 1 else {}
        exogenous = {}
        if o["layers"] == 1 and series == 1:
            if kind.EXOGENOUS_FUTR:
                more["futr_exog_list"] = ["f1", "f2"]
                exogenous["futr_exog"] = torch.randn(2, o["input_size"] + o["h"], 2)
            if kind.EXOGENOUS_HIST:
                more["hist_exog_list"] = ["p1", "p2", "p3"]
                exogenous["hist_exog"] = torch.randn(2, o["input_size"], 3)
            if kind.EXOGENOUS_STAT:
                more["stat_exog_list"] = ["s1", "s2"]
                exogenous["stat_exog"] = torch.randn(2, 2)
        model = kind(h=o["h"], input_size=o["input_size"], max_steps=1, accelerator="cpu", **options(name, o), **more)
        return model, dict(insample_y=torch.randn(2, o["input_size"], series)) | exogenous, call

    return make


def models(checkout, configuration):
    o = configurations[configuration]
    names = "RNN GRU LSTM TCN DeepAR DilatedRNN MLP NHITS NBEATS NBEATSx DLinear NLinear TFT VanillaTransformer Informer"
    more = "Autoformer PatchTST FEDformer StemGNN TimesNet TSMixer TSMixerx MLPMultivariate iTransformer BiTCN TiDE DeepNPTS"
    last = "SOFTS TimeMixer KAN RMoK TimeXer xLSTM XLinear"
    return {name: maker(checkout, name, o) for name in f"{names} {more} {last}".split()}
