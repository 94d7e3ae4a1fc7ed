"""Runs an ECLIPSE prior, one forward and words to embeddings, on a tiny model and records it under eclipse/.
Needs: pip install torch diffusers transformers numpy safetensors, and pipelines/text_encoder of generate_pipelines.py

    python generate_eclipse.py

ECLIPSE (Patel et al. 2023, github.com/eclipse-t2i/eclipse-inference) is no part of diffusers: its PriorTransformer is diffusers'
without the time token, and so with one of additional_embeddings less; its pipelines give it noise once, with neither guidance
nor clip_mean and clip_std behind it. Both are built here from diffusers' parts.
    config.json                         with the fields of ECLIPSE's class; the weights are synthetic.py's
    cases.safetensors                   forwards, as in cases/
    calls.json, recorded.safetensors    words and seeds, and their embeddings, as in pipelines/
"""
import json, pathlib
import numpy as np, torch
from diffusers import PriorTransformer
from safetensors.numpy import save_file
from transformers import CLIPTextModelWithProjection, CLIPTokenizer
import synthetic

torch.set_grad_enabled(False)
HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "eclipse"
FOLDER.mkdir(exist_ok=True)
CONFIG = dict(num_attention_heads=2, attention_head_dim=8, num_layers=2, embedding_dim=12, num_embeddings=16, additional_embeddings=3,
              dropout=0.0, norm_in_type=None, embedding_proj_norm_type=None, encoder_hid_proj_type="linear", added_emb_type="prd",
              embedding_proj_dim=None, clip_embed_dim=None)
WIDTH, TOKENS = CONFIG["embedding_dim"], CONFIG["num_embeddings"]

prior = PriorTransformer(**CONFIG).eval()
del prior.time_proj, prior.time_embedding
synthetic.fill(prior)


def forward(hidden_states, proj_embedding, encoder_hidden_states, attention_mask=None):
    rows = torch.cat([prior.encoder_hidden_states_proj(encoder_hidden_states), prior.embedding_proj(proj_embedding)[:, None],
                      prior.proj_in(hidden_states)[:, None], prior.prd_embedding.expand(len(hidden_states), -1, -1)], 1)
    rows = rows + prior.positional_embedding
    if attention_mask is not None:
        seen = torch.nn.functional.pad((1 - attention_mask.float()) * -10000.0, (0, CONFIG["additional_embeddings"]))
        attention_mask = (seen[:, None] + prior.causal_attention_mask).repeat_interleave(CONFIG["num_attention_heads"], 0)
    for block in prior.transformer_blocks:
        rows = block(rows, attention_mask=attention_mask)
    return prior.proj_to_clip_embeddings(prior.norm_out(rows)[:, -1])


tokenizer = CLIPTokenizer.from_pretrained(HERE.parents[1] / "examples/digits/digits-unclip/tokenizer")
text_encoder = CLIPTextModelWithProjection.from_pretrained(HERE / "pipelines/text_encoder").eval()


def pipeline(texts, num_images_per_prompt, generator):
    tokens = tokenizer(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    text = text_encoder(tokens.input_ids)  # padding is seen by the text encoder, and masked for the prior
    each = lambda t: t.repeat_interleave(num_images_per_prompt, 0)
    noise = torch.randn((len(texts) * num_images_per_prompt, text.text_embeds.shape[-1]), generator=generator)
    return forward(noise, each(text.text_embeds), each(text.last_hidden_state), each(tokens.attention_mask))


ragged = [[1] * 4 + [0] * 12, [1] * 16, [1, 0] * 8]
out = {}
for name, rows, mask in (("no_mask", 2, None), ("mask_ones", 1, [[1] * TOKENS]), ("mask_ragged", 3, ragged),
                         ("mask_none_left", 1, [[0] * TOKENS])):
    x = {k: synthetic.normal(f"{name}.{k}", (rows, WIDTH)) for k in ("hidden_states", "proj_embedding")}
    x["encoder_hidden_states"] = synthetic.normal(f"{name}.encoder_hidden_states", (rows, TOKENS, WIDTH))
    if mask is not None:
        x["attention_mask"] = np.asarray(mask, np.uint8)
    y = forward(**{k: torch.from_numpy(v) for k, v in x.items()}).numpy()
    out |= {f"{name}.in.{k}": v for k, v in x.items()} | {f"{name}.out.predicted_image_embedding": np.ascontiguousarray(y)}
save_file(out, FOLDER / "cases.safetensors")
(FOLDER / "config.json").write_text(json.dumps({"_class_name": "PriorTransformer"} | CONFIG, indent=2) + "\n")

# negative prompts are further texts of a call: ECLIPSE appends them, and the second half of the answers is theirs
SEVEN, TWO = "a bold handwritten seven leaning left", "a handwritten two"
CALLS = {"one": dict(prompt=[SEVEN]), "batch": dict(prompt=[SEVEN, TWO], num_images_per_prompt=3),
         "negative": dict(prompt=[SEVEN, TWO, "bold", ""])}
recorded = {}
for seed, (name, call) in enumerate(CALLS.items()):
    generator = torch.Generator().manual_seed(seed)
    made = pipeline(call["prompt"], call.get("num_images_per_prompt", 1), generator)
    recorded[f"{name}.image_embeds"] = np.ascontiguousarray(made.numpy())
    recorded[f"{name}.next"] = torch.randn(16, generator=generator).numpy()  # where the generator stands afterwards
    call["seed"] = seed
    print(name, made.shape, float(made.abs().max()))
save_file(recorded, FOLDER / "recorded.safetensors")
(FOLDER / "calls.json").write_text("{\n" + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in CALLS.items()) + "\n}\n")
