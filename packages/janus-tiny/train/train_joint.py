# Stage 2: language decoder, vision tower, aligners and heads learn together to answer and to draw.
#
# Every step has a batch of pictures with several questions each and a batch of requests with the codes of their pictures.
# The learning rate follows the clock, not a count of steps, so that the schedule is complete whenever time is up.

import math
import time

import torch
import torch.nn.functional as F

from janus_data import IGNORED, as_bytes
from janus_forward import decoder_layers
from janus_report import export


def initialise(model, codebook, layers):
    """Initial weights for a narrow model: products keep the size of their input, residual branches start small."""
    janus = model.model
    branch = (2 * layers) ** -0.5
    with torch.no_grad():
        for name, module in model.named_modules():
            if name.startswith("model.vqmodel"):
                continue
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                std = module.weight[0].numel() ** -0.5
                if name.endswith(("o_proj", "down_proj", "projection_layer", "fc2")):
                    std *= branch
                if name.endswith(("lm_head", "vision_head")):
                    std *= 0.5
                module.weight.normal_(0, std)
                if module.bias is not None:
                    module.bias.zero_()
        janus.language_model.embed_tokens.weight.normal_(0, 0.5)
        janus.vision_model.embeddings.position_embedding.weight.normal_(0, 0.3)
        # Codes that look alike start alike: the codebook, scaled to a variance of one.
        janus.generation_embeddings.weight.copy_(codebook * codebook.shape[1] ** 0.5)


class Average:
    """Exponential moving average of parameters; young averages forget faster."""

    def __init__(self, parameters, decay=0.999):
        self.parameters, self.decay, self.steps = parameters, decay, 0
        self.values = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def follow(self):
        self.steps += 1
        torch._foreach_lerp_(self.values, self.parameters, 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))

    @torch.no_grad()
    def __enter__(self):
        """Puts the average, rounded as it will be stored, in place of the parameters."""
        self.kept = [p.detach().clone() for p in self.parameters]
        for parameter, value in zip(self.parameters, self.values):
            parameter.copy_(value.to(torch.bfloat16))

    @torch.no_grad()
    def __exit__(self, *_):
        for parameter, value in zip(self.parameters, self.kept):
            parameter.copy_(value)


def losses(forward, data, codes, scenes, requested, generator):
    """Mean cross entropy of descriptions, of short answers and of codes."""
    split = data.train
    _, inputs, targets = data.questions(split, scenes, generator)
    pixels = data.pixels(split, scenes)
    pixels = pixels + 0.02 * torch.randn(pixels.shape, device=data.device, generator=generator)
    logits = forward.answer(data, pixels, inputs)
    border = data.widths[0]
    entropy = lambda part: F.cross_entropy(
        logits[:, part].float().flatten(0, 1), targets[:, part].flatten(), ignore_index=IGNORED
    )
    description, short = entropy(slice(0, border)), entropy(slice(border, None))

    request = split.drawing[requested]
    ids, length = data.requests.ids[request], data.requests.length[request]
    # A tenth of the rows learns what pictures look like at all, for guidance.
    blank = torch.rand(len(ids), 1, device=data.device, generator=generator) < 0.1
    ids = torch.where(blank, data.without_words(ids, length), ids)
    wanted = codes[requested].long()
    drawing = F.cross_entropy(forward.draw(ids, length, wanted).float().flatten(0, 1), wanted.flatten())
    return description, short, drawing


@torch.no_grad()
def exact_answers(forward, data, most=1000, batch=128):
    """Share of answers that greedy decoding would write exactly, by the first words of the question.

    Greedy decoding writes the right answer exactly if every token of it is the likeliest after those before, so one pass
    over the right answers decides it.
    """
    split, right, asked = data.validation, {}, {}
    most = min(most, len(split))
    for start in range(0, most, batch):
        scenes = torch.arange(start, min(start + batch, most), device=data.device)
        pairs, inputs, targets = data.questions(split, scenes)
        best = forward.answer(data, data.pixels(split, scenes), inputs).argmax(-1)
        good = ((best == targets) | (targets == IGNORED)).split(data.widths, 1)
        good = torch.stack([part.all(1) for part in good], 1).cpu().tolist()
        counts = split.short_count[scenes].tolist()
        for row, (numbers, count) in enumerate(zip(pairs[:, :, 0].tolist(), counts)):
            for slot in range(min(1 + count, len(numbers))):
                words = data.prompt_texts[numbers[slot]].split("<image_placeholder>")[1].split()
                for kind in ("descriptions" if slot == 0 else "short", "all", " ".join(words[:2])):
                    asked[kind] = asked.get(kind, 0) + 1
                    right[kind] = right.get(kind, 0) + good[row][slot]
    return {kind: right[kind] / asked[kind] for kind in sorted(asked, key=asked.get, reverse=True)}


@torch.no_grad()
def drawing_entropy(forward, data, codes, most=512, batch=128):
    """Mean cross entropy of the codes of validation pictures, nats a code."""
    split, total, most = data.validation, 0.0, min(most, len(data.validation))
    for start in range(0, most, batch):
        scenes = torch.arange(start, min(start + batch, most), device=data.device)
        request, wanted = split.drawing[scenes], codes[scenes].long()
        logits = forward.draw(data.requests.ids[request], data.requests.length[request], wanted).float()
        total += F.cross_entropy(logits.flatten(0, 1), wanted.flatten()).item() * len(scenes)
    return total / most


def compile_layers(forward, run, step):
    """Compiles the decoder and takes one step with it; without success everything stays as it was."""
    try:
        begin = time.time()
        forward.compiled = torch.compile(decoder_layers, dynamic=False)
        step()
        run.say(f"decoder compiled in {time.time() - begin:.0f} s")
    except Exception as error:
        forward.compiled = None
        run.say(f"not compiled: {type(error).__name__}: {str(error)[:200]}")
    run.record["compiled"] = forward.compiled is not None


def train_joint(model, forward, data, codes, seconds, run, rows=256, drawings=256, rate=1.5e-3, compiled=False,
                most_steps=None, validate_every=60, seed=0):  # fmt: skip
    """Trains in place for about `seconds`. Returns the average, whose values are the result.

    codes: of training and validation pictures, [N, n] each.
    """
    device, begin = data.device, time.time()
    named = [(name, p) for name, p in model.named_parameters() if not name.startswith("model.vqmodel.")]
    parameters = [p for _, p in named]
    for parameter in parameters:
        parameter.requires_grad_(True)
    decayed = lambda name, p: p.ndim >= 2 and "embed" not in name
    groups = [
        {"params": [p for name, p in named if decayed(name, p)], "weight_decay": 0.05},
        {"params": [p for name, p in named if not decayed(name, p)], "weight_decay": 0.0},
    ]
    make_optimizer = lambda: torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=device.type == "cuda")
    optimizer, average = make_optimizer(), Average(parameters)
    generator = torch.Generator(device).manual_seed(seed)
    amount = len(data.train)
    draw = lambda count: torch.randint(amount, (count,), device=device, generator=generator)
    record = {"rows": rows, "drawings": drawings, "rate": rate, "rowLength": data.row_length, "history": [], "validation": []}
    run.record["joint"] = record
    good, sums = [p.detach().clone() for p in parameters], torch.zeros(3, device=device)

    def backward():
        parts = losses(forward, data, codes[0], draw(rows), draw(drawings), generator)
        optimizer.zero_grad(set_to_none=True)
        sum(parts).backward()
        return torch.stack(parts).detach()

    if compiled:
        compile_layers(forward, run, backward)
    step, since, scale, validated, saved = 0, 0, 1.0, time.time(), time.time()
    progress = lambda: max((time.time() - begin) / seconds, step / most_steps if most_steps else 0)
    mark = time.time()
    while (fraction := progress()) < 1 and not run.stopped:
        for group in optimizer.param_groups:
            cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction))
            group["lr"] = rate * scale * min(1, (step + 1) / 300) * cosine
        sums += backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.follow()
        step, since = step + 1, since + 1
        if step % 25 == 0 or step in (1, 5) or step == most_steps:
            means = (sums / since).tolist()
            sums.zero_()
            if not all(map(math.isfinite, means)):
                run.say(f"step {step}: the loss is not finite; back to the last good weights at half the rate")
                with torch.no_grad():
                    for parameter, value in zip(parameters, good):
                        parameter.copy_(value)
                optimizer, scale, since = make_optimizer(), scale / 2, 0
                average = Average(parameters)
                continue
            with torch.no_grad():
                torch._foreach_copy_(good, parameters)
            pace = since / max(time.time() - mark, 1e-6)
            record["history"].append(
                {"step": step, "seconds": time.time() - begin, "stepsPerSecond": pace,
                 "description": means[0], "short": means[1], "drawing": means[2]}
            )  # fmt: skip
            if step % 500 == 0 or step in (1, 5, 25) or step == most_steps:
                run.say(
                    f"joint {step} ({fraction:.0%}): description {means[0]:.4f}, short {means[1]:.4f}, "
                    f"drawing {means[2]:.4f}, {pace:.1f} steps/s"
                )
            mark, since = time.time(), 0
            if time.time() - validated > validate_every:
                validate(forward, data, codes[1], average, run, step, time.time() - begin)
                if time.time() - saved > 110:
                    with average:
                        export(model, run.path("model.safetensors"))
                    run.save()
                    saved = time.time()
                validated = mark = time.time()
    record["steps"], record["seconds"] = step, time.time() - begin
    return average


def validate(forward, data, codes, average, run, step, seconds, most=250):
    """Puts accuracy and drawing loss of the average into the record."""
    with average:
        entry = {
            "step": step, "seconds": seconds, "drawing": drawing_entropy(forward, data, codes),
            "exact": exact_answers(forward, data, most),
        }  # fmt: skip
    run.record["joint"]["validation"].append(entry)
    exact = entry["exact"]
    run.say(
        f"validation at {step}: exact {exact['all']:.2%} (descriptions {exact['descriptions']:.2%}, short "
        f"{exact['short']:.2%}), drawing {entry['drawing']:.4f}"
    )
    return entry


@torch.no_grad()
def draw_samples(forward, codec, data, codes, settings, count, run, deadline):
    """Draws the first validation requests once a setting. Returns names, pictures u8 [n, count, S, S, 3] and codes."""
    split, count = data.validation, min(count, len(data.validation))
    scenes = torch.arange(count, device=data.device)
    request = split.drawing[scenes]
    ids, length = data.requests.ids[request], data.requests.length[request]
    blank = data.without_words(ids, length)
    names, drawn = ["original", "reconstruction"], [codes[:count].long()] * 2
    pictures = [split.images[:count], as_bytes(codec.decode(drawn[1]))]
    for guidance, temperature in settings:
        if time.time() > deadline:
            run.say("no time for further drawings")
            break
        generator = torch.Generator(data.device).manual_seed(1)
        drawn.append(forward.sample_codes(ids, length, blank, codes.shape[1], guidance, temperature, generator))
        pictures.append(as_bytes(codec.decode(drawn[-1])))
        names.append(f"guidance {guidance} temperature {temperature}")
        run.say(f"drew {count} pictures with {names[-1]}")
    prompts = [data.request_texts[number] for number in request.tolist()]
    return names, torch.stack(pictures).cpu(), torch.stack(drawn).cpu(), prompts
