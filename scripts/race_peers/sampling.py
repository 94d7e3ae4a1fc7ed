# SPDX-License-Identifier: Apache-2.0
"""Guided sampling with a contestant's forward and diffusers' UnCLIPScheduler, as in diffusers' own pipelines."""
import diffusers.schedulers.scheduling_unclip as unclip
import numpy as np
import torch
from diffusers import UnCLIPScheduler

from inputs import inputs, synthetic
from works import GUIDANCE, STEPS


class Sampling:
    def __init__(self, peer, model):
        self.peer, self.model = peer, model
        self.scheduler = UnCLIPScheduler(variance_type="fixed_small_log", clip_sample=True, clip_sample_range=5.0,
                                         prediction_type="sample")
        self.scheduler.set_timesteps(STEPS)
        self.timesteps = list(self.scheduler.timesteps)

    def prompts(self, name):
        """The work's prompts, unconditional first, and the latents of its first image."""
        made = inputs(self.model, name)
        return {k: torch.from_numpy(made[k]) for k in ("proj_embedding", "encoder_hidden_states", "attention_mask")}, \
            torch.from_numpy(made["hidden_states"][:1])

    def steps(self, prompts):
        """A function (latents, step) that predicts [unconditional, conditional] for the latents."""
        if hasattr(self.peer, "conditioned"):
            return self.peer.conditioned(prompts, torch.stack(self.timesteps))
        return lambda latents, step: self.peer.forward(
            {"hidden_states": torch.cat([latents, latents]), "timestep": self.timesteps[step], **prompts})

    @torch.inference_mode()
    def sample(self, prompts, latents, generator=None, trace=None):
        predict = self.steps(prompts)
        for i, t in enumerate(self.timesteps):
            u, c = predict(latents, i).chunk(2)
            before = self.timesteps[i + 1] if i + 1 < len(self.timesteps) else None
            latents = self.scheduler.step(u + GUIDANCE * (c - u), t, latents, prev_timestep=before,
                                          generator=generator).prev_sample
            if trace is not None: trace.append(latents.numpy().copy())
        return self.peer.prior.post_process_latents(latents)

    def run(self, name):
        prompts, latents = self.prompts(name)
        generator = torch.Generator().manual_seed(0)
        return lambda: self.sample(prompts, latents, generator)

    def case(self, name):
        """The sampling as tests/reference/generate.py records it, including its noise."""
        prompts, latents = self.prompts(name)
        noise = synthetic.normal(f"{name}.noise", (STEPS, *latents.shape))
        trace = []
        original, unclip.randn_tensor = unclip.randn_tensor, lambda *a, **k: torch.from_numpy(noise[len(trace)])
        try:
            embedding = self.sample(prompts, latents, trace=trace)
        finally:
            unclip.randn_tensor = original
        kept = {f"sample.in.{k}": v.numpy().astype(np.uint8 if v.dtype == torch.bool else np.float32)
                for k, v in prompts.items()}
        return kept | {"sample.in.latents": latents.numpy(), "sample.in.noise": noise,
                       "sample.in.guidance_scale": np.array([GUIDANCE], np.float32),
                       "sample.timesteps": torch.stack(self.timesteps).numpy().astype(np.int64),
                       "sample.out.trace": np.stack(trace), "sample.out.image_embedding": embedding.numpy()}
