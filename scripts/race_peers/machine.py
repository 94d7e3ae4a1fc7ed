# SPDX-License-Identifier: Apache-2.0
"""The machine that the race ran on."""
import importlib.metadata, os, pathlib, platform, subprocess, time

FLAGS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8")


def machine():
    """{cpu, cores, flags, memory_gb, system}; `cores` are those that this process may use."""
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    has = set(fields.get("flags", fields.get("Features", "")).split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": f"{fields.get('model name', platform.machine())} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})",
            "cores": len(os.sched_getaffinity(0)), "flags": [f for f in FLAGS if f in has], "memory_gb": round(memory, 1),
            "system": f"{platform.system()} {platform.release()}"}


def versions():
    names = ("torch", "diffusers", "onnxruntime", "onnx", "openvino", "nncf", "numpy")
    found = {n: importlib.metadata.version(n) for n in names}
    compiler = subprocess.run([os.environ.get("CXX", "c++"), "--version"], capture_output=True, text=True)
    return {"python": platform.python_version(), **found, "compiler": compiler.stdout.partition("\n")[0]}


def busy(seconds=2.0):
    """The number of cores that are busy, to be called while nothing of the race runs: the result is other work. Above
    half a core the figures cannot be trusted."""
    def spent():
        line = pathlib.Path("/proc/stat").read_text().partition("\n")[0]
        ticks = [int(t) for t in line.split()[1:9]]
        return sum(ticks) - ticks[3] - ticks[4]  # all except idle and waiting for input
    before = spent()
    time.sleep(seconds)
    return (spent() - before) / os.sysconf("SC_CLK_TCK") / seconds
