"""Writes the reference cases of LoRAs under lora/ with the real diffusers and PEFT. Needs: pip install torch diffusers peft safetensors

    python generate_lora.py

The model is cases/tiny. Files, in every form that diffusers loads into a PriorTransformer:
    plain.safetensors         save_lora_adapter: attention, one rank, alpha
    patterns.safetensors      save_lora_adapter: feed-forward too, ranks and alphas by pattern
    rslora.safetensors        save_lora_adapter: rank-stabilised, projections outside of the blocks too
    bias.safetensors          save_lora_adapter: with biases
    half.safetensors          float16, two ranks, no metadata: every factor is 1
    processor.safetensors     attention processors, as Kandinsky's training script of old wrote them
    layers.safetensors        LoRA layers of diffusers between those and PEFT
    pipeline.safetensors      names and metadata with the prefix prior.
    alphas.safetensors        a tensor .alpha for each module, which diffusers takes as network_alphas
    peft/                     PEFT's own save_pretrained: adapter_model.safetensors and adapter_config.json
fused.safetensors has for each run, a list of files with weights,
    <run>.<tensor>            every tensor that fuse_lora changed
    <run>.out                 the forward of cases/tiny's mask_ragged with them
    <run>.unfused             the largest difference that unfuse_lora left in any tensor [1]
and its metadata the runs: {"<run>": [["<file>", <weight>], ...]}.
"""
import json
import pathlib
import shutil

import peft
import torch
from diffusers import PriorTransformer
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY, _pack_dict_with_prefix
from peft import LoraConfig
from safetensors import safe_open
from safetensors.torch import load_file, save_file

torch.set_grad_enabled(False)
HERE = pathlib.Path(__file__).parent
TINY = HERE / "cases" / "tiny"
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2"]

CONFIGS = {
    "plain": dict(r=2, lora_alpha=4, target_modules=ATTENTION),
    "patterns": dict(r=4, lora_alpha=8, target_modules=ATTENTION + FEED_FORWARD,
                     rank_pattern={"to_q": 1, "^transformer_blocks.1.attn1.to_k": 3}, alpha_pattern={"ff.net.2": 2, "to_q": 5}),
    "rslora": dict(r=3, lora_alpha=5, use_rslora=True, target_modules=["to_q", "ff.net.0.proj", "proj_in", "proj_to_clip_embeddings"]),
    "bias": dict(r=2, lora_alpha=3, lora_bias=True, target_modules=["to_v", "to_q", "ff.net.2"]),
}
RUNS = {
    **{name: [(name, 1.0)] for name in [*CONFIGS, "half", "processor", "layers", "pipeline", "alphas", "peft"]},
    "negative": [("plain", -0.75)],
    "two": [("plain", 0.75), ("patterns", -0.5)],
    "three": [("rslora", 0.3), ("bias", 1.7), ("half", 0.6)],
}


def tiny():
    return PriorTransformer.from_pretrained(TINY).eval()


def randomize(model, seed):
    """Numbers of a trained LoRA's size: PEFT begins with zeros."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if "lora_" in name:
            p.copy_(torch.randn(p.shape, generator=generator) * (0.5 / p.shape[-1] ** 0.5))


def random_lora(modules, rank_of, seed, dtype=torch.float32):
    """lora_A and lora_B for modules of the model, by PEFT's names."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: m.weight.shape for name, m in tiny().named_modules() if isinstance(m, torch.nn.Linear)}
    state = {}
    for name in shapes:
        if any(name.endswith("." + m) for m in modules):
            rows, cols = shapes[name]
            r = rank_of(name)
            state[f"{name}.lora_A.weight"] = (torch.randn((r, cols), generator=generator) * 0.3).to(dtype)
            state[f"{name}.lora_B.weight"] = (torch.randn((rows, r), generator=generator) * 0.3).to(dtype)
    return state


def renamed(state, names):
    out = {}
    for key, value in state.items():
        for old, new in names.items():
            key = key.replace(old, new)
        out[key] = value
    return out


def write_files(folder):
    for seed, (name, config) in enumerate(CONFIGS.items()):
        model = tiny()
        model.add_adapter(LoraConfig(**config), name)
        randomize(model, seed)
        model.save_lora_adapter(folder, adapter_name=name, weight_name=f"{name}.safetensors")
    save_file(random_lora(ATTENTION + FEED_FORWARD, lambda n: 3 if "ff" in n else 2, 10, torch.float16), folder / "half.safetensors")
    processor = {f".{m}.lora_{a}": f".processor.{m.removesuffix('.0')}_lora.{b}" for m in ATTENTION for a, b in (("A", "down"), ("B", "up"))}
    save_file(renamed(random_lora(ATTENTION, lambda n: 4, 11), processor), folder / "processor.safetensors")
    save_file(renamed(random_lora(ATTENTION, lambda n: 1, 12), {".lora_A": ".lora.down", ".lora_B": ".lora.up"}), folder / "layers.safetensors")

    model = tiny()
    model.add_adapter(LoraConfig(r=2, lora_alpha=6, target_modules=ATTENTION), "pipeline")
    randomize(model, 13)
    model.save_lora_adapter(folder, adapter_name="pipeline", weight_name="pipeline.safetensors")
    path = folder / "pipeline.safetensors"
    with safe_open(path, "pt") as f:
        metadata = json.loads(f.metadata()[LORA_ADAPTER_METADATA_KEY])
    state = {f"prior.{k}": v for k, v in load_file(path).items()}
    save_file(state, path, {"format": "pt", LORA_ADAPTER_METADATA_KEY: json.dumps(_pack_dict_with_prefix(metadata, "prior"), indent=2, sort_keys=True)})

    state = random_lora(["to_k", "ff.net.2"], lambda n: 2 if "ff" in n else 4, 14)
    alphas = {k.replace(".lora_A.weight", ".alpha"): torch.tensor(1.5 if "ff" in k else 6.0) for k in state if "lora_A" in k}
    save_file({f"prior.{k}": v for k, v in (state | alphas).items()}, folder / "alphas.safetensors")

    wrapped = peft.get_peft_model(tiny(), LoraConfig(r=2, lora_alpha=7, target_modules=["to_q", "to_v"]))
    randomize(wrapped, 15)
    wrapped.save_pretrained(folder / "peft")
    (folder / "peft" / "README.md").unlink(missing_ok=True)
    config = folder / "peft" / "adapter_config.json"
    settings = json.loads(config.read_text()) | {"base_model_name_or_path": None}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def load(model, folder, name):
    """As a user of diffusers would load the file, as an adapter lora_<name>: "half" is a name that torch's modules have."""
    adapter = f"lora_{name}"
    if name == "peft":  # diffusers reads no adapter_config.json: its alpha is given here
        state = load_file(folder / "peft" / "adapter_model.safetensors")
        alphas = {k.replace(".lora_A.weight", ".alpha"): 7.0 for k in state if "lora_A" in k}
        model.load_lora_adapter(state, prefix="base_model.model", adapter_name=adapter, network_alphas=alphas)
    elif name == "alphas":
        state = load_file(folder / "alphas.safetensors")
        alphas = {k: v.item() for k, v in state.items() if k.endswith(".alpha")}
        model.load_lora_adapter({k: v for k, v in state.items() if k not in alphas}, prefix="prior", adapter_name=adapter, network_alphas=alphas)
    else:
        model.load_lora_adapter(folder, weight_name=f"{name}.safetensors", prefix="prior" if name == "pipeline" else None, adapter_name=adapter)


def weights(model):
    return {k.replace(".base_layer", ""): v.clone() for k, v in model.state_dict().items() if ".lora_" not in k}


def run(folder, loras):
    model = tiny()
    before = weights(model)
    for name, _ in loras:
        load(model, folder, name)
    model.set_adapters([f"lora_{name}" for name, _ in loras], [weight for _, weight in loras])
    model.fuse_lora()
    fused = weights(model)
    assert fused.keys() == before.keys()
    cases = load_file(TINY / "cases.safetensors")
    x = {k: cases[f"mask_ragged.in.{k}"] for k in ("hidden_states", "timestep", "proj_embedding", "encoder_hidden_states", "attention_mask")}
    out = model(**x | {"attention_mask": x["attention_mask"].bool()}).predicted_image_embedding
    plain = tiny()(**x | {"attention_mask": x["attention_mask"].bool()}).predicted_image_embedding
    assert torch.allclose(plain, cases["mask_ragged.out.predicted_image_embedding"], atol=1e-5) and (out - plain).abs().max() > 1e-2
    model.unfuse_lora()
    left = max((v - before[k]).abs().max() for k, v in weights(model).items())
    changed = {k: v for k, v in fused.items() if not torch.equal(v, before[k])}
    return changed | {"out": out, "unfused": left.reshape(1)}


def main():
    folder = HERE / "lora"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_files(folder)
    fused = {}
    for name, loras in RUNS.items():
        made = run(folder, loras)
        print(name, len(made) - 2, "tensors, unfused to", made["unfused"].item())
        fused |= {f"{name}.{k}": v.contiguous() for k, v in made.items()}
    save_file(fused, folder / "fused.safetensors", {"runs": json.dumps(RUNS)})
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    main()
