"""Writes cases/digits_sample.safetensors: what diffusers samples from examples/digits, so that a seed can be compared.
Needs: pip install torch diffusers safetensors

The embeddings [prompts x samples, dim] of PROMPTS, one after the other with one generator, drawn as sample.py does.
"""
import pathlib
import torch
from diffusers import PriorTransformer, UnCLIPScheduler
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
HERE = pathlib.Path(__file__).parent
MODEL = HERE.parent.parent / "examples" / "digits" / "digits-unclip"
PROMPTS = ["a handwritten three", "a wide handwritten zero", "seven"]
SAMPLES, STEPS, GUIDANCE, SEED = 3, 12, 2.5, 42

prior = PriorTransformer.from_pretrained(MODEL / "prior").eval()
conditions = load_file(MODEL / "conditions.safetensors")


def condition(name):
    parts = (conditions[f"{name}.{k}"] for k in ("text_embeds", "last_hidden_state", "attention_mask"))
    return [p.expand(SAMPLES, *p.shape) for p in parts]


g = torch.Generator().manual_seed(SEED)
out = []
for prompt in PROMPTS:
    (pe, he, me), (pu, hu, mu) = condition(prompt), condition("unconditional")
    s = UnCLIPScheduler.from_pretrained(MODEL / "scheduler")
    s.set_timesteps(STEPS)
    x = torch.randn(SAMPLES, prior.config.embedding_dim, generator=g)
    for i, t in enumerate(s.timesteps):
        y = prior(torch.cat([x, x]), t, torch.cat([pu, pe]), torch.cat([hu, he]), torch.cat([mu, me]).bool()).predicted_image_embedding
        u, c = y.chunk(2)
        prev = s.timesteps[i + 1] if i + 1 < len(s.timesteps) else None
        x = s.step(u + GUIDANCE * (c - u), t, x, prev_timestep=prev, generator=g).prev_sample
    out.append(prior.post_process_latents(x))
save_file({"image_embeds": torch.cat(out)}, HERE / "cases" / "digits_sample.safetensors")
