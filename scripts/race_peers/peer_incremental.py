# SPDX-License-Identifier: Apache-2.0
"""Our algorithm in torch: tests/reference/incremental.py, with the rows of both prompts in one pass over the
weights."""
import torch
import torch.nn.functional as F
from diffusers import PriorTransformer

import inputs  # noqa: F401, finds tests/reference
from incremental import Prior


class Incremental(Prior):
    def __init__(self, folder, model, threads):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.prior = PriorTransformer.from_pretrained(folder / "diffusers").eval()
        super().__init__(model.config, self.prior.state_dict())
        self.settings = [f"set_num_threads({threads})", "set_flush_denormal(True)", "inference_mode", "float32",
                         "the rows of both prompts in one pass", "scaled_dot_product_attention"]

    def blocks(self, x, layer, groups, attend, last=None):
        """x [rows, D] through one block. attend(group, q, k, v) -> [H, rows, D/H] for each group, a slice of the rows.
        The last layer computes `last`: no row ("kv"), or the last row of each group. Returns the rows, k and v."""
        b = f"transformer_blocks.{layer}."
        n = self.norm(x, b + "norm1")
        k, v = (self.heads(self.linear(n, b + "attn1.to_" + name)) for name in "kv")
        if last == "kv": return None, k, v
        kept = [slice(g.stop - 1, g.stop) for g in groups] if last == "answer" else groups
        q = self.heads(self.linear(torch.cat([n[s] for s in kept]), b + "attn1.to_q"))
        x, sizes = torch.cat([x[s] for s in kept]), [s.stop - s.start for s in kept]
        o = torch.cat([attend(i, part, k[:, g], v[:, g]) for i, (g, part) in enumerate(zip(groups, q.split(sizes, 1)))], 1)
        x = x + self.linear(o.transpose(0, 1).reshape(-1, self.D), b + "attn1.to_out.0")
        h = F.gelu(self.linear(self.norm(x, b + "norm3"), b + "ff.net.0.proj"))
        return x + self.linear(h, b + "ff.net.2"), k, v

    def conditioned(self, prompts, timesteps):
        """Computes prefixes, then the time rows of all steps, of both prompts; returns (latents, step) -> [2, d]."""
        n, rows, positions = self.c["num_embeddings"], [], []
        for text, mask, pooled in zip(*(prompts[k] for k in ("encoder_hidden_states", "attention_mask", "proj_embedding"))):
            kept = torch.nonzero(mask)[:, 0]
            rows += [self.linear(text[kept], "encoder_hidden_states_proj"), self.linear(pooled[None], "embedding_proj")]
            positions += [kept, torch.tensor([n])]
        x = self.embed(torch.cat(rows), torch.cat(positions))
        first = len(positions[0]) + 1
        groups = [slice(0, first), slice(first, len(x))]
        steps = len(timesteps)
        t = self.embed(self.time(timesteps), torch.full((steps,), n + 1)).repeat(2, 1)
        times = [slice(0, steps), slice(steps, 2 * steps)]
        cache = []
        for l in range(self.L):
            last = "kv" if l + 1 == self.L else None
            x, k, v = self.blocks(x, l, groups, lambda _, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), last)
            prefix = [(k[:, g], v[:, g]) for g in groups]
            t, k, v = self.blocks(t, l, times, lambda i, q, k, v: self.alone(prefix[i], q, k, v), last)
            cache.append([(past, (k[:, g], v[:, g])) for past, g in zip(prefix, times)])
        return lambda latents, step: self.predict(latents, cache, step)

    def alone(self, past, q, k, v):
        """Each row attends to the prefix and to itself."""
        rows = q.shape[1]
        mask = torch.cat([torch.ones(rows, past[0].shape[1], dtype=torch.bool), torch.eye(rows, dtype=torch.bool)], 1)
        return F.scaled_dot_product_attention(q, torch.cat([past[0], k], 1), torch.cat([past[1], v], 1), attn_mask=mask)

    def predict(self, latents, cache, step):
        """One guided step: the rows x_t and prd of both prompts."""
        n = self.c["num_embeddings"]
        x = torch.cat([self.linear(latents, "proj_in"), self.w["prd_embedding"][0]])
        x = self.embed(x, torch.tensor([n + 2, n + 3])).repeat(2, 1)
        for l, pasts in enumerate(cache):
            def attend(i, q, k, v):
                prefix, time = pasts[i]
                k, v = (torch.cat([prefix[j], time[j][:, step:step + 1], own], 1) for j, own in enumerate((k, v)))
                rows, keys = q.shape[1], k.shape[1]
                mask = torch.ones(rows, keys, dtype=torch.bool).tril(keys - rows)
                return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x, _, _ = self.blocks(x, l, [slice(0, 2), slice(2, 4)], attend, "answer" if l + 1 == self.L else None)
        return self.linear(self.norm(x, "norm_out"), "proj_to_clip_embeddings")
