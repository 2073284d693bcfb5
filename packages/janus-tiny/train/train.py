# Trains janus-tiny from the folder that export-data.ts writes to a checkpoint in transformers' format; see README.md.
#
#   python3 train.py --data DIR --model ../model --out OUT --minutes 13
#   python3 train.py --data DIR --model ../model --out OUT --smoke       the whole path in under a minute

import argparse
import json
import os
import sys

import torch

from janus_checks import compare_with_transformers
from janus_data import JanusData, as_bytes
from janus_forward import ImageCodec, JanusForward
from janus_report import Run, build_model, export, load_weights, reload, replace, write_curves, write_grid
from train_image_tokenizer import encode_all, judge_image_tokenizer, train_image_tokenizer
from train_joint import draw_samples, initialise, train_joint, validate


def read_arguments():
    parser = argparse.ArgumentParser(description="Trains janus-tiny.")
    parser.add_argument("--data", required=True, help="folder with train/ and validation/ of export-data.ts")
    parser.add_argument("--model", required=True, help="folder with config.json and tokenizer.json")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=13, help="of the whole run, reading and writing included")
    parser.add_argument("--tokenizer-share", type=float, default=0.22, help="of the training time, for the image tokenizer")
    parser.add_argument("--start-from", help="checkpoint to go on from; its image tokenizer stays as it is")
    parser.add_argument("--tokenizer-from", help="checkpoint whose image tokenizer is used as it is")
    parser.add_argument("--rows", type=int, help="pictures with questions a step")
    parser.add_argument("--drawings", type=int, help="drawings a step")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate of the joint training")
    parser.add_argument("--compile", action="store_true", help="compile the decoder: about a minute, then faster steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    return parser.parse_args()


def check_sizes(config):
    """Refuses a config whose grids of patches and codes differ, which neither transformers nor Limen would run."""
    vision, vq = config["vision_config"], config["vq_config"]
    patches = vision["image_size"] // vision["patch_size"]
    codes = vision["image_size"] // 2 ** (len(vq["channel_multiplier"]) - 1)
    if not patches == codes == vq["num_patches"] or vision["num_image_tokens"] != codes * codes:
        raise SystemExit(f"config.json: {patches} patches, {codes} codes and num_patches must be the same number a side")


def main():
    arguments = read_arguments()
    run = Run(arguments.out, vars(arguments))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    torch.manual_seed(arguments.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.enable_cudnn_sdp(False)  # its plans are made anew for every shape
    torch.backends.cudnn.benchmark = True
    with open(os.path.join(arguments.model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    check_sizes(config)
    smoke = arguments.smoke
    most_steps = (60 if cuda else 3) if smoke else None
    rows = arguments.rows or (256 if cuda else 2)
    drawings = arguments.drawings or (256 if cuda else 2)

    model = build_model(config).to(device)
    run.record["parameters"] = sum(p.numel() for p in model.parameters())
    run.say(f"{run.record['parameters']} parameters, {run.record['versions']}")
    data = JanusData(arguments.data, arguments.model, config, device, (2000, 256 if cuda else 16) if smoke else (None, None))
    run.say(
        f"{len(data.train)} + {len(data.validation)} pictures, {len(data.prompt_texts)} prompts, {len(data.answer_texts)} "
        f"answers, {len(data.request_texts)} requests; a row has {data.row_length} tokens: {data.prefix_length} + {data.widths}"
    )
    codec = ImageCodec(model)
    forward = JanusForward(model, config, torch.bfloat16 if cuda else torch.float32)

    # What remains after reading, less what the last drawings and files take.
    left = (arguments.minutes - 1.25) * 60 - run.seconds()
    known = arguments.start_from or arguments.tokenizer_from
    if known:
        load_weights(model, known)
        model.model.vqmodel.eval().requires_grad_(False)
        share = 0
    else:
        share = arguments.tokenizer_share
        batch = 256 if cuda else 8
        train_image_tokenizer(codec, data, left * share, run, batch=batch, most_steps=most_steps, seed=arguments.seed)
    codes = encode_all(codec, data.train.images), encode_all(codec, data.validation.images)
    quality = judge_image_tokenizer(codec, data.validation.images, codes[1])
    run.record["imageTokenizerQuality"] = quality
    run.say(f"image tokenizer: {quality}")
    shown = torch.arange(min(16, len(data.validation)), device=device)
    rebuilt = codec.decode(codes[1][shown].long())
    run.attempt("tokenizer picture", lambda: show_tokenizer(run, data, shown, rebuilt))
    if not arguments.start_from:
        initialise(model, codec.codebook(), config["text_config"]["num_hidden_layers"])
    export(model, run.path("model.safetensors"))
    run.attempt("agreement", lambda: compare_with_transformers(model, model, data, codes[1].long(), config))
    run.save()

    left = (arguments.minutes - 1.25) * 60 - run.seconds()
    average = train_joint(
        model, forward, data, codes, max(left, 1), run, rows, drawings, arguments.rate, arguments.compile, most_steps,
        2 if smoke else 60, arguments.seed,
    )  # fmt: skip
    finish(arguments, run, config, model, forward, codec, data, codes, average)


def show_tokenizer(run, data, shown, rebuilt):
    write_grid(run.path("image-tokenizer.png"), [data.validation.images[shown], as_bytes(rebuilt)], scale=3)
    return "written"


def finish(arguments, run, config, model, forward, codec, data, codes, average):
    """Stores the average, judges it, draws with it. The checkpoint comes first."""
    average.__enter__()  # for good: the parameters are now what the file holds
    count, size = export(model, run.path("model.safetensors"))
    run.record["checkpoint"] = {"parameters": count, "bytes": size}
    run.say(f"model.safetensors: {count} parameters, {size / 2**20:.2f} MiB")
    run.save()
    everything = 64 if arguments.smoke else 4000
    seconds = run.record["joint"]["seconds"]
    average.values = [p.detach().clone() for p in average.parameters]
    entry = validate(forward, data, codes[1], average, run, run.record["joint"]["steps"], seconds, everything)
    run.record["exact"] = entry["exact"]
    run.say(f"exact answers: {json.dumps(entry['exact'])}")
    run.attempt("curves", lambda: write_curves(run.path("curves.png"), run.record))
    run.save()

    cuda = data.device.type == "cuda"
    settings = [(5, 1), (3, 1), (2, 1), (1, 1), (3, 0), (5, 0)]
    number = 128
    if arguments.smoke:
        settings, number = ([(5, 1), (1, 0)], 8) if cuda else ([(5, 1)], 1)
    deadline = run.begin + arguments.minutes * 60

    def draw():
        names, pictures, drawn, prompts = draw_samples(
            forward, codec, data, codes[1], settings, number, run, deadline
        )
        replace(run.path("drawings.u8"), pictures.numpy().tobytes())
        listing = {
            "shape": list(pictures.shape), "settings": names, "prompts": prompts,
            "firstScene": 0, "split": "validation", "codes": drawn.tolist(),
        }  # fmt: skip
        replace(run.path("drawings.json"), json.dumps(listing, separators=(",", ":")).encode())
        write_grid(run.path("drawings.png"), [row[:16] for row in pictures])
        return names

    run.attempt("drawings", draw)
    run.save()
    run.attempt(
        "reload",
        lambda: compare_with_transformers(
            reload(run.path("model.safetensors"), arguments.model, data.device), model, data, codes[1].long(), config
        ),
    )
    run.save()
    run.say("done")
    failed = [name for name, result in run.record["checks"].items() if isinstance(result, str) and result.startswith("failed")]
    if failed:
        run.say(f"checks that failed: {failed}")
        sys.exit(3)


if __name__ == "__main__":
    main()
