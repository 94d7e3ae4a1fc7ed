# SPDX-License-Identifier: Apache-2.0
"""OpenVINO with the exported model, restricted to float32 or to bfloat16, and with NNCF's eight-bit versions of it."""
import openvino


class OpenVino:
    precision, file = "f32", "onnx/model.onnx"

    def __init__(self, folder, model, threads):
        core = openvino.Core()
        hints = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1",
                 "INFERENCE_NUM_THREADS": str(threads), "CPU_DENORMALS_OPTIMIZATION": "YES"}
        self.request = core.compile_model(folder / self.file, "CPU", hints).create_infer_request()
        self.settings = [f"{k} {v}" for k, v in hints.items()] + ["inputs shared, not copied"]

    def forward(self, arguments):
        return self.request.infer(arguments, share_inputs=True, share_outputs=True)[0]

    @staticmethod
    def ready(arguments):
        return arguments


class OpenVinoBfloat16(OpenVino):
    precision = "bf16"


class OpenVinoInt8(OpenVino):
    file = "openvino-int8/model.xml"

    def __init__(self, folder, model, threads):
        super().__init__(folder, model, threads)
        self.settings += ["nncf.quantize: transformer, weights and activations in int8, calibrated on the inputs of the race"]


class OpenVinoWeights8(OpenVino):
    file = "openvino-w8/model.xml"

    def __init__(self, folder, model, threads):
        super().__init__(folder, model, threads)
        self.settings += ["nncf.compress_weights: INT8_SYM, activations as OpenVINO likes them"]
