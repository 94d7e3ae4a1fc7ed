# SPDX-License-Identifier: Apache-2.0
"""Takes image embeddings that apriori wrote into diffusers' decoders: from words here to pictures there.

    apriori sample --model kandinsky-prior --out e.safetensors "a cat"
    python examples/diffusers_decoders.py e.safetensors --pipeline kandinsky --model kandinsky-community/kandinsky-2-2-decoder
    python examples/diffusers_decoders.py e.safetensors --pipeline unclip --model kakaobrain/karlo-v1-alpha-image-variations

Kandinsky's decoder takes image_embeds and negative_image_embeds, Karlo's image_embeds alone. Without --model the decoder is a
tiny one with random weights that is as wide as the embeddings: the pictures are noise, but everything is handed over as it is
to a real one. Needs torch, diffusers and transformers.
"""
import argparse
import pathlib
import sys

import torch
from safetensors.torch import load_file


def tiny_kandinsky(width):
    """KandinskyV22Pipeline with random weights; pictures of 32 by 32."""
    from diffusers import DDIMScheduler, KandinskyV22Pipeline, UNet2DConditionModel, VQModel
    unet = UNet2DConditionModel(
        in_channels=4, out_channels=8, addition_embed_type="image", encoder_hid_dim_type="image_proj", encoder_hid_dim=width,
        cross_attention_dim=32, block_out_channels=(32, 64), layers_per_block=1, attention_head_dim=4,
        resnet_time_scale_shift="scale_shift", class_embed_type=None,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn")
    movq = VQModel(block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
                   in_channels=3, out_channels=3, latent_channels=4, layers_per_block=1, norm_num_groups=8, norm_type="spatial",
                   num_vq_embeddings=12, up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"], vq_embed_dim=4)
    scheduler = DDIMScheduler(num_train_timesteps=1000, beta_schedule="linear", beta_start=0.00085, beta_end=0.012,
                              clip_sample=False, set_alpha_to_one=False, prediction_type="epsilon")
    return KandinskyV22Pipeline(unet=unet, scheduler=scheduler, movq=movq)


def tiny_unclip(width):
    """UnCLIPImageVariationPipeline with random weights; it reads embeddings and needs no image encoder for them."""
    from diffusers import UNet2DConditionModel, UNet2DModel, UnCLIPImageVariationPipeline, UnCLIPScheduler
    from transformers import (CLIPImageProcessor, CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer, CLIPVisionConfig,
                              CLIPVisionModelWithProjection)
    # its folder depends on the version of diffusers
    UnCLIPTextProjModel = sys.modules[UnCLIPImageVariationPipeline.__module__].UnCLIPTextProjModel
    tokenizer = CLIPTokenizer.from_pretrained(pathlib.Path(__file__).parent / "digits" / "digits-unclip" / "tokenizer")
    text = CLIPTextModelWithProjection(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=37, projection_dim=width, num_attention_heads=4,
        num_hidden_layers=1, max_position_embeddings=tokenizer.model_max_length, eos_token_id=tokenizer.eos_token_id))
    image = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=width, projection_dim=width, num_hidden_layers=1, num_attention_heads=4, image_size=32, intermediate_size=37,
        patch_size=8))
    sample = dict(sample_size=32, in_channels=3, layers_per_block=1, block_out_channels=(32, 64),
                  resnet_time_scale_shift="scale_shift")
    decoder = UNet2DConditionModel(
        out_channels=6, cross_attention_dim=32, class_embed_type="identity", attention_head_dim=4, **sample,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn")
    projection = UnCLIPTextProjModel(clip_embeddings_dim=width, time_embed_dim=32 * 4, cross_attention_dim=32)
    up = dict(sample_size=64, layers_per_block=1, block_out_channels=(32, 64), in_channels=6, out_channels=3,
              down_block_types=("ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"),
              up_block_types=("ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"))
    return UnCLIPImageVariationPipeline(
        decoder=decoder, text_encoder=text, tokenizer=tokenizer, text_proj=projection,
        feature_extractor=CLIPImageProcessor(size=32, crop_size=32), image_encoder=image, super_res_first=UNet2DModel(**up),
        super_res_last=UNet2DModel(**up),
        decoder_scheduler=UnCLIPScheduler(variance_type="learned_range", prediction_type="epsilon", num_train_timesteps=1000),
        super_res_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="epsilon", num_train_timesteps=1000))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("embeddings", type=pathlib.Path, help="a file that apriori sample, interpolate or emb2emb wrote")
    a.add_argument("--pipeline", choices=("kandinsky", "unclip"), required=True)
    a.add_argument("--model", help="the decoder, a folder or a name; none: a tiny one with random weights")
    a.add_argument("--steps", type=int, default=25)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--out", type=pathlib.Path, default=pathlib.Path("decoded"), help="the folder for the pictures")
    a = a.parse_args()
    tensors = load_file(a.embeddings)
    if "image_embeds" not in tensors:
        sys.exit(f"{a.embeddings}: holds no tensor image_embeds")
    embeds = tensors["image_embeds"]
    torch.manual_seed(a.seed)  # for the weights of the tiny decoders
    generator = torch.Generator().manual_seed(a.seed)
    if a.pipeline == "kandinsky":
        from diffusers import KandinskyV22Pipeline
        if "negative_image_embeds" not in tensors:
            sys.exit(f"{a.embeddings}: holds no tensor negative_image_embeds; the model's folder needs its image_encoder/")
        pipe = KandinskyV22Pipeline.from_pretrained(a.model) if a.model else tiny_kandinsky(embeds.shape[1])
        size = {} if a.model else dict(height=32, width=32)
        pictures = pipe(image_embeds=embeds, negative_image_embeds=tensors["negative_image_embeds"],
                        num_inference_steps=a.steps, generator=generator, **size).images
    else:
        from diffusers import UnCLIPImageVariationPipeline
        pipe = UnCLIPImageVariationPipeline.from_pretrained(a.model) if a.model else tiny_unclip(embeds.shape[1])
        pictures = []
        for row in embeds:  # the pipeline takes one image's embedding for all its pictures
            pictures += pipe(image_embeddings=row[None], decoder_num_inference_steps=a.steps, generator=generator).images
    a.out.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        picture.save(a.out / f"{i:04}.png")
    print(f"{len(pictures)} pictures of {pictures[0].size[0]} x {pictures[0].size[1]} in {a.out}")


if __name__ == "__main__":
    main()
