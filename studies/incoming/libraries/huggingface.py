"""Hugging Face transformers: github.com/huggingface/transformers (seen at 5.18), as installed; CHECKOUT may be any folder."""

import torch
import transformers as hf

title = "Hugging Face transformers"
configurations = {
    "a": dict(channels=3, context=32, horizon=8, width=16, heads=4, layers=2, hidden=32, patch=8, kernel=5),
    "b": dict(channels=5, context=36, horizon=6, width=24, heads=2, layers=1, hidden=20, patch=6, kernel=4),
}


def patches(kind, o, **more):
    config = getattr(hf, f"{kind}Config")(
        num_input_channels=o["channels"], context_length=o["context"], prediction_length=o["horizon"], patch_length=o["patch"],
        patch_stride=o["patch"], d_model=o["width"], num_hidden_layers=o["layers"], num_layers=o["layers"],
        num_attention_heads=o["heads"], ffn_dim=o["hidden"], **more,
    )  # fmt: skip
    model = getattr(hf, f"{kind}ForPrediction")(config)
    inputs = dict(past_values=torch.randn(2, o["context"], o["channels"]))
    return model, inputs, lambda model, given: model(**given).prediction_outputs


def sequences(kind, o, **more):
    lags, features = [1, 2, 3], 2
    config = getattr(hf, f"{kind}Config")(
        prediction_length=o["horizon"], context_length=12, lags_sequence=lags, num_time_features=features, d_model=o["width"],
        encoder_layers=o["layers"], decoder_layers=o["layers"], encoder_attention_heads=o["heads"],
        decoder_attention_heads=o["heads"], encoder_ffn_dim=o["hidden"], decoder_ffn_dim=o["hidden"], **more,
    )  # fmt: skip
    model = getattr(hf, f"{kind}Model")(config)
    rows = 12 + max(lags)
    inputs = dict(
        past_values=torch.randn(2, rows),
        past_time_features=torch.randn(2, rows, features),
        past_observed_mask=torch.ones(2, rows),
        future_values=torch.randn(2, o["horizon"]),
        future_time_features=torch.randn(2, o["horizon"], features),
    )
    return model, inputs, lambda model, given: model(**given).last_hidden_state


def timesfm(o, **more):
    config = hf.TimesFmConfig(
        patch_length=8, context_length=o["context"] // 8 * 8, horizon_length=16, freq_size=3, num_hidden_layers=o["layers"],
        hidden_size=o["width"], intermediate_size=o["hidden"], head_dim=o["width"] // o["heads"], num_attention_heads=o["heads"],
        **more,
    )  # fmt: skip
    model = hf.TimesFmModel(config)
    length = config.context_length
    inputs = dict(
        past_values=torch.randn(2, length),
        past_values_padding=torch.zeros(2, length, dtype=torch.int64),
        freq=torch.zeros(2, 1, dtype=torch.int64),
    )
    return model, inputs, lambda model, given: model(**given).last_hidden_state


def models(_checkout, configuration):
    o = configurations[configuration]
    second = configuration == "b"
    return {
        "PatchTST": lambda: patches("PatchTST", o, **(dict(norm_type="layernorm", scaling="mean") if second else {})),
        "PatchTSMixer": lambda: patches("PatchTSMixer", o, **(dict(mode="mix_channel", gated_attn=False) if second else {})),
        "TimeSeriesTransformer": lambda: sequences("TimeSeriesTransformer", o),
        "Informer": lambda: sequences("Informer", o, **(dict(attention_type="full", distil=False) if second else {})),
        "Autoformer": lambda: sequences("Autoformer", o, moving_average=o["kernel"]),
        "TimesFM": lambda: timesfm(o),
    }
