# SPDX-License-Identifier: Apache-2.0
"""Times a prior in diffusers' own loop: its PriorTransformer and a compiled one, on the same number of threads.
Needs: pip install torch diffusers

    PYTHONPATH=build/python python3 examples/python/time_prior.py models/karlo/prior
    PYTHONPATH=build/python python3 examples/python/time_prior.py --random      the default configuration with random weights

--random writes its weights to a temporary folder, 4 GB, and takes 12 GB of memory. One image under guidance: rows [unconditional,
conditional] of 2 and 12 tokens. A compiled prior samples three times: what it keeps of a sampling serves the next one.
"""
import argparse
import contextlib
import tempfile
import time

import torch
from diffusers import PriorTransformer, UnCLIPScheduler

import apriori_prior


@contextlib.contextmanager
def folder_of(arguments):
    if arguments.folder:
        yield arguments.folder
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        prior = PriorTransformer()
        with torch.no_grad():
            for name in ("positional_embedding", "prd_embedding", "clip_mean", "clip_std"):
                getattr(prior, name).normal_(std=0.1)  # zeros when diffusers makes them
        prior.save_pretrained(folder)
        del prior
        yield folder


def inputs(config, prompts=1):
    make = torch.Generator().manual_seed(prompts)
    mask = torch.zeros(2, config.num_embeddings, dtype=torch.bool)
    mask[0, :2] = mask[1, :12] = True
    return (torch.randn(1, config.embedding_dim, generator=make), dict(
        proj_embedding=torch.randn(2, config.embedding_proj_dim or config.embedding_dim, generator=make),
        encoder_hidden_states=torch.randn(2, config.num_embeddings, config.embedding_dim, generator=make), attention_mask=mask))


def sample(prior, steps, prompts=1):
    """The embedding that diffusers' loop samples."""
    scheduler = UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=5.0)
    scheduler.set_timesteps(steps)
    latents, prompts = inputs(prior.config, prompts)
    noise = torch.Generator().manual_seed(2)
    for i, t in enumerate(scheduler.timesteps):
        unconditional, conditional = prior(torch.cat([latents] * 2), timestep=t, **prompts).predicted_image_embedding.chunk(2)
        answer = unconditional + 4.0 * (conditional - unconditional)
        following = scheduler.timesteps[i + 1] if i + 1 < steps else None
        latents = scheduler.step(answer, timestep=t, sample=latents, prev_timestep=following, generator=noise).prev_sample
    return prior.post_process_latents(latents)


def timed(body, times):
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        out = body()
        seconds.append(time.perf_counter() - begin)
    return out, min(seconds)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="of a prior")
    parser.add_argument("--random", action="store_true", help="the default configuration with random weights")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=25)
    arguments = parser.parse_args()
    if bool(arguments.folder) == arguments.random:
        parser.error("a folder or --random is needed")
    torch.set_num_threads(arguments.threads)

    with folder_of(arguments) as folder:
        load = lambda **how: apriori_prior.load(folder, threads=arguments.threads, **how)
        print(f"{'':20} {'load':>8} {'forward':>9} {'sampling':>10} {'off by':>7} {'new prompts':>12} {'same prompts':>13}")
        want = None
        for name, make in {"torch": lambda: PriorTransformer.from_pretrained(folder).eval(), "apriori": load,
                           "apriori, all at once": lambda: load(incremental=False)}.items():
            prior, loaded = timed(make, 1)
            latents, prompts = inputs(prior.config)
            no_mask = prompts | dict(attention_mask=None)
            forward = timed(lambda: prior(torch.cat([latents] * 2), timestep=500, **no_mask), 3)[1]
            got, first = timed(lambda: sample(prior, arguments.steps), 1)
            want = got if want is None else want
            off = float((got - want).abs().max() / want.abs().max())
            print(f"{name:20} {loaded:6.2f} s {1000 * forward:6.0f} ms {first:8.2f} s {off:7.1e}", end="", flush=True)
            if name == "apriori":  # the others would take as long again
                for again in (2, 2):
                    print(f" {timed(lambda: sample(prior, arguments.steps, again), 1)[1]:11.2f} s", end="", flush=True)
            print(flush=True)
            del prior


if __name__ == "__main__":
    main()
