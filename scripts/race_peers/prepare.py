# SPDX-License-Identifier: Apache-2.0
"""Writes what the contestants load: one model's synthetic weights and its ONNX files. A process of its own: it needs memory.

    python prepare.py MODEL_DIR weights|onnx|onnx-int8
"""
import json, pathlib, shutil, sys, warnings
from concurrent.futures import ThreadPoolExecutor

import works
from inputs import inputs, synthetic


def weights(folder):
    """The tensors of tests/reference/synthetic.py under diffusers' names, as diffusers stores a model."""
    import torch
    from diffusers import PriorTransformer
    from safetensors.numpy import save_file
    with torch.device("meta"):
        shapes = {k: tuple(v.shape) for k, v in PriorTransformer(**works.load_model(folder).config).state_dict().items()}
    with ThreadPoolExecutor(2) as pool:
        values = dict(zip(shapes, pool.map(lambda item: synthetic.tensor(*item), shapes.items())))
    out = folder / "diffusers"
    out.mkdir(exist_ok=True)
    shutil.copy(folder / "config.json", out)
    save_file(values, out / "diffusion_pytorch_model.safetensors")


def onnx(folder):
    """The diffusers model with any number of rows, weights beside the graph."""
    import torch
    from diffusers import PriorTransformer
    model = works.load_model(folder)
    arguments = {k: torch.from_numpy(v) for k, v in inputs(model, next(iter(model.works))).items()}

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.prior = PriorTransformer.from_pretrained(folder / "diffusers").eval()

        def forward(self, *values):
            return self.prior(**dict(zip(arguments, values)), return_dict=False)[0]

    out = folder / "onnx"
    out.mkdir(exist_ok=True)
    with torch.inference_mode():
        torch.onnx.export(Positional(), tuple(arguments.values()), str(out / "scattered.onnx"), dynamo=False,
                          opset_version=18, input_names=list(arguments), output_names=["predicted_image_embedding"],
                          dynamic_axes={k: {0: "rows"} for k in arguments if k != "timestep"})


def gather(folder):
    """One file of weights instead of one for each tensor."""
    import onnx
    from onnx.external_data_helper import convert_model_to_external_data
    graph = onnx.load(folder / "onnx" / "scattered.onnx")
    for f in (folder / "onnx").iterdir():
        f.unlink()
    onnx.save(graph, folder / "onnx" / "model.onnx", save_as_external_data=True, location="model.data", size_threshold=1024)


def onnx_int8(folder):
    """ONNX Runtime's own dynamic quantization: int8 weights, a scale per output, activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    out = folder / "onnx-int8"
    out.mkdir(exist_ok=True)
    quantize_dynamic(folder / "onnx" / "model.onnx", out / "model.onnx", weight_type=QuantType.QInt8, per_channel=True,
                     use_external_data_format=True, extra_options={"MatMulConstBOnly": True})


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    where = pathlib.Path(sys.argv[1])
    {"weights": weights, "onnx": lambda f: (onnx(f), gather(f)), "onnx-int8": onnx_int8}[sys.argv[2]](where)
