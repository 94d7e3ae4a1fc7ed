# SPDX-License-Identifier: Apache-2.0
"""Compares a compiled package with the numbers that diffusers recorded for its configuration, with numpy alone.

    PYTHONPATH=build/python python3 examples/python/check.py tests/reference/cases/unclip_like tests/reference/cases/tiny

The first folder is that of apriori_prior's configuration, the second of another one, which load has to refuse. Exits 1 where a number
is further than the tolerance from diffusers', or where a mistake is not refused.
"""
import json
import pathlib
import sys
import threading

import numpy as np

import apriori_prior

TOLERANCE = 2e-5  # of the largest number of an answer: float32, in another order of additions
failures = 0


def read(path):
    """The tensors of a safetensors file."""
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    types = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}
    tensors = {}
    for name, info in json.loads(data[8:header]).items():
        if name != "__metadata__":
            first, last = info["data_offsets"]
            tensors[name] = np.frombuffer(data[header + first : header + last], types[info["dtype"]]).reshape(info["shape"])
    return tensors


def expect(what, holds, detail=""):
    global failures
    failures += not holds
    print(f"{'ok    ' if holds else 'FAILED'} {what} {detail}")


def near(what, got, want):
    off = float(np.abs(got - want).max() / np.abs(want).max()) if got.shape == want.shape else float("nan")
    expect(what, got.dtype == np.float32 and off < TOLERANCE, f"{got.shape}, off by {off:.1e}")


def refused(what, error, text, body):
    try:
        body()
    except error as e:
        expect(f"refused: {what}", text in str(e), f"({type(e).__name__}: {e})")
    else:
        expect(f"refused: {what}", False, f"no {error.__name__}")


def arguments(tensors, case):
    return {name.split(".in.")[1]: x for name, x in tensors.items() if name.startswith(f"{case}.in.")}


def check_cases(prior, tensors, how):
    for name in sorted(tensors):
        case, _, field = name.partition(".out.")
        if field == "predicted_image_embedding":
            for again in ("", ", again"):  # from the results that the first call kept
                answer = prior(**arguments(tensors, case)).predicted_image_embedding
                near(f"{case}{how}{again}", answer, tensors[name])


def check_kept(prior, tensors):
    """Prompts and timesteps that change from call to call: each answer is that of a model that keeps nothing."""
    plain = apriori_prior.load(sys.argv[1], threads=1, incremental=False)
    a = arguments(tensors, "mask_ragged")
    text, pooled, mask = (a[name].copy() for name in ("encoder_hidden_states", "proj_embedding", "attention_mask"))
    for i, t in enumerate((999, 500, 500, 0, 999, 999, 999, 250, 999)):
        rows = [0, 0, 1, 2, 1] if i in (3, 7) else [0, 0, 1]
        if i == 2:  # in place: the same arrays with other numbers
            text[1, 2] += 0.5
        if i == 5:
            pooled[0, 3] += 0.5
        if i == 6:
            mask[0, 1] ^= 1
        given = dict(hidden_states=a["hidden_states"][rows] * (i + 1), timestep=t, proj_embedding=pooled[rows],
                     encoder_hidden_states=text[rows], attention_mask=mask[rows].astype(bool))
        near(f"call {i} at timestep {t}", prior(**given).predicted_image_embedding, plain(**given).predicted_image_embedding)


def check_arguments(prior, a):
    want = prior(**a).predicted_image_embedding
    same = lambda what, **other: expect(what, np.array_equal(prior(**(a | other)).predicted_image_embedding, want))
    same("arrays that are not contiguous", hidden_states=np.asfortranarray(a["hidden_states"]),
         proj_embedding=np.repeat(a["proj_embedding"], 2, axis=1)[:, ::2])
    same("a mask of integers", attention_mask=a["attention_mask"].astype(np.int64))
    same("a mask of truth values", attention_mask=a["attention_mask"] != 0)
    same("the buffer protocol", proj_embedding=memoryview(a["proj_embedding"]))
    same("timesteps of another type", timestep=a["timestep"].astype(np.float64))
    expect("a tuple", np.array_equal(prior(**a, return_dict=False)[0], want))
    at = lambda timestep: prior(**(a | {"timestep": timestep})).predicted_image_embedding
    expect("numbers are cut to integers", all(np.array_equal(at(t), at(3)) for t in (3.7, np.float32(3.7), np.int64(3))))
    expect("arrays are not", not np.array_equal(at(np.array([3.7])), at(3)))

    width = prior.config.embedding_dim
    call = lambda **other: lambda: prior(**(a | other))
    refused("an element type", TypeError, "hidden_states: is float64; allowed: float32",
            call(hidden_states=a["hidden_states"].astype(np.float64)))
    refused("a width", ValueError, f"allowed: [rows, {width}]", call(hidden_states=a["hidden_states"][:, 1:]))
    refused("an array without axes", ValueError, "has the shape []", call(hidden_states=np.float32(1).reshape(())))
    refused("fewer rows", ValueError, "proj_embedding: as many rows", call(proj_embedding=a["proj_embedding"][:1]))
    refused("no text", ValueError, "encoder_hidden_states", call(encoder_hidden_states=None))
    refused("timesteps", ValueError, "timestep", call(timestep=np.zeros(7)))
    refused("a mask's width", ValueError, "attention_mask: must be [rows, num_embeddings]",
            call(attention_mask=a["attention_mask"][:, 1:]))
    refused("a mask's numbers", ValueError, "0 and 1", call(attention_mask=a["attention_mask"] * np.float32(0.5)))
    refused("a mask of bytes", ValueError, "0 and 1", call(attention_mask=a["attention_mask"] * 3))
    refused("a device", ValueError, "allowed: cpu", lambda: prior.to("cuda"))
    refused("a change of the config", TypeError, "can't be changed", lambda: setattr(prior.config, "num_layers", 1))
    refused("a field", AttributeError, "no field 'depth'", lambda: prior.config.depth)
    expect("the config", prior.config.time_embed_dim is None and prior.config["num_layers"] == prior.config.num_layers)


def check_loading():
    load = apriori_prior.load
    refused("another configuration", ValueError, "load the type of this configuration", lambda: load(sys.argv[2]))
    refused("a folder that is not there", FileNotFoundError, "no_such_folder", lambda: load("no_such_folder"))
    refused("threads", ValueError, "threads: is 0; allowed: 1 to", lambda: load(sys.argv[1], threads=0))


def check_threads(prior, tensors):
    """Concurrent calls from several threads: each gets its own answer."""
    cases = ["mask_ragged", "mask_hole", "no_mask"]
    wrong = []

    def work(case):
        for _ in range(50):
            answer = prior(**arguments(tensors, case)).predicted_image_embedding
            want = tensors[f"{case}.out.predicted_image_embedding"]
            if np.abs(answer - want).max() > TOLERANCE * np.abs(want).max():
                wrong.append(case)

    workers = [threading.Thread(target=work, args=(case,)) for case in cases]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    expect("calls of three threads", not wrong)


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    tensors = read(folder / "cases.safetensors")
    prior = apriori_prior.load(folder, threads=2)
    check_cases(apriori_prior.load(folder, threads=1, incremental=False), tensors, ", all at once")
    check_cases(prior, tensors, "")
    check_kept(prior, tensors)
    check_arguments(prior, arguments(tensors, "mask_ragged"))
    check_threads(prior, tensors)
    weights = read(folder / "diffusion_pytorch_model.safetensors")
    latents = arguments(tensors, "mask_ragged")["hidden_states"]
    near("post_process_latents", prior.post_process_latents(latents), latents * weights["clip_std"] + weights["clip_mean"])
    check_loading()
    print(f"{failures} failures" if failures else "all as diffusers has it")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
