# SPDX-License-Identifier: Apache-2.0
"""Runs diffusers' pipelines twice, with its PriorTransformer and with apriori's in its place, and compares embeddings
and times. Needs: pip install torch diffusers transformers; and a build with -DAPRIORI_PYTHON_COMPARE=ON.

    PYTHONPATH=build/python python3 examples/python/compare.py

The models are the tiny ones of tests/reference/pipelines, so the times only show the cost of a call. Both priors
compute with one thread. Exits 1 if an embedding differs from diffusers' by more than the tolerance, or if the interface
is not as promised.
"""
import inspect
import pathlib
import sys
import tempfile
import time
import warnings

import torch
from diffusers import (DDPMScheduler, HeunDiscreteScheduler, KandinskyPriorPipeline, KandinskyV22PriorEmb2EmbPipeline,
                       KandinskyV22PriorPipeline, PriorTransformer, ShapEPipeline, StableUnCLIPPipeline, UnCLIPPipeline,
                       UnCLIPScheduler)
from diffusers.models.transformers.prior_transformer import PriorTransformerOutput
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionModelWithProjection
from transformers.utils import logging as transformers_logging

import tiny_prior
import tiny_shap_e_prior

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/reference/pipelines"
# of the largest number of the embeddings. Guidance and steps enlarge rounding: if each weight of ShapEPipeline's prior
# is changed by half of its last bit, torch differs from itself by 5e-5
TOLERANCE = 2e-4
SEVEN, TWO = "a bold handwritten seven leaning left", "a handwritten two"

warnings.filterwarnings("ignore")
for library in (diffusers_logging, transformers_logging):
    library.set_verbosity_error()
    library.disable_progress_bar()
torch.set_num_threads(1)
tokenizer = CLIPTokenizer.from_pretrained(ROOT / "examples/digits/digits-unclip/tokenizer")
text_encoder = CLIPTextModelWithProjection.from_pretrained(MODELS / "text_encoder").eval()


class Done(Exception):
    """Raised when the image embeddings are ready; the rest of the pipeline does not concern the prior."""


class TextProjection(torch.nn.Module):
    """Takes the place of the module to which UnCLIPPipeline passes the image embeddings."""

    device, dtype = torch.device("cpu"), torch.float32

    def forward(self, image_embeddings, **_):
        raise Done(image_embeddings)


def bare(pipeline, **modules):
    """A pipeline without the modules that are never reached; the prior is set later."""
    names = [name for name in inspect.signature(pipeline.__init__).parameters if name != "self"]
    pipe = pipeline(**{name: modules.get(name) for name in names})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def until_done(pipe, **arguments):
    try:
        pipe(**arguments)
    except Done as done:
        return done.args
    raise RuntimeError("the pipeline did not hand its embeddings over")


def stable_unclip():
    pipe = bare(StableUnCLIPPipeline, prior_tokenizer=tokenizer, prior_text_encoder=text_encoder,
                prior_scheduler=DDPMScheduler.from_config(UnCLIPScheduler.from_pretrained(MODELS / "prior_scheduler").config),
                image_normalizer=StableUnCLIPImageNormalizer.from_pretrained(MODELS / "image_normalizer"),
                image_noising_scheduler=DDPMScheduler.from_pretrained(MODELS / "image_noising_scheduler"))
    pipe.vae_scale_factor = 8
    pipe.encode_prompt = lambda **_: (torch.zeros(1), torch.zeros(1))

    def hand_over(image_embeds, **_):
        raise Done(image_embeds)

    pipe.noise_image_embeddings = hand_over
    return pipe


def kandinsky(pipeline):
    return bare(pipeline, tokenizer=tokenizer, text_encoder=text_encoder,
                image_encoder=CLIPVisionModelWithProjection.from_pretrained(MODELS / "image_encoder").eval(),
                scheduler=UnCLIPScheduler.from_pretrained(MODELS / "prior_scheduler"))


def pipelines():
    """(name, pipeline, package, folder of the prior, call); the call returns the embeddings."""
    tiny, shap_e = (tiny_prior, "prior"), (tiny_shap_e_prior, "shap_e_prior")
    prompts = dict(prompt=[SEVEN, TWO], num_images_per_prompt=2)
    both = lambda out: (out.image_embeds, out.negative_image_embeds)
    pipe = bare(UnCLIPPipeline, tokenizer=tokenizer, text_encoder=text_encoder, text_proj=TextProjection(),
                prior_scheduler=UnCLIPScheduler.from_pretrained(MODELS / "prior_scheduler"))
    yield "UnCLIPPipeline", pipe, *tiny, lambda p, g: until_done(p, **prompts, prior_num_inference_steps=25,
                                                                 decoder_guidance_scale=1.0, generator=g)
    yield "StableUnCLIPPipeline", stable_unclip(), *tiny, lambda p, g: until_done(p, **prompts, height=8, width=8, generator=g,
                                                                                  prior_num_inference_steps=25)
    yield "KandinskyPriorPipeline", kandinsky(KandinskyPriorPipeline), *tiny, lambda p, g: both(p(**prompts, generator=g))
    pipe = kandinsky(KandinskyV22PriorPipeline)
    yield "KandinskyV22PriorPipeline", pipe, *tiny, lambda p, g: both(p(**prompts, negative_prompt=["bold", ""], generator=g))
    yield "... .interpolate", pipe, *tiny, lambda p, g: both(p.interpolate([SEVEN, TWO], [0.7, 0.3], generator=g))
    yield "... without guidance", pipe, *tiny, lambda p, g: both(p(**prompts, guidance_scale=1.0, generator=g))
    image = torch.randn(2, 12, generator=torch.Generator().manual_seed(1))
    yield ("KandinskyV22PriorEmb2EmbPipeline", kandinsky(KandinskyV22PriorEmb2EmbPipeline), *tiny,
           lambda p, g: both(p(image=image, **prompts, generator=g)))
    pipe = bare(ShapEPipeline, text_encoder=text_encoder, tokenizer=tokenizer,
                scheduler=HeunDiscreteScheduler.from_pretrained(MODELS / "shap_e_scheduler"))
    yield "ShapEPipeline", pipe, *shap_e, lambda p, g: (p(**prompts, output_type="latent", generator=g).images,)


def timed(call, pipe):
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        out = call(pipe, torch.Generator().manual_seed(7))
        seconds.append(time.perf_counter() - begin)
    return out, min(seconds)


def compare():
    """Prints the rows of the table; returns how many are wrong."""
    wrong = 0
    print(f"{'pipeline':34} {'off by':>8} {'torch':>9} {'apriori':>9}")
    for name, pipe, package, folder, call in pipelines():
        pipe.prior = PriorTransformer.from_pretrained(MODELS / folder).eval()
        want, torch_seconds = timed(call, pipe)
        pipe.prior = package.load(MODELS / folder, threads=1)
        got, seconds = timed(call, pipe)
        off = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(got, want))
        right = off < TOLERANCE and all(a.dtype == b.dtype and a.shape == b.shape for a, b in zip(got, want))
        wrong += not right
        print(f"{name:34} {off:8.1e} {1000 * torch_seconds:6.1f} ms {1000 * seconds:6.1f} ms{'' if right else '  WRONG'}")
    return wrong


def interface():
    """Checks what diffusers and its users do with a prior besides sampling; returns the names of failed checks."""
    failed = []

    def expect(what, holds):
        print(f"{'ok    ' if holds else 'FAILED'} {what}")
        if not holds:
            failed.append(what)

    def refused(what, error, text, body):
        try:
            body()
        except error as e:
            expect(f"refused: {what} ({str(e)[-90:]})", text in str(e))
        else:
            expect(f"refused: {what}", False)

    theirs, prior = PriorTransformer.from_pretrained(MODELS / "prior").eval(), tiny_prior.load(MODELS / "prior", threads=1)
    expect("the config is diffusers'", dict(prior.config) == {k: v for k, v in theirs.config.items() if not k.startswith("_")})
    expect("device and type are diffusers'", prior.device == theirs.device and prior.dtype == theirs.dtype)
    expect("arguments are diffusers'", list(inspect.signature(prior.forward).parameters) ==
           list(inspect.signature(theirs.forward).parameters))
    x = dict(hidden_states=torch.randn(2, 12), timestep=torch.tensor(17), proj_embedding=torch.randn(2, 12),
             encoder_hidden_states=torch.randn(2, 16, 12), attention_mask=torch.ones(2, 16, dtype=torch.bool))
    near = lambda got, want: got.shape == want.shape and bool((got - want).abs().max() < TOLERANCE * want.abs().max())
    with torch.no_grad():
        for what, other in {
            "an integer": dict(timestep=3), "a fraction": dict(timestep=3.7), "a timestep for each row": dict(timestep=torch.tensor([3, 900])),
            "timesteps with fractions": dict(timestep=torch.tensor([2.5])), "no mask": dict(attention_mask=None),
            "a mask of integers": dict(attention_mask=torch.ones(2, 16, dtype=torch.int64)),
            "a tensor that is not contiguous": dict(hidden_states=torch.randn(12, 2).T),
            "a token axis": dict(hidden_states=torch.randn(2, 1, 12)),
        }.items():
            answer = prior(**(x | other))
            expect(f"forward with {what}", type(answer) is PriorTransformerOutput and
                   near(answer.predicted_image_embedding, theirs(**(x | other)).predicted_image_embedding))
        expect("a tuple", near(prior(**x, return_dict=False)[0], theirs(**x, return_dict=False)[0]))
        expect("post_process_latents", near(prior.post_process_latents(x["hidden_states"]), theirs.post_process_latents(x["hidden_states"])))
        expect("a contiguous tensor is not copied", tiny_prior._given("x", x["hidden_states"]).data_ptr() == x["hidden_states"].data_ptr())
        weight = torch.nn.Parameter(x["hidden_states"])
        expect("a parameter under no_grad", near(prior(**(x | dict(hidden_states=weight)))[0], theirs(**x)[0]))
    refused("a gradient", ValueError, "torch.no_grad()", lambda: prior(**(x | dict(hidden_states=weight))))
    refused("half precision", TypeError, "is float16; allowed: float32", lambda: prior(**(x | dict(proj_embedding=x["proj_embedding"].half()))))
    refused("bfloat16", TypeError, "is bfloat16", lambda: prior(**(x | dict(hidden_states=x["hidden_states"].bfloat16()))))
    refused("another device", ValueError, "is on meta; allowed: cpu", lambda: prior(**(x | dict(hidden_states=x["hidden_states"].to("meta")))))

    # A pipeline's folder loaded without its prior, so that the prior is not loaded twice.
    with tempfile.TemporaryDirectory() as folder:
        pipe = kandinsky(KandinskyV22PriorPipeline)
        pipe.register_modules(prior=theirs)
        pipe.save_pretrained(folder)
        pipe = KandinskyV22PriorPipeline.from_pretrained(folder, prior=None, image_processor=None)
        expect("from_pretrained(prior=None) loads none", pipe.prior is None)
        pipe.prior = prior
        pipe.to("cpu").set_progress_bar_config(disable=True)
        expect("a pipeline from its folder", pipe(SEVEN, num_inference_steps=2).image_embeds.shape == (1, 12))
        refused("from_pretrained(prior=...)", ValueError, "should be", lambda: KandinskyV22PriorPipeline.from_pretrained(
            folder, prior=prior, image_processor=None))
        expect("pipe.components", pipe.components["prior"] is prior)
    return failed


if __name__ == "__main__":
    failed = interface()
    print()
    wrong = compare()
    print(f"{len(failed)} of the interface fail, {wrong} pipelines are wrong" if failed or wrong else "all as diffusers has it")
    sys.exit(1 if failed or wrong else 0)
