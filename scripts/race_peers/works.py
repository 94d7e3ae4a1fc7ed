# SPDX-License-Identifier: Apache-2.0
"""The models of the race, and the works that are computed with them."""
import json, pathlib
from dataclasses import dataclass, replace

ROOT = pathlib.Path(__file__).resolve().parents[2]

STEPS, GUIDANCE, IMAGES = 25, 4.0, 32

# Contestants are raced within a class: our fastest format and the fastest peer.
CLASSES = ("float32", "16 bit", "8 bit", "4 bit")
FORMATS = {"f32": "float32", "f16": "16 bit", "bf16": "16 bit", "bf16a16": "16 bit", "w8": "8 bit", "w8a8": "8 bit", "w4": "4 bit",
           "w4a8": "4 bit"}
PEERS = {"eager": "float32", "compile": "float32", "onnxruntime": "float32", "openvino": "float32", "incremental": "float32",
         "eager-bf16": "16 bit", "compile-bf16": "16 bit", "openvino-bf16": "16 bit", "onnxruntime-int8": "8 bit", "openvino-int8": "8 bit",
         "openvino-w8": "8 bit"}
INT8 = ("onnxruntime-int8", "openvino-int8", "openvino-w8")  # quantized from the exported model
UNCONDITIONAL = 2  # live tokens of the empty prompt: the two special tokens

KARLO = dict(num_attention_heads=32, attention_head_dim=64, num_layers=20, embedding_dim=768, num_embeddings=77,
             additional_embeddings=4, time_embed_act_fn="silu", added_emb_type="prd", encoder_hid_proj_type="linear")
SHAP_E = dict(num_attention_heads=16, attention_head_dim=64, num_layers=24, embedding_dim=1024, num_embeddings=1024,
              additional_embeddings=0, time_embed_act_fn="gelu", norm_in_type="layer", encoder_hid_proj_type=None,
              added_emb_type=None, time_embed_dim=4096, embedding_proj_dim=768, clip_embed_dim=2048)
DIGITS = dict(num_attention_heads=4, attention_head_dim=32, num_layers=4, embedding_dim=64, num_embeddings=16,
              additional_embeddings=4, time_embed_act_fn="silu", added_emb_type="prd", encoder_hid_proj_type="linear")


@dataclass(frozen=True)
class Work:
    """A forward of `rows` rows whose prompts have `live` tokens in turn, or a guided sampling of STEPS steps."""
    title: str
    rows: int
    live: tuple = (77,)
    sampling: bool = False


@dataclass(frozen=True)
class Model:
    title: str
    config: dict
    peers: tuple
    works: dict

    def of(self, config):
        """The same model with another configuration."""
        return replace(self, config={k: v for k, v in config.items() if not k.startswith("_")})

    @property
    def masked(self):
        return self.config["encoder_hid_proj_type"] == "linear"

    @property
    def inner(self):
        return self.config["num_attention_heads"] * self.config["attention_head_dim"]

    @property
    def tokens(self):
        return self.config["num_embeddings"] + (4 if self.masked else 2)


MODELS = {
    "karlo": Model("the default model (Karlo, Kandinsky 2.1, Stable unCLIP)", KARLO,
                   ("onnxruntime", "openvino", "compile", "eager", "incremental", "openvino-bf16", "compile-bf16", "eager-bf16",
                    *INT8), {
        "forward_1": Work("a forward of one row, 77 live tokens", 1),
        "forward_2": Work("a forward of two rows (one guided step), 77 live tokens", 2),
        "guided_12": Work("a forward of two rows, 2 and 12 live tokens", 2, (UNCONDITIONAL, 12)),
        # only for the fastest peers
        "guided_images": Work(f"one guided step of {IMAGES} images", 2 * IMAGES, (UNCONDITIONAL, 12)),
        "sample_12": Work(f"{STEPS} guided steps, 12 live tokens", 2, (UNCONDITIONAL, 12), sampling=True),
        "sample_77": Work(f"{STEPS} guided steps, 77 live tokens", 2, (UNCONDITIONAL, 77), sampling=True)}),
    "shap_e": Model("Shap-E", SHAP_E, ("onnxruntime", "openvino", "compile", "eager", "openvino-bf16", "compile-bf16", "eager-bf16",
                               *INT8), {
        "forward_1": Work("a forward of one row, 1,026 tokens", 1)}),
    "digits": Model("the digits", DIGITS, ("eager", "compile", "incremental"), {
        "forward_2": Work("a forward of two rows, 16 live tokens", 2, (16,)),
        "sample_12": Work(f"{STEPS} guided steps, 12 live tokens", 2, (UNCONDITIONAL, 12), sampling=True)}),
}
# Contestants that do more than a forward for each step run complete samplings; for the others a forward is timed and
# scaled.
SAMPLED = {("karlo", "incremental"), ("digits", "eager"), ("digits", "compile"), ("digits", "incremental")}


def works_of(model, contestant):
    """The names of the works for which a contestant of a model is timed."""
    whole = (model, contestant) in SAMPLED
    return [name for name, w in MODELS[model].works.items()
            if w.sampling == whole and not (contestant == "incremental" and not w.sampling)]


def load_model(folder):
    """The model in a folder of prepare.py, with the config of that folder."""
    folder = pathlib.Path(folder)
    return MODELS[folder.name].of(json.loads((folder / "config.json").read_text()))


def forward_flops(model, rows):
    """The FLOPs of a full forward of that many rows: the blocks' contractions and attention, two for a multiply-add."""
    block = 24 * model.inner**2 + 4 * model.tokens * model.inner
    return rows * model.tokens * model.config["num_layers"] * block
