# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime with the exported model, and with its dynamic int8 form."""
import onnxruntime


class OnnxRuntime:
    folder = "onnx"

    def __init__(self, folder, model, threads):
        o = onnxruntime.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
        o.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        o.add_session_config_entry("session.set_denormal_as_zero", "1")
        self.session = onnxruntime.InferenceSession(folder / self.folder / "model.onnx", o, providers=["CPUExecutionProvider"])
        self.settings = [f"intra_op_num_threads {threads}", "inter_op_num_threads 1", "ORT_SEQUENTIAL", "ORT_ENABLE_ALL",
                         "set_denormal_as_zero", "weights packed at load", "CPUExecutionProvider"]

    def forward(self, arguments):
        return self.session.run(None, arguments)[0]

    @staticmethod
    def ready(arguments):
        return arguments


class OnnxRuntimeInt8(OnnxRuntime):
    folder = "onnxruntime-int8"

    def __init__(self, folder, model, threads):
        super().__init__(folder, model, threads)
        self.settings += ["quantize_dynamic: QInt8, per_channel, MatMulConstBOnly"]
