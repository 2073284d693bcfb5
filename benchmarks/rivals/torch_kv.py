#!/usr/bin/env python3
"""Speed of plain PyTorch on the work of a key/value cache: decode attention, layout changes, copies (one CUDA GPU).

    python3 torch_kv.py --json out.json                       # everything, ends within --deadline seconds
    python3 torch_kv.py --sections attention --batches 8
    python3 torch_kv.py --device cpu --scale 64               # a try without a GPU: sizes divided, times meaningless

Sections
  ceilings    sum() of a large buffer, clone(), copies from and to pinned host memory
  attention   scaled_dot_product_attention of one query over contiguous bf16 caches, with index_copy_ of the new token first.
              Every backend is tried; grouped heads also as rows of one query block. All layers have caches of their own (at
              least 4 GB together, so that the L2 cache does not help) and run in one CUDA graph; the fastest variant counts.
  transforms  transpose(1, 2).contiguous(), contiguous to pages with index_copy_, pages to contiguous with index_select
Times are CUDA events around several replays, the median of --runs. The file holds { info, rows }, and each row an id as
`npm run bench -- kv` writes it, in which `*` stands for any one part; benchmarks/lib/add-rivals.ts reads it.
Measured with torch 2.11 and CUDA 13.0.
"""

import argparse
import contextlib
import gc
import json
import os
import statistics
import sys
import threading
import time

START = time.time()
ROWS, LOCK = [], threading.Lock()
SHAPES = {"janus-pro-7b": (30, 32, 32, 128), "glm-4v-9b": (40, 32, 2, 128)}  # layers, query heads, key heads, head size
PAGE = 16


def row(id, name, median, unit, note=""):
    with LOCK:
        ROWS.append({"section": "kv", "id": id, "name": name, "median": median, "unit": unit, "note": note})
    print(f"{id:<52} {median:>10.4g} {unit:<5} {name}  {note}", flush=True)


def finish(path, info):
    if path:
        with LOCK, open(path, "w") as file:
            json.dump({"info": info, "rows": ROWS}, file, indent=1)
            file.write("\n")
    print(f"total {time.time() - START:.0f} s", flush=True)


class Bench:
    def __init__(self, torch, args):
        self.torch, self.args = torch, args
        self.cuda = args.device != "cpu"
        self.dtype = torch.bfloat16

    def left(self):
        return self.args.deadline - (time.time() - START)

    def size(self, count):
        """A size on a GPU, a fraction of it in a try."""
        return max(1, count // self.args.scale)

    def empty(self, *shape, dtype=None):
        return self.torch.empty(shape, device=self.args.device, dtype=dtype or self.dtype)

    def normal(self, *shape):
        return self.torch.randn(shape, device=self.args.device, dtype=self.dtype)

    def clean(self):
        gc.collect()
        if self.cuda:
            self.torch.cuda.empty_cache()

    def timed(self, run, repeat):
        """Milliseconds per call."""
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(repeat):
                run()
            return (time.perf_counter() - start) * 1000 / repeat
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeat):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / repeat

    def milliseconds(self, run):
        """Median of the runs; each is long enough that its ends weigh nothing."""
        run()
        once = self.timed(run, 1)
        repeat = 1 if not self.cuda else max(2, min(200, int(15 / max(once, 1e-3))))
        return statistics.median(self.timed(run, repeat) for _ in range(self.args.runs))

    @contextlib.contextmanager
    def captured(self, step):
        """`step` as a CUDA graph where there is a GPU."""
        if not self.cuda:
            yield step
            return
        side = self.torch.cuda.Stream()
        side.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(side):
            step()
        self.torch.cuda.current_stream().wait_stream(side)
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            step()
        yield graph.replay
        graph.reset()


def ceilings(bench):
    torch = bench.torch
    elements = bench.size(2**30)
    x = torch.zeros(elements, device=bench.args.device, dtype=torch.int32)
    rate = 4 * elements / bench.milliseconds(lambda: x.sum()) / 1e9
    row("ceiling/read", "PyTorch sum()", rate, "TB/s")
    half, target = x[: elements // 2], torch.empty_like(x[elements // 2 :])
    rate = 2 * half.nbytes / bench.milliseconds(lambda: target[: half.numel()].copy_(half)) / 1e9
    row("ceiling/copy", "PyTorch copy_()", rate, "TB/s")
    rate = 2 * half.nbytes / bench.milliseconds(lambda: half.clone()) / 1e9
    row("ceiling/copy", "PyTorch clone()", rate, "TB/s")
    device = x[: bench.size(2**28)]
    host = torch.empty(device.shape, dtype=device.dtype, pin_memory=bench.cuda)
    rate = device.nbytes / bench.milliseconds(lambda: host.copy_(device, non_blocking=True)) / 1e6
    row("ceiling/link-out", "PyTorch copy to pinned memory", rate, "GB/s")
    rate = device.nbytes / bench.milliseconds(lambda: device.copy_(host, non_blocking=True)) / 1e6
    row("ceiling/link-in", "PyTorch copy from pinned memory", rate, "GB/s")


def variants(bench, heads, key_heads):
    """Ways to call scaled_dot_product_attention, by name: (backends, whether the heads of a group are rows of one block)."""
    backend = bench.torch.nn.attention.SDPBackend
    names = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION", "cudnn": "CUDNN_ATTENTION", "math": "MATH"}
    found = {name: getattr(backend, member) for name, member in names.items() if hasattr(backend, member)}
    for name, value in found.items():
        yield name, value, False
    if heads != key_heads:
        for name, value in found.items():
            yield f"{name}, group as rows", value, True


def attention_case(bench, model, batch, context):
    torch = bench.torch
    model_layers, heads, key_heads, width = SHAPES[model]
    layer_bytes = 2 * batch * key_heads * context * width * 2
    most = max(int(24e9 // layer_bytes), -(-int(4e9) // layer_bytes))
    layers = max(1, min(max(model_layers, -(-int(4e9) // layer_bytes)), most)) if bench.cuda else 2
    caches = [(bench.empty(batch, key_heads, context, width), bench.empty(batch, key_heads, context, width)) for _ in range(layers)]
    keys, values = bench.normal(batch, key_heads, context, width), bench.normal(batch, key_heads, context, width)
    for key, value in caches:
        key.copy_(keys)
        value.copy_(values)
    del keys, values
    q = bench.normal(batch, heads, 1, width)
    new_key, new_value = bench.normal(batch, key_heads, 1, width), bench.normal(batch, key_heads, 1, width)
    position = torch.tensor([context - 1], device=bench.args.device)
    best, tried = None, []
    for name, backend, as_rows in variants(bench, heads, key_heads):
        query = q.view(batch, key_heads, heads // key_heads, width) if as_rows else q
        grouped = {"enable_gqa": True} if heads != key_heads and not as_rows else {}

        def step():
            for key, value in caches:
                key.index_copy_(2, position, new_key)
                value.index_copy_(2, position, new_value)
                torch.nn.functional.scaled_dot_product_attention(query, key, value, **grouped)

        if bench.left() < 3 or (name.startswith("math") and best is not None):
            continue  # the unfused path is only for sizes that no other backend can do
        try:
            with torch.nn.attention.sdpa_kernel(backend), bench.captured(step) as replay:
                milliseconds = bench.milliseconds(replay)
        except Exception as error:  # a backend that cannot do these sizes; the others may
            tried.append(f"{name}: {type(error).__name__}")
            with contextlib.suppress(Exception):
                bench.clean()
            continue
        microseconds = milliseconds * 1000 / layers
        tried.append(f"{name}: {microseconds:.1f}")
        if best is None or microseconds < best[1]:
            best = (name, microseconds)
    note = f"{layers} layers; " + ", ".join(tried)
    if best is None:
        print(f"attention {model} b{batch}: nothing ran; {note}", flush=True)
        return
    name, microseconds = best
    title = f"PyTorch SDPA ({name}) over contiguous bf16 in a CUDA graph"
    row(f"kv-attention-time/{model}/*/b{batch}/c{context}", title, microseconds, "us", note)
    row(f"kv-attention-rate/{model}/bf16/b{batch}/c{context}", title, layer_bytes / microseconds / 1e6, "TB/s")


def attention(bench):
    for model in SHAPES:
        for batch in bench.args.batches:
            if bench.left() < 4:
                print(f"attention {model} b{batch}: out of time", flush=True)
                continue
            attention_case(bench, model, batch, bench.size(2048))
            bench.clean()


def transforms(bench):
    torch = bench.torch
    for model, batch in (("janus-pro-7b", bench.size(64)), ("glm-4v-9b", bench.size(512))):
        if bench.left() < 3:
            print(f"transforms {model}: out of time", flush=True)
            return
        _, _, key_heads, width = SHAPES[model]
        tokens = 2048 if bench.cuda else 64
        x = bench.normal(batch, tokens, key_heads, width)
        count = batch * tokens // PAGE
        pages = bench.empty(count, PAGE, key_heads, width)
        order = torch.randperm(count, device=bench.args.device)
        flat = x.view(count, PAGE, key_heads, width)
        target = torch.empty_like(flat)
        bench_one = lambda name, run: row(
            f"kv-transform-rate/{name}/bf16/{model}", "PyTorch", 2 * x.nbytes / bench.milliseconds(run) / 1e9, "TB/s"
        )
        bench_one("transpose-heads", lambda: x.transpose(1, 2).contiguous())
        bench_one("contiguous-to-pages", lambda: pages.index_copy_(0, order, flat))
        bench_one("pages-to-contiguous", lambda: torch.index_select(pages, 0, order, out=target))
        bench_one("swap-page-layout", lambda: pages.transpose(1, 2).contiguous())
        del x, pages, flat, target
        bench.clean()


def main():
    whole = lambda text: [int(part) for part in text.split(",") if part]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sections", default="ceilings,attention,transforms")
    parser.add_argument("--batches", type=whole, default=[8, 64])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--scale", type=int, default=1, help="divides sizes")
    parser.add_argument("--deadline", type=float, default=50, help="seconds after which nothing new is started")
    parser.add_argument("--hard-stop", type=float, default=58, help="seconds after which the process ends with what it has")
    parser.add_argument("--json", default="")
    args = parser.parse_args()
    info = {"argv": sys.argv[1:]}

    def stop():
        print(f"** hard stop after {args.hard_stop:.0f} s **", flush=True)
        with contextlib.suppress(Exception):
            finish(args.json, info)
        os._exit(0)

    guard = threading.Timer(args.hard_stop - (time.time() - START), stop)
    guard.daemon = True
    guard.start()
    import torch
    import torch.nn.attention

    info.update(torch=torch.__version__, cuda=torch.version.cuda)
    if args.device != "cpu":
        if not torch.cuda.is_available():
            print("no CUDA device:", json.dumps(info))
            return 1
        info["gpu"] = torch.cuda.get_device_name(0)
    print(json.dumps(info), flush=True)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    bench = Bench(torch, args)
    for name, section in (("ceilings", ceilings), ("attention", attention), ("transforms", transforms)):
        if name not in args.sections.split(","):
            continue
        try:
            section(bench)
        except Exception as error:
            print(f"{name} failed: {type(error).__name__}: {error}", flush=True)
        bench.clean()
    guard.cancel()
    finish(args.json, info)
    return 0


if __name__ == "__main__":
    sys.exit(main())
