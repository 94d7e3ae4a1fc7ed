# SPDX-License-Identifier: Apache-2.0
"""One contestant in its own process, which gets its commands over a pipe: a line of JSON in, a line of JSON out.

    python serve.py CONTESTANT MODEL_DIR THREADS

    {"do": "measure", "work": NAME}     -> {"seconds": [of each run]}
    {"do": "outputs", "file": FILE}     -> {}, the inputs and outputs of its works as `apriori verify` reads them
"""
import importlib, json, os, pathlib, sys, time, warnings

CONTESTANTS = {"eager": ("peer_torch", "Eager"), "compile": ("peer_torch", "Compiled"),
               "onnxruntime": ("peer_onnxruntime", "OnnxRuntime"), "onnxruntime-int8": ("peer_onnxruntime", "OnnxRuntimeInt8"),
               "openvino": ("peer_openvino", "OpenVino"), "eager-bf16": ("peer_torch", "EagerBfloat16"),
               "compile-bf16": ("peer_torch", "CompiledBfloat16"), "openvino-bf16": ("peer_openvino", "OpenVinoBfloat16"),
               "openvino-int8": ("peer_openvino", "OpenVinoInt8"), "openvino-w8": ("peer_openvino", "OpenVinoWeights8"),
               "incremental": ("peer_incremental", "Incremental")}


class Server:
    def __init__(self, name, folder, threads):
        import works
        from inputs import inputs
        from sampling import Sampling
        self.inputs, self.model = inputs, works.load_model(folder)
        module, cls = CONTESTANTS[name]
        self.peer = getattr(importlib.import_module(module), cls)(folder, self.model, threads)
        self.names = works.works_of(folder.name, name)
        self.sampling = Sampling(self.peer, self.model)
        self.runs = {}

    def run_of(self, name):
        """The function to be timed, without arguments. The first run is not counted."""
        if name not in self.runs:
            if self.model.works[name].sampling:
                self.runs[name] = self.sampling.run(name)
            else:
                arguments = self.peer.ready(self.inputs(self.model, name))
                self.runs[name] = lambda: self.peer.forward(arguments)
            self.runs[name]()
        return self.runs[name]

    def measure(self, work):
        run, seconds = self.run_of(work), []
        while not seconds or (sum(seconds) < 0.1 and len(seconds) < 200):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def outputs(self, file):
        import numpy as np
        from safetensors.numpy import save_file
        kept = {}
        for name in self.names:
            work = self.model.works[name]
            if work.sampling:
                kept |= self.sampling.case(name) if not any(k.startswith("sample.") for k in kept) else {}
                continue
            if work.rows > 2: continue
            arguments = self.inputs(self.model, name)
            kept |= {f"{name}.in.{k}": v.astype(np.uint8) if v.dtype == bool else v for k, v in arguments.items()}
            kept[f"{name}.out.predicted_image_embedding"] = np.array(self.run_of(name)(), np.float32)
        save_file(kept, file)
        return {}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to the log
    name, folder, threads = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    warnings.filterwarnings("ignore")
    answer = lambda o: print(json.dumps(o), file=answers, flush=True)
    server = Server(name, folder, threads)
    answer({"settings": server.peer.settings})
    for line in sys.stdin:
        order = json.loads(line)
        answer(getattr(server, order.pop("do"))(**order))


if __name__ == "__main__":
    main()
