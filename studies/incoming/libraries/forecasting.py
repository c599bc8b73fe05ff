"""pytorch-forecasting: github.com/sktime/pytorch-forecasting (seen at 062aeb4). Packages: pytorch-lightning, pandas, scikit-learn, scikit-base."""

import numpy as np
import pandas as pd
import torch

title = "pytorch-forecasting"
configurations = {
    "a": dict(context=24, horizon=6, width=16, heads=4, layers=2),
    "b": dict(context=21, horizon=7, width=12, heads=2, layers=1),
}


def dataset(o, covariates):
    from pytorch_forecasting import TimeSeriesDataSet

    steps = np.arange(80)
    frames = [
        pd.DataFrame(
            dict(
                time=steps, group=str(group), level=1.0 + group, month=(steps % 12).astype(str), temperature=np.cos(steps / 5),
                value=2 + group + np.sin(steps / 3 + group), promotion=(steps % 7 == 0) * 1.0,
            )
        )
        for group in range(3)
    ]  # fmt: skip
    more = (
        dict(
            static_categoricals=["group"], static_reals=["level"], time_varying_known_categoricals=["month"],
            time_varying_known_reals=["time", "promotion"], time_varying_unknown_reals=["value", "temperature"],
        )
        if covariates
        else dict(time_varying_unknown_reals=["value"])
    )  # fmt: skip
    return TimeSeriesDataSet(
        pd.concat(frames, ignore_index=True), time_idx="time", target="value", group_ids=["group"],
        min_encoder_length=o["context"], max_encoder_length=o["context"], min_prediction_length=o["horizon"],
        max_prediction_length=o["horizon"], **more,
    )  # fmt: skip


def call(model, given):
    return model(given)["prediction"]


def maker(kind, o, covariates, own):
    def make():
        import pytorch_forecasting
        import pytorch_forecasting.models as all_models

        data = dataset(o, covariates)
        kinds = getattr(pytorch_forecasting, kind, None) or getattr(all_models, kind)
        model = kinds.from_dataset(data, **own)
        given, _ = next(iter(data.to_dataloader(train=False, batch_size=2, num_workers=0)))
        inputs = {name: value for name, value in given.items() if isinstance(value, torch.Tensor) and value.numel() > 0}
        absent = {name: value for name, value in given.items() if name not in inputs}
        return model, inputs, lambda model, given: call(model, absent | given)

    return make


def models(_checkout, configuration):
    o = configurations[configuration]
    width, heads, layers = o["width"], o["heads"], o["layers"]
    plain = {
        "NBeats": dict(widths=[width, 20], num_blocks=[layers, layers], num_block_layers=[2, 2], expansion_coefficient_lengths=[3, 5]),
        "NBeatsKAN": dict(widths=[width, 20], num_blocks=[1, 1], num_block_layers=[2, 2], expansion_coefficient_lengths=[3, 5]),
        "xLSTMTime": dict(input_size=1, hidden_size=width, output_size=1, xlstm_type="slstm"),
    }  # fmt: skip
    covariates = {
        "TemporalFusionTransformer": dict(hidden_size=width, lstm_layers=layers, attention_head_size=heads, hidden_continuous_size=8),
        "NHiTS": dict(hidden_size=width, n_layers=layers, downsample_frequencies=[3, 1, 1], pooling_sizes=[2, 1, 1]),
        "DeepAR": dict(hidden_size=width, rnn_layers=layers),
        "RecurrentNetwork": dict(hidden_size=width, rnn_layers=layers),
        "DecoderMLP": dict(hidden_size=width, n_hidden_layers=layers),
        "TiDEModel": dict(hidden_size=width, decoder_output_dim=8, temporal_decoder_hidden=12),
        "TimeXer": dict(hidden_size=width, n_heads=heads, e_layers=layers, d_ff=20, patch_length=6, context_length=o["context"]),
    }  # fmt: skip
    return {name: maker(name, o, False, own) for name, own in plain.items()} | {
        name: maker(name, o, True, own) for name, own in covariates.items()
    }
