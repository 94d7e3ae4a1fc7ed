"""Writes the cases of CLIP's encoders under clip/ with the real transformers models. Needs: pip install torch transformers numpy safetensors

    python generate_clip.py [NAME...]      all cases, or those of these names

Each case is a folder clip/<name>/ with
    config.json            as save_pretrained writes it
    model.safetensors      float32 weights under transformers' own names (absent for the wide ones: synthetic.py makes them)
    cases.safetensors      <case>.in.<argument> and <case>.out.<field>; ids int32, masks uint8, the rest float32
Wide cases have one layer of a published model's width, full ones are published models; both have of last_hidden_state the
first and the last token alone.
"""
import pathlib, sys
import numpy as np, torch
from safetensors.numpy import save_file
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModel,
                          CLIPVisionModelWithProjection)
import synthetic

torch.set_grad_enabled(False)
HERE = pathlib.Path(__file__).parent / "clip"

TEXT = dict(vocab_size=100, hidden_size=16, intermediate_size=40, projection_dim=12, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=9, bos_token_id=98, eos_token_id=99, pad_token_id=99)
VISION = dict(hidden_size=16, intermediate_size=40, projection_dim=12, num_hidden_layers=2, num_attention_heads=2,
              image_size=14, patch_size=4)  # two rows and columns of pixels that no patch holds
CASES = {
    "text_quick_gelu": (CLIPTextModelWithProjection, dict(TEXT)),
    "text_gelu": (CLIPTextModelWithProjection, dict(TEXT, hidden_act="gelu", layer_norm_eps=1e-3, num_attention_heads=4)),
    "text_no_projection": (CLIPTextModel, dict(TEXT)),
    "text_largest_id": (CLIPTextModelWithProjection, dict(TEXT, eos_token_id=2)),
    "text_odd": (CLIPTextModelWithProjection, dict(TEXT, hidden_size=21, num_attention_heads=3, intermediate_size=19, projection_dim=5)),
    "text_vit_l_14_wide": (CLIPTextModelWithProjection, dict(vocab_size=1000, hidden_size=768, intermediate_size=3072, projection_dim=768,
                           num_hidden_layers=1, num_attention_heads=12, bos_token_id=998, eos_token_id=999)),
    "text_vit_big_g_14_wide": (CLIPTextModelWithProjection, dict(vocab_size=1000, hidden_size=1280, intermediate_size=5120, projection_dim=1280,
                               num_hidden_layers=1, num_attention_heads=20, hidden_act="gelu", bos_token_id=998, eos_token_id=999)),
    "vision_quick_gelu": (CLIPVisionModelWithProjection, dict(VISION)),
    "vision_gelu": (CLIPVisionModelWithProjection, dict(VISION, hidden_act="gelu", patch_size=7, num_channels=1)),
    "vision_no_projection": (CLIPVisionModel, dict(VISION)),
    "vision_vit_l_14_wide": (CLIPVisionModelWithProjection, dict(hidden_size=1024, intermediate_size=4096, projection_dim=768,
                             num_hidden_layers=1, num_attention_heads=16, image_size=56, patch_size=14)),
    "vision_vit_big_g_14_wide": (CLIPVisionModelWithProjection, dict(hidden_size=1664, intermediate_size=8192, projection_dim=1280,
                                 num_hidden_layers=1, num_attention_heads=16, image_size=56, patch_size=14, hidden_act="gelu")),
    "text_vit_l_14_full": (CLIPTextModelWithProjection, dict(hidden_size=768, intermediate_size=3072, projection_dim=768, num_attention_heads=12)),
    "text_vit_big_g_14_full": (CLIPTextModelWithProjection, dict(hidden_size=1280, intermediate_size=5120, projection_dim=1280,
                               num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu")),
    "vision_vit_l_14_full": (CLIPVisionModelWithProjection, dict(hidden_size=1024, intermediate_size=4096, projection_dim=768,
                             num_hidden_layers=24, num_attention_heads=16, patch_size=14)),
}


def text_inputs(c, rng):
    n, v, bos = c.max_position_embeddings, c.vocab_size, c.bos_token_id
    end = c.eos_token_id if c.eos_token_id != 2 else c.pad_token_id
    pad = c.pad_token_id if c.pad_token_id < v else end

    def rows(tokens, lengths):
        ids = np.full((len(lengths), tokens), pad, np.int32)
        for row, length in zip(ids, lengths):
            row[:length] = rng.integers(3, v - 2, length)
            row[0], row[length - 1] = bos, end
        return ids

    padded = rows(n, [n, 4, 2])
    mask = (np.arange(n)[None] < np.array([[n], [4], [2]])).astype(np.uint8)
    cases = {"padded": dict(input_ids=padded), "masked": dict(input_ids=padded, attention_mask=mask),
             "short": dict(input_ids=rows(5, [5, 3]))}
    if v < 1000:
        twice = padded.copy()
        twice[0, 3] = end  # the first end mark counts
        none = rng.integers(3, v - 2, (2, n)).astype(np.int32)  # no end mark: the first token, or the largest id
        hole = mask.copy()
        hole[0, 2] = 0
        cases |= {"twice": dict(input_ids=twice), "no_end": dict(input_ids=none), "hole": dict(input_ids=padded, attention_mask=hole)}
    else:
        cases = {"padded": dict(input_ids=padded[:2]), "masked": dict(input_ids=padded[1:2], attention_mask=mask[1:2])}
    return cases


def vision_inputs(c, name):
    shape = (c.num_channels, c.image_size, c.image_size)
    if c.image_size > 100:  # the image is not in the file: any program can make it
        return {"images": dict(pixel_values=synthetic.normal(f"{name}.pixel_values", (1, *shape)))}
    return {"zero": dict(pixel_values=np.zeros((1, *shape), np.float32)),
            "images": dict(pixel_values=synthetic.normal(f"{name}.pixel_values", (3 if c.hidden_size < 100 else 1, *shape)))}


for name in sys.argv[1:] or CASES:
    model_class, settings = CASES[name]
    text = "Text" in model_class.__name__
    config = (CLIPTextConfig if text else CLIPVisionConfig)(**settings)
    wide = config.hidden_size >= 100
    model = model_class(config).eval()
    rng = np.random.default_rng(len(name))
    for key, p in model.named_parameters():
        p.copy_(torch.from_numpy(synthetic.tensor(key, tuple(p.shape))))
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    if wide:  # several files where they are large
        for file in folder.glob("model*.safetensors*"):
            file.unlink()
    out = {}
    for case, x in (text_inputs(config, rng) if text else vision_inputs(config, name)).items():
        arguments = {k: torch.from_numpy(v) for k, v in x.items()}
        y = model(**{k: v.long() if v.dtype != torch.float32 else v for k, v in arguments.items()})
        hidden = y.last_hidden_state.numpy()
        if wide:
            hidden = np.ascontiguousarray(hidden[:, [0, -1]])
        pooled = y.pooler_output if "Projection" not in model_class.__name__ else y.text_embeds if text else y.image_embeds
        out |= {f"{case}.in.{k}": v for k, v in x.items() if v.size < 100_000}
        out |= {f"{case}.out.last_hidden_state": hidden, f"{case}.out.embeds": np.ascontiguousarray(pooled.numpy())}
    save_file(out, folder / "cases.safetensors")
    print(name, {k: v.shape for k, v in out.items() if ".out." in k}, sum(p.numel() for p in model.parameters()))
