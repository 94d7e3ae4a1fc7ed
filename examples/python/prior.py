# SPDX-License-Identifier: Apache-2.0
"""A PriorTransformer computed by apriori, for diffusers' pipelines:

    pipe.prior = apriori_prior.load("models/kandinsky-2-2-prior/prior")

The package is compiled for one configuration (see CMakeLists.txt); load refuses the folder of another one.
"""
import json
import numbers
import os
import sys

from . import _core

__all__ = ["PriorTransformer", "PriorTransformerOutput", "load"]


def load(folder, threads=None, incremental=True):
    """The model in a folder that PriorTransformer.save_pretrained wrote: config.json and weights in safetensors.

    threads      how many threads compute, the caller's included; None: as many as this process has CPUs
    incremental  keeps results that depend only on the prompts between calls that have an attention mask: the same
                 numbers within rounding, in a fraction of the time

    Raises FileNotFoundError, OSError, ValueError (another configuration, damaged files) or MemoryError, with the
    library's message.
    """
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return PriorTransformer(_core.Prior(os.fspath(folder), threads, incremental))


class Config(dict):
    """A config.json, with its fields as attributes too; like diffusers' FrozenDict it can't be changed."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the config has no field '{name}'; it has {', '.join(self)}") from None

    def _frozen(self, *_, **__):
        raise TypeError("the config of a compiled model can't be changed")

    __setattr__ = __setitem__ = __delitem__ = __delattr__ = __ior__ = _frozen
    clear = pop = popitem = setdefault = update = _frozen


class PriorTransformerOutput(tuple):
    """The result of forward without diffusers; its only field is predicted_image_embedding."""

    def __new__(cls, predicted_image_embedding):
        return super().__new__(cls, (predicted_image_embedding,))

    @property
    def predicted_image_embedding(self):
        return self[0]


class PriorTransformer:
    """Takes the place of a diffusers pipeline's PriorTransformer. It is not a torch.nn.Module: pipe.to(...) leaves it
    on the CPU and in float32. It may be called from several threads; the calls are computed one after another."""

    def __init__(self, core):
        self._core = core
        self.config = Config({k: v for k, v in json.loads(core.config_json).items() if not k.startswith("_")})

    def forward(self, hidden_states, timestep, proj_embedding, encoder_hidden_states=None, attention_mask=None, return_dict=True):
        """diffusers' PriorTransformer.forward, without gradients.

        hidden_states          [rows, embedding_dim], or [rows, tokens, embedding_dim]
        timestep               a number (cut to an integer, as diffusers does), or an array of none, 1 or `rows` elements
        proj_embedding         [rows, embedding_proj_dim], or [rows, tokens, embedding_proj_dim]
        encoder_hidden_states  [rows, num_embeddings, embedding_dim]
        attention_mask         [rows, num_embeddings], 1 or True: seen; None: no mask, and no causal mask
        return_dict            whether predicted_image_embedding comes in a PriorTransformerOutput or in a tuple

        predicted_image_embedding is [rows, clip_embed_dim], or without added_emb_type [rows, tokens, clip_embed_dim]: a
        torch tensor if hidden_states is one, otherwise a numpy array. Arrays of any library that supports DLPack or the
        buffer protocol are read without a copy if they are contiguous float32 on the CPU. Torch tensors and numpy
        arrays that are not contiguous are copied.

        Raises ValueError for shapes and devices, TypeError for element types.
        """
        from_torch = _is_tensor(hidden_states)
        answer = self._core.forward(
            _given("hidden_states", hidden_states),
            _timestep(timestep, from_torch),
            _given("proj_embedding", proj_embedding),
            _given("encoder_hidden_states", encoder_hidden_states),
            _mask(attention_mask),
            _empty_tensor if from_torch else _empty_array,
        )
        if not return_dict:
            return (answer,)
        model = sys.modules.get("diffusers.models.transformers.prior_transformer")
        return (model or sys.modules[__name__]).PriorTransformerOutput(predicted_image_embedding=answer)

    __call__ = forward

    def post_process_latents(self, prior_latents):
        """prior_latents * clip_std + clip_mean, for [rows, clip_embed_dim], as a new array."""
        if _is_tensor(prior_latents):
            latents = _given("prior_latents", prior_latents).clone()
        else:
            import numpy

            latents = numpy.array(prior_latents, order="C")
        self._core.post_process_latents(latents)
        return latents

    @property
    def dtype(self):
        """torch.float32, or numpy's without torch."""
        try:
            import torch as library
        except ImportError:
            import numpy as library
        return library.float32

    @property
    def device(self):
        """torch.device("cpu"), or without torch the text "cpu"."""
        try:
            import torch
        except ImportError:
            return "cpu"
        return torch.device("cpu")

    @property
    def threads(self):
        return self._core.threads

    def to(self, *args, **kwargs):
        """Returns itself for the device and the type that it has; raises ValueError for others."""
        for wanted in (*args, kwargs.get("device"), kwargs.get("dtype")):
            if str(wanted) not in ("None", "True", "False", "cpu", "torch.float32"):
                raise ValueError(f"to: {wanted} is not possible; allowed: cpu and torch.float32")
        return self

    def eval(self):
        return self

    def __repr__(self):
        return f"{__name__}.PriorTransformer({dict(self.config)}, threads={self.threads})"


# ---- arguments as the core takes them ------------------------------------------------------------------------------


def _is_tensor(x):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _is_array(x):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.ndarray)


def _empty_tensor(shape):
    import torch

    return torch.empty(shape, dtype=torch.float32)


def _empty_array(shape):
    import numpy

    return numpy.empty(shape, numpy.float32)


def _given(name, x):
    """x, made contiguous if it is torch's or numpy's."""
    if _is_tensor(x):
        if x.device.type != "cpu":
            raise ValueError(f"{name}: is on {x.device}; allowed: cpu, where .to('cpu') brings it")
        if x.requires_grad:
            import torch

            if torch.is_grad_enabled():
                raise ValueError(f"{name}: requires a gradient, and there is none here; call under torch.no_grad()")
        return x.detach().contiguous()
    if _is_array(x) and not x.flags.c_contiguous:
        return x.copy(order="C")
    return x


def _timestep(timestep, from_torch):
    if isinstance(timestep, numbers.Real):
        timestep = [int(timestep)]
    if from_torch:
        import torch

        return torch.as_tensor(timestep).detach().to("cpu", torch.float32).reshape(-1).contiguous()
    import numpy

    return numpy.ascontiguousarray(timestep, numpy.float32).reshape(-1)


def _mask(mask):
    """The mask as bytes; without a copy if it has bytes or booleans."""
    if not _is_tensor(mask) and not _is_array(mask):
        return mask
    mask = _given("attention_mask", mask)
    if str(mask.dtype).removeprefix("torch.") not in ("bool", "uint8"):
        seen = mask != 0
        if not bool((seen == mask).all()):
            raise ValueError("attention_mask: holds other numbers than 0 and 1")
        mask = seen
    return mask.view(sys.modules["torch" if _is_tensor(mask) else "numpy"].uint8)
