"""
Writes hugging-face.json beside this file (seen with transformers 5.18 and torch 2.13): configurations of PatchTST as
save_pretrained writes them, and what PatchTSTForPrediction forecasts with weights that the test makes by the same rule.
With a folder as argument it also saves each model there. Not needed to run the tests.
"""

import json
import sys
from pathlib import Path

import torch
from numbers_of import fill, numbers
from transformers import PatchTSTConfig, PatchTSTForPrediction

small = dict(
    num_input_channels=3, context_length=20, prediction_length=4, patch_length=6, patch_stride=4,
    d_model=8, num_attention_heads=2, ffn_dim=10, num_hidden_layers=2,
)
cases = {
    "norms before, batch": dict(),
    "norms after, layer": dict(pre_norm=False, norm_type="layernorm", pooling_type=None, scaling="mean", positional_encoding_type="random"),
    "norms after, batch": dict(pre_norm=False, pooling_type=None, scaling="mean", norm_eps=1e-3),
    "class token": dict(use_cls_token=True, activation_function="relu", bias=False, scaling=None, norm_type="layernorm"),
    "attention over the series": dict(channel_attention=True, pooling_type="max", scaling=True),
    "attention over the series, norms after": dict(channel_attention=True, pre_norm=False, norm_type="layernorm", pooling_type=None, norm_eps=1e-3),
    "embeddings of their own": dict(share_embedding=False, channel_attention=True, use_cls_token=True, positional_encoding_type="random"),
    "one of each": dict(
        num_input_channels=1, context_length=9, prediction_length=13, patch_length=5, patch_stride=7,
        num_attention_heads=1, num_hidden_layers=1, pooling_type=None, attention_dropout=0.1, ff_dropout=0.2, head_dropout=0.3,
    ),
}  # fmt: skip


results = []
for title, case in cases.items():
    config = PatchTSTConfig(**small | case)
    model = PatchTSTForPrediction(config).eval()
    fill(model, kept=("position_enc",) if config.positional_encoding_type == "sincos" else ())
    with torch.no_grad():
        x = 4 * numbers("x_enc", (2, config.context_length, config.num_input_channels)) + 1
        y = model(past_values=x).prediction_outputs
    config.architectures = ["PatchTSTForPrediction"]
    results.append(dict(title=title, config=json.loads(config.to_json_string()), y=[round(v, 6) for v in y.flatten().tolist()]))
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1]) / title.replace(" ", "-").replace(",", "")
        model.save_pretrained(folder)
        example = dict(inputs=dict(x_enc=dict(shape=list(x.shape), data=x.flatten().tolist())))
        example["outputs"] = dict(output=dict(shape=list(y.shape), data=y.flatten().tolist()))
        (folder / "example.json").write_text(json.dumps(example))
        torch.save(model.state_dict(), folder / "state.bin")

lines = ",\n".join("  " + json.dumps(result) for result in results)
(Path(__file__).parent / "hugging-face.json").write_text(f"[\n{lines}\n]\n")
