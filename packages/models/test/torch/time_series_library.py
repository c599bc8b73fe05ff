"""
Writes time-series-library.json beside this file (seen with torch 2.13): what models of Time-Series-Library forecast with
calendar tables (embed: fixed or learned), with weights that the test makes by the same rule. Its argument is a checkout of
github.com/thuml/Time-Series-Library (seen at 4e938a1). Not needed to run the tests.
"""

import importlib
import json
import sys
import types
from pathlib import Path

import torch
from numbers_of import fill, numbers

sys.path.insert(0, sys.argv[1])
# Its Reformer needs the first, its plots the others.
sys.modules["reformer_pytorch"] = types.SimpleNamespace(LSHSelfAttention=None)
sys.modules["matplotlib"] = sys.modules["matplotlib.pyplot"] = types.ModuleType("matplotlib")

small = dict(
    task_name="long_term_forecast", seq_len=10, label_len=4, pred_len=3, enc_in=2, dec_in=2, c_out=2, d_model=6, n_heads=2,
    e_layers=1, d_layers=1, d_ff=5, factor=100, dropout=0.0, activation="gelu", moving_avg=3, distil=False,
    p_hidden_dims=[4], p_hidden_layers=1, output_attention=False,
)  # fmt: skip
cases = [
    ("Transformer", "fixed", "h"),
    ("Transformer", "learned", "t"),
    ("Informer", "learned", "h"),
    ("Autoformer", "fixed", "t"),
    ("NonstationaryTransformer", "learned", "h"),
]
modules = {"NonstationaryTransformer": "Nonstationary_Transformer"}


def calendar(name, rows, freq):
    """Month, day, weekday, hour and, for minutes, quarter."""
    sizes = [(12, 1), (31, 1), (7, 0), (24, 0), (4, 0)][: 5 if freq == "t" else 4]
    share = numbers(name, (2, rows, len(sizes))) + 0.5
    return torch.stack([(share[..., i] * n).floor() + start for i, (n, start) in enumerate(sizes)], -1)


results = []
for name, embed, freq in cases:
    config = small | dict(embed=embed, freq=freq) | (dict(factor=1) if name == "Autoformer" else {})
    model = importlib.import_module(f"models.{modules.get(name, name)}").Model(types.SimpleNamespace(**config)).eval()
    fill(model, kept=(".pe", ".emb.weight"))
    rows = config["label_len"] + config["pred_len"]
    x = 2 * numbers("x_enc", (2, config["seq_len"], config["enc_in"]))
    start = torch.cat([x[:, -config["label_len"] :], torch.zeros(2, config["pred_len"], config["enc_in"])], 1)
    marks = [calendar(mark, n, freq) for mark, n in (("x_mark_enc", config["seq_len"]), ("x_mark_dec", rows))]
    with torch.no_grad():
        y = model(x, marks[0], start, marks[1])
    y = [round(v, 6) for v in y.flatten().tolist()]
    shapes = {key: list(tensor.shape) for key, tensor in model.state_dict().items() if "temporal_embedding" in key}
    results.append(dict(model=name, config=config, calendar=shapes, y=y))

lines = ",\n".join("  " + json.dumps(result) for result in results)
(Path(__file__).parent / "time-series-library.json").write_text(f"[\n{lines}\n]\n")
