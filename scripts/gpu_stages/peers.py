# SPDX-License-Identifier: Apache-2.0
"""The seconds of one guided step of diffusers' PriorTransformer in torch on a GPU, for the default model with random
weights: two rows of 81 tokens. Prints JSON, {"bf16 eager": seconds, ...}, or a line "skipped: why"."""
import json
import statistics
import sys


def seconds(torch, call, rounds=20):
    for _ in range(3):
        call()
    times = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e-3)
    return statistics.median(times)


def main():
    try:
        import torch
        from diffusers import PriorTransformer
    except ImportError as error:
        print(f"skipped: {error}")
        return 0
    if not torch.cuda.is_available():
        print("skipped: torch has no GPU")
        return 0
    torch.set_grad_enabled(False)
    found = {"torch": torch.__version__}
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        model = PriorTransformer().to("cuda", dtype).eval()
        inputs = {"hidden_states": torch.randn(2, 768), "proj_embedding": torch.randn(2, 768),
                  "encoder_hidden_states": torch.randn(2, 77, 768)}
        inputs = {k: v.to("cuda", dtype) for k, v in inputs.items()}
        inputs |= {"timestep": torch.tensor([500, 500], device="cuda"), "attention_mask": torch.ones(2, 77, dtype=torch.bool, device="cuda")}
        found[f"{name} eager"] = seconds(torch, lambda: model(**inputs))
        try:
            for _ in range(3):
                model(**inputs)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                model(**inputs)
            found[f"{name} CUDA graph"] = seconds(torch, graph.replay)
        except RuntimeError as error:
            print(f"{name} CUDA graph: {error}", file=sys.stderr)
        compiled = torch.compile(model)
        try:
            found[f"{name} compiled"] = seconds(torch, lambda: compiled(**inputs))
        except Exception as error:  # needs a C compiler and Triton
            print(f"{name} compiled: {error}", file=sys.stderr)
        del model, compiled
        torch.cuda.empty_cache()
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
