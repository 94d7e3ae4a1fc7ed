# SPDX-License-Identifier: Apache-2.0
"""Writes the files that the contestants load: one model's synthetic weights and its ONNX files. A separate process,
since it needs much memory.

    python prepare.py MODEL_DIR weights|onnx|onnxruntime-int8|openvino-int8|openvino-w8
"""
import json, pathlib, shutil, sys, warnings
from concurrent.futures import ThreadPoolExecutor

import works
from inputs import inputs, synthetic


def weights(folder):
    """The tensors of tests/reference/synthetic.py with diffusers' names, stored like a diffusers model."""
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
    """The diffusers model with any number of rows, and the weights next to the graph."""
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
    """Writes one file of weights instead of one for each tensor."""
    import onnx
    from onnx.external_data_helper import convert_model_to_external_data
    graph = onnx.load(folder / "onnx" / "scattered.onnx")
    for f in (folder / "onnx").iterdir():
        f.unlink()
    onnx.save(graph, folder / "onnx" / "model.onnx", save_as_external_data=True, location="model.data", size_threshold=1024)


def onnxruntime_int8(folder):
    """ONNX Runtime's own dynamic quantization: int8 weights with a scale per output; activations are quantized at run
    time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    out = folder / "onnxruntime-int8"
    out.mkdir(exist_ok=True)
    quantize_dynamic(folder / "onnx" / "model.onnx", out / "model.onnx", weight_type=QuantType.QInt8, per_channel=True,
                     use_external_data_format=True, extra_options={"MatMulConstBOnly": True})


def openvino_int8(folder):
    """NNCF's full quantization: int8 weights and activations, calibrated on the inputs of the race's forwards."""
    import nncf, openvino
    model = works.load_model(folder)
    examples = [inputs(model, name) for name, work in model.works.items() if not work.sampling and work.rows <= 2]
    quantized = nncf.quantize(openvino.Core().read_model(folder / "onnx" / "model.onnx"), nncf.Dataset(examples),
                              model_type=nncf.ModelType.TRANSFORMER, subset_size=len(examples))
    openvino.save_model(quantized, folder / "openvino-int8" / "model.xml", compress_to_fp16=False)


def openvino_w8(folder):
    """NNCF's weight compression: int8 weights, a scale per output."""
    import nncf, openvino
    compressed = nncf.compress_weights(openvino.Core().read_model(folder / "onnx" / "model.onnx"), mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(compressed, folder / "openvino-w8" / "model.xml", compress_to_fp16=False)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    where = pathlib.Path(sys.argv[1])
    makers = {"weights": weights, "onnx": lambda f: (onnx(f), gather(f)), "onnxruntime-int8": onnxruntime_int8,
              "openvino-int8": openvino_int8, "openvino-w8": openvino_w8}
    makers[sys.argv[2]](where)
