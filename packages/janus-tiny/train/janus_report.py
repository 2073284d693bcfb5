# What a run leaves behind: its record, pictures, curves and the checkpoint. Every file is replaced whole, so that a run that
# is cut short leaves the last good one.

import json
import os
import platform
import shutil
import signal
import struct
import tempfile
import time
import zlib

import numpy as np
import torch


class Run:
    """The record of a run, written to training.json, and whether it was asked to stop."""

    def __init__(self, out, arguments):
        os.makedirs(out, exist_ok=True)
        self.out, self.begin, self.stopped = out, time.time(), False
        self.record = {"arguments": arguments, "versions": versions(), "checks": {}}
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)

    def _stop(self, *_):
        self.say("asked to stop: the run ends after this step")
        self.stopped = True

    def seconds(self):
        return time.time() - self.begin

    def say(self, text):
        print(f"[{self.seconds():6.1f} s] {text}", flush=True)

    def path(self, name):
        return os.path.join(self.out, name)

    def save(self):
        self.record["seconds"] = self.seconds()
        replace(self.path("training.json"), json.dumps(self.record, indent=1).encode())

    def attempt(self, name, action):
        """Runs something that must not end the run; its result or its error goes into the record."""
        try:
            self.record["checks"][name] = action()
        except Exception as error:
            self.record["checks"][name] = f"failed: {type(error).__name__}: {str(error)[:300]}"
        self.say(f"{name}: {self.record['checks'][name]}")


def versions():
    found = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    for name in ("transformers", "tokenizers", "safetensors"):
        try:
            found[name] = __import__(name).__version__
        except Exception:
            found[name] = "unknown"
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return found


def replace(path, content):
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.replace(path + ".part", path)


def write_png(path, pixels):
    """u8 [H, W, 3] to a PNG file."""
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], 1).tobytes()
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 6)), chunk(b"IEND", b"")]
    replace(path, b"".join(parts))


def write_grid(path, rows, scale=2, gap=2):
    """Rows of pictures, each u8 [n, S, S, 3], as one PNG."""
    rows = [row.cpu().numpy().repeat(scale, 1).repeat(scale, 2) for row in rows]
    side, most = rows[0].shape[1] + gap, max(len(row) for row in rows)
    canvas = np.full((len(rows) * side + gap, most * side + gap, 3), 128, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            canvas[i * side + gap : (i + 1) * side, j * side + gap : (j + 1) * side] = picture
    write_png(path, canvas)


def write_curves(path, record):
    """Losses and accuracies over time as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4))
    tokenizer = record.get("imageTokenizer", {}).get("history", [])
    axes[0].plot([e["seconds"] for e in tokenizer], [e["psnr"] for e in tokenizer])
    axes[0].set(title="image tokenizer", xlabel="seconds", ylabel="PSNR of a batch, dB")
    joint = record.get("joint", {})
    history = joint.get("history", [])
    for name in ("description", "short", "drawing"):
        axes[1].plot([e["seconds"] for e in history], [e[name] for e in history], label=name)
    axes[1].set(title="joint training", xlabel="seconds", ylabel="cross entropy", yscale="log")
    axes[1].legend()
    validation = joint.get("validation", [])
    for name in ("descriptions", "short"):
        axes[2].plot([e["seconds"] for e in validation], [e["exact"][name] for e in validation], "o-", label=name)
    axes[2].set(title="validation", xlabel="seconds", ylabel="answers that match exactly", ylim=(0, 1))
    axes[2].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def build_model(config):
    """JanusForConditionalGeneration with the sizes of config.json, float32, random weights."""
    from transformers import JanusConfig, JanusForConditionalGeneration

    parts = {
        name: {key: value for key, value in config[name].items() if key not in ("torch_dtype", "dtype")}
        for name in ("text_config", "vision_config", "vq_config")
    }
    janus = JanusConfig(image_token_id=config["image_token_id"], tie_word_embeddings=False, **parts)
    model = JanusForConditionalGeneration._from_config(janus, attn_implementation="eager").float()
    if model.lm_head.weight.data_ptr() == model.model.language_model.embed_tokens.weight.data_ptr():
        raise SystemExit("lm_head shares its storage with the embeddings")
    return model


def export(model, path):
    """Writes the weights in bfloat16 under the names of transformers. Returns (parameters, bytes)."""
    from safetensors.torch import save_file

    weights = {
        name: value.detach().to("cpu", torch.bfloat16).contiguous().clone()
        for name, value in model.state_dict().items()
        if not name.endswith(("position_ids", "inv_freq"))
    }
    save_file(weights, path + ".part", metadata={"format": "pt"})
    os.chmod(path + ".part", 0o644)
    os.replace(path + ".part", path)
    return sum(value.numel() for value in weights.values()), os.path.getsize(path)


def load_weights(model, path):
    """Reads a checkpoint of export() back; every name must be there."""
    from safetensors.torch import load_file

    result = model.load_state_dict(load_file(path), strict=False)
    missing = [name for name in result.missing_keys if not name.endswith(("position_ids", "inv_freq"))]
    if missing or result.unexpected_keys:
        raise SystemExit(f"{path}: missing {missing[:3]}, unexpected {result.unexpected_keys[:3]}")


def reload(weights, model_folder, device):
    """The checkpoint through transformers' own from_pretrained, float32."""
    from transformers import JanusForConditionalGeneration

    with tempfile.TemporaryDirectory() as folder:
        for name in os.listdir(model_folder):
            if name.endswith(".json"):
                shutil.copy(os.path.join(model_folder, name), folder)
        shutil.copy(weights, os.path.join(folder, "model.safetensors"))
        model = JanusForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", tie_word_embeddings=False
        )
    return model.eval().to(device)
