# SPDX-License-Identifier: Apache-2.0
"""The inputs of a work: the numbers of tests/reference/synthetic.py, the same for every contestant."""
import sys

import numpy as np

from works import ROOT

sys.path.insert(0, str(ROOT / "tests" / "reference"))
import synthetic  # noqa: E402


def inputs(model, name):
    """The arguments of PriorTransformer.forward for a work, as numpy arrays with diffusers' names."""
    c, work = model.config, model.works[name]
    rows, width, tokens = work.rows, c["embedding_dim"], c["num_embeddings"]
    draw = lambda what, *shape: synthetic.normal(f"{name}.{what}", (rows, *shape))
    made = {"hidden_states": draw("hidden_states", width) if model.masked else draw("hidden_states", tokens, width),
            "timestep": np.array([500], np.float32),
            "proj_embedding": draw("proj_embedding", c.get("embedding_proj_dim") or width)}
    if model.masked:
        made["encoder_hidden_states"] = draw("encoder_hidden_states", tokens, width)
        live = np.resize(np.array(work.live), rows)
        made["attention_mask"] = np.arange(tokens)[None] < live[:, None]
    return made
