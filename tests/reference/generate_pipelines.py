"""Runs diffusers' own pipelines, as far as their priors go, on tiny models and records them under pipelines/. Needs: pip install torch diffusers transformers numpy safetensors

    python generate_pipelines.py

The folder of models, weights by synthetic.py, words by the tokenizer of examples/digits:
    text_encoder/, image_encoder/, prior/, prior_scheduler/     UnCLIPPipeline, KandinskyPriorPipeline and their kin
    shap_e_prior/, shap_e_img2img_prior/, shap_e_image_encoder/, shap_e_scheduler/     ShapEPipeline, ShapEImg2ImgPipeline
    image_normalizer/, image_noising_scheduler/                 StableUnCLIPPipeline
calls.json lists the calls: pipeline, arguments and seed of torch's generator. recorded.safetensors has of each
<name>.image_embeds (Shap-E: its latents) and <name>.negative_image_embeds; and images, normalised pixels, and embeds.
"""
import inspect, json, pathlib, warnings
import numpy as np, torch
from diffusers import (DDPMScheduler, HeunDiscreteScheduler, KandinskyPriorPipeline, KandinskyV22PriorEmb2EmbPipeline,
                       KandinskyV22PriorPipeline, PriorTransformer, ShapEImg2ImgPipeline, ShapEPipeline, StableUnCLIPPipeline,
                       UnCLIPPipeline, UnCLIPScheduler)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from safetensors.numpy import save_file
from transformers import (CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModel,
                          CLIPVisionModelWithProjection)
import synthetic

warnings.filterwarnings("ignore")
torch.set_grad_enabled(False)
HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "pipelines"
tokenizer = CLIPTokenizer.from_pretrained(HERE.parents[1] / "examples/digits/digits-unclip/tokenizer")


def model(model, name):
    for key, p in model.named_parameters():
        if key in ("mean", "std"):  # of the image normalizer
            p.copy_(torch.from_numpy(synthetic.unit(key, p.numel()).reshape(p.shape) * 0.25 + (key == "std")))
        else:
            p.copy_(torch.from_numpy(synthetic.tensor(key, tuple(p.shape))))
    model.eval().save_pretrained(FOLDER / name)
    return model


def scheduler(scheduler, name):
    scheduler.save_pretrained(FOLDER / name)
    return scheduler


WIDTH = 12
text_encoder = model(CLIPTextModelWithProjection(CLIPTextConfig(
    vocab_size=611, hidden_size=WIDTH, intermediate_size=20, projection_dim=WIDTH, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=16, bos_token_id=609, eos_token_id=610, pad_token_id=610)), "text_encoder")
vision = dict(intermediate_size=20, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4)
image_encoder = model(CLIPVisionModelWithProjection(CLIPVisionConfig(hidden_size=16, projection_dim=WIDTH, **vision)), "image_encoder")
prior = model(PriorTransformer(num_attention_heads=2, attention_head_dim=8, num_layers=2, embedding_dim=WIDTH, num_embeddings=16), "prior")
prior_scheduler = scheduler(UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample", clip_sample_range=5.0), "prior_scheduler")

SHAP_E = dict(num_attention_heads=2, attention_head_dim=8, num_layers=2, embedding_dim=6, num_embeddings=7, additional_embeddings=0,
              time_embed_act_fn="gelu", norm_in_type="layer", encoder_hid_proj_type=None, added_emb_type=None, time_embed_dim=20,
              clip_embed_dim=12)
shap_e_prior = model(PriorTransformer(**SHAP_E, embedding_proj_dim=WIDTH), "shap_e_prior")
shap_e_img2img_prior = model(PriorTransformer(**SHAP_E, embedding_proj_dim=10, embedding_proj_norm_type="layer"), "shap_e_img2img_prior")
shap_e_image_encoder = model(CLIPVisionModel(CLIPVisionConfig(hidden_size=10, projection_dim=10, **vision)), "shap_e_image_encoder")
shap_e_scheduler = scheduler(HeunDiscreteScheduler(beta_schedule="exp", num_train_timesteps=1024, prediction_type="sample",
                                                   use_karras_sigmas=True, clip_sample=True, clip_sample_range=2.0), "shap_e_scheduler")
read_scheduler = UnCLIPScheduler.from_pretrained(FOLDER / "prior_scheduler")  # as a file has it: nothing counts as left out
image_normalizer = model(StableUnCLIPImageNormalizer(WIDTH), "image_normalizer")
image_noising_scheduler = scheduler(DDPMScheduler(beta_schedule="squaredcos_cap_v2"), "image_noising_scheduler")


class Done(Exception):
    pass


class TextProjection(torch.nn.Module):
    """Stands where UnCLIPPipeline hands the image embeddings over."""
    device, dtype = torch.device("cpu"), torch.float32

    def forward(self, image_embeddings, **_):
        raise Done(image_embeddings)


class Masked(torch.nn.Module):
    """The text encoder as examples/digits was trained with it: it sees no padding."""
    device, dtype = torch.device("cpu"), torch.float32

    def forward(self, input_ids):
        mask = torch.cumsum((input_ids == 610).int(), 1) - (input_ids == 610).int() == 0
        return text_encoder(input_ids, attention_mask=mask.int())


def bare(pipeline, **modules):
    """A pipeline of which some modules are never reached."""
    names = [n for n in inspect.signature(pipeline.__init__).parameters if n != "self"]
    self = pipeline(**{n: modules.get(n) for n in names})
    self.set_progress_bar_config(disable=True)
    return self


def unclip(encoder=text_encoder):
    pipe = bare(UnCLIPPipeline, tokenizer=tokenizer, text_encoder=encoder, prior=prior, prior_scheduler=prior_scheduler,
                text_proj=TextProjection())

    def run(prior_guidance_scale=4.0, **arguments):
        try:
            pipe(prior_guidance_scale=prior_guidance_scale, decoder_guidance_scale=1.0, **arguments)
        except Done as done:
            return done.args
    return run


def stable_unclip(noise_level, generator, **arguments):
    """StableUnCLIPPipeline.__call__ as far as noise_image_embeddings, which is where its prior's half ends."""
    pipe = bare(StableUnCLIPPipeline, prior_tokenizer=tokenizer, prior_text_encoder=text_encoder, prior=prior,
                prior_scheduler=DDPMScheduler.from_config(read_scheduler.config), image_normalizer=image_normalizer,
                image_noising_scheduler=image_noising_scheduler)
    pipe.vae_scale_factor = 8
    pipe.encode_prompt = lambda **_: (torch.zeros(1), torch.zeros(1))
    whole = pipe.noise_image_embeddings

    def noise(**named):
        raise Done(whole(**named), named["image_embeds"])
    pipe.noise_image_embeddings = noise
    try:
        pipe(height=8, width=8, noise_level=noise_level, generator=generator, **arguments)
    except Done as done:
        return done.args


def kandinsky(pipeline):
    return bare(pipeline, tokenizer=tokenizer, text_encoder=text_encoder, image_encoder=image_encoder, prior=prior, scheduler=prior_scheduler)


def outputs(out):
    return out.image_embeds, out.negative_image_embeds


images = torch.from_numpy(synthetic.normal("images", (2, 3, 8, 8)))
embeds = torch.from_numpy(synthetic.normal("embeds", (2, WIDTH)))
GIVEN = {"image 0": images[:1], "image 1": images[1:], "images": images, "embeds": embeds, "embed 0": embeds[:1]}


def given(value):
    """Arguments of calls.json that name tensors."""
    if isinstance(value, list):
        return [given(v) for v in value]
    return GIVEN.get(value, value) if isinstance(value, str) else value


SEVEN, TWO, BOLD = "a bold handwritten seven leaning left", "a handwritten two", "bold"
LONG = "a bold handwritten seven leaning left beside a thin wide five and a narrow nine leaning right"
v21, v22, emb2emb = kandinsky(KandinskyPriorPipeline), kandinsky(KandinskyV22PriorPipeline), kandinsky(KandinskyV22PriorEmb2EmbPipeline)
shap_e = bare(ShapEPipeline, prior=shap_e_prior, text_encoder=text_encoder, tokenizer=tokenizer, scheduler=shap_e_scheduler)
shap_e_img2img = bare(ShapEImg2ImgPipeline, prior=shap_e_img2img_prior, image_encoder=shap_e_image_encoder, scheduler=shap_e_scheduler)
PIPELINES = {
    "unclip": unclip(), "unclip_masked": unclip(Masked()),
    "stable_unclip": stable_unclip,
    "kandinsky": lambda **a: outputs(v22(**a)), "kandinsky_2_1": lambda **a: outputs(v21(**a)),
    "interpolate": lambda **a: outputs(v22.interpolate(**a)), "interpolate_2_1": lambda **a: outputs(v21.interpolate(**a)),
    "emb2emb": lambda **a: outputs(emb2emb(**a)),
    "shap_e": lambda **a: (shap_e(output_type="latent", **a).images,),
    "shap_e_img2img": lambda **a: (shap_e_img2img(output_type="latent", **a).images,),
}
MIX = dict(images_and_prompts=[SEVEN, "image 1", TWO], weights=[0.5, 0.3, 0.2])
CALLS = {
    "one": ("unclip", dict(prompt=[SEVEN], prior_num_inference_steps=5)),
    "empty": ("unclip", dict(prompt=[""], prior_num_inference_steps=3)),
    "long": ("unclip", dict(prompt=[LONG], prior_num_inference_steps=4)),
    "batch": ("unclip", dict(prompt=[SEVEN, TWO], num_images_per_prompt=3, prior_num_inference_steps=6)),
    "no_guidance": ("unclip", dict(prompt=[SEVEN, TWO], num_images_per_prompt=2, prior_num_inference_steps=5, prior_guidance_scale=1.0)),
    "weak_guidance": ("unclip", dict(prompt=[TWO], prior_num_inference_steps=5, prior_guidance_scale=0.5)),
    "masked": ("unclip_masked", dict(prompt=[SEVEN, TWO], prior_num_inference_steps=25)),
    "stable": ("stable_unclip", dict(prompt=[SEVEN, TWO], num_images_per_prompt=2, prior_num_inference_steps=5, noise_level=0)),
    "stable_noised": ("stable_unclip", dict(prompt=[SEVEN], prior_num_inference_steps=6, prior_guidance_scale=2.0, noise_level=700)),
    "plain": ("kandinsky", dict(prompt=[SEVEN, TWO], num_images_per_prompt=2, num_inference_steps=5)),
    "plain_2_1": ("kandinsky_2_1", dict(prompt=[SEVEN], num_inference_steps=5)),
    "negative": ("kandinsky", dict(prompt=[SEVEN, TWO], negative_prompt=[BOLD, ""], num_images_per_prompt=2, num_inference_steps=5)),
    "negative_no_guidance": ("kandinsky", dict(prompt=[SEVEN], negative_prompt=[BOLD], num_inference_steps=4, guidance_scale=1.0)),
    "mix": ("interpolate", dict(MIX, num_inference_steps=4)),
    "mix_samples": ("interpolate", dict(MIX, num_images_per_prompt=2, num_inference_steps=4)),
    "mix_samples_2_1": ("interpolate_2_1", dict(MIX, num_images_per_prompt=2, num_inference_steps=4)),
    "mix_negative": ("interpolate", dict(MIX, negative_prompt=BOLD, num_inference_steps=4)),
    "mix_negative_prior": ("interpolate", dict(MIX, negative_prior_prompt=BOLD, num_inference_steps=4, guidance_scale=2.0)),
    "from_embeds": ("emb2emb", dict(prompt=[SEVEN, TWO], image="embeds", num_images_per_prompt=2, num_inference_steps=6)),
    "from_image": ("emb2emb", dict(prompt=[SEVEN], image="image 0", strength=0.7, num_inference_steps=6)),
    "from_one": ("emb2emb", dict(prompt=[SEVEN, TWO], image="embed 0", negative_prompt=[BOLD, BOLD], strength=1.0, num_inference_steps=5)),
    "object": ("shap_e", dict(prompt=[SEVEN, TWO], num_images_per_prompt=2, num_inference_steps=5)),
    "object_no_guidance": ("shap_e", dict(prompt=[SEVEN], num_inference_steps=4, guidance_scale=1.0)),
    "object_from_image": ("shap_e_img2img", dict(image="images", num_images_per_prompt=2, num_inference_steps=4, guidance_scale=3.0)),
}

recorded, calls = {"images": images.numpy(), "embeds": embeds.numpy()}, {}
for seed, (name, (pipeline, arguments)) in enumerate(CALLS.items()):
    generator = torch.Generator().manual_seed(seed)
    out = PIPELINES[pipeline](generator=generator, **{k: given(v) if k in ("image", "images_and_prompts") else v for k, v in arguments.items()})
    for field, value in zip(("image_embeds", "negative_image_embeds"), out):
        recorded[f"{name}.{field}"] = np.ascontiguousarray(value.numpy())
    recorded[f"{name}.next"] = torch.randn(16, generator=generator).numpy()  # where the generator stands afterwards
    calls[name] = dict(pipeline=pipeline, seed=seed, **arguments)
    print(name, {k.split(".")[1]: (v.shape, float(np.abs(v).max())) for k, v in recorded.items() if k.startswith(name + ".")})
save_file(recorded, FOLDER / "recorded.safetensors")
(FOLDER / "calls.json").write_text("{\n" + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in calls.items()) + "\n}\n")
