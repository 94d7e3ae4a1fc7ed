# SPDX-License-Identifier: Apache-2.0
"""diffusers' PriorTransformer in torch, unchanged (eager) and compiled, in float32 and in bfloat16."""
import torch
from diffusers import PriorTransformer


class Eager:
    def __init__(self, folder, model, threads):
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.set_grad_enabled(False)
        self.prior = PriorTransformer.from_pretrained(folder / "diffusers").eval()
        self.call = self.prior
        self.settings = [f"set_num_threads({threads})", "set_flush_denormal(True)", "inference_mode", "eval",
                         "float32", "scaled_dot_product_attention"]

    @torch.inference_mode()
    def forward(self, arguments):
        return self.call(**arguments, return_dict=False)[0]

    @staticmethod
    def ready(arguments):
        """The arguments in the contestant's own form; not part of the time."""
        return {k: torch.from_numpy(v) for k, v in arguments.items()}


class EagerBfloat16(Eager):
    def __init__(self, folder, model, threads):
        super().__init__(folder, model, threads)
        self.prior.to(torch.bfloat16)
        self.settings[self.settings.index("float32")] = "bfloat16"

    def forward(self, arguments):
        return super().forward(arguments).float()

    @staticmethod
    def ready(arguments):
        tensors = Eager.ready(arguments)
        return {k: v.to(torch.bfloat16) if v.is_floating_point() and k != "timestep" else v for k, v in tensors.items()}


class Compiled(Eager):
    """A graph for each number of rows. Freezing packs the weights, a copy for each graph: for models with enough memory
    left."""

    def __init__(self, folder, model, threads):
        super().__init__(folder, model, threads)
        import torch._inductor.config as inductor
        inductor.freezing = sum(p.numel() for p in self.prior.parameters()) < 500e6
        self.call = torch.compile(self.prior, dynamic=False)
        self.settings += ["torch.compile(dynamic=False), inductor",
                          "inductor freezing where the model has less than half a billion parameters"]


class CompiledBfloat16(EagerBfloat16, Compiled):
    """Both: the weights are converted before the first run compiles."""
