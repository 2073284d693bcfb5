# Stage 1: the image tokenizer. Encoder, codebook and decoder learn to rebuild pictures from 16 x 16 codes.
#
# It starts as a plain autoencoder; then k-means over its latents makes the codebook, which from there on follows the mean
# of what it is used for (an exponential moving average). Codes that fall out of use restart at badly matched latents.

import math
import time

import torch
import torch.nn.functional as F

from janus_data import as_pixels


class Codebook:
    """Codes on the unit sphere that follow the latents assigned to them."""

    decay = 0.99
    least_use = 0.05  # of an average code's use; below it a code restarts

    def __init__(self, embedding):
        self.embedding = embedding
        self.size = embedding.weight.shape[0]

    def _set(self, sums, counts):
        self.sums, self.counts = sums, counts
        self.embedding.weight.data.copy_(F.normalize(sums, dim=-1))

    @torch.no_grad()
    def start(self, latents, rounds=20):
        """k-means over latents [N, D]; centres start far from each other."""
        centres = latents[torch.randint(len(latents), (self.size,), device=latents.device)].clone()
        for _ in range(rounds):
            chosen = (latents @ centres.t()).argmax(-1)
            sums, counts = self._sum(latents, chosen)
            centres = F.normalize(sums, dim=-1)
            empty = (counts == 0).nonzero()[:, 0]
            centres[empty] = self._misfits(latents, centres, len(empty))
        self._set(centres * 1.0, torch.ones_like(counts))

    def _sum(self, latents, chosen):
        # A product with a one-hot matrix: neither atomics nor a wait for the device.
        member = (chosen[None, :] == torch.arange(self.size, device=chosen.device)[:, None]).float()
        return member @ latents, member.sum(1)

    def _misfits(self, latents, centres, count):
        """Latents drawn with a chance that grows with their distance from the nearest centre."""
        pool = latents[torch.randint(len(latents), (8192,), device=latents.device)]
        distance = (1 - (pool @ centres.t()).max(-1).values).clamp(min=0) + 1e-6
        return pool[torch.multinomial(distance, count, replacement=True)] if count > 0 else pool[:0]

    @torch.no_grad()
    def follow(self, latents, chosen):
        """One step towards the means of what was assigned, latents [N, D]. Counts are shares of the average use."""
        sums, counts = self._sum(latents, chosen)
        scale = self.size / len(latents)
        self._set(
            self.sums.lerp(sums * scale, 1 - self.decay),
            self.counts.lerp(counts * scale, 1 - self.decay),
        )

    @torch.no_grad()
    def restart_unused(self, latents):
        """Moves codes that are hardly used to badly matched latents; returns nothing, waits for nothing."""
        unused = self.counts < self.least_use
        fresh = self._misfits(latents, self.embedding.weight.data, self.size)
        sums = torch.where(unused[:, None], fresh, self.sums)
        self._set(sums, torch.where(unused, torch.ones_like(self.counts), self.counts))


def edge_weight(pixels):
    """1 on plain areas, up to 4 beside edges: shapes are small and their outlines smaller. [B, 1, S, S]"""
    across = F.pad((pixels[..., 1:] - pixels[..., :-1]).abs().amax(1, keepdim=True), (1, 0))
    down = F.pad((pixels[..., 1:, :] - pixels[..., :-1, :]).abs().amax(1, keepdim=True), (0, 0, 1, 0))
    return 1 + 3 * F.max_pool2d((across + down).clamp(max=1), 3, 1, 1)


def initialise(vq):
    """PyTorch's own initial values; transformers' are too small to train from."""
    for module in vq.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.GroupNorm)):
            module.reset_parameters()


def train_image_tokenizer(codec, data, seconds, run, batch=256, rate=1.5e-3, most_steps=None, seed=0):
    """Trains in place for about `seconds`; `run` is the record of the run."""
    device = data.device
    vq = codec.vq
    initialise(vq)
    vq.train().requires_grad_(True)
    codebook = Codebook(vq.quantize.embedding)
    vq.quantize.embedding.weight.requires_grad_(False)
    parameters = [p for p in vq.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(seed)
    images, begin, step, history = data.train.images, time.time(), 0, []
    progress = lambda: max((time.time() - begin) / seconds, step / most_steps if most_steps else 0)
    quantise = False
    while (fraction := progress()) < 1 and not run.stopped:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))
        pixels = as_pixels(images[torch.randint(len(images), (batch,), device=device, generator=generator)])
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            latents = codec.latents(pixels)
            flat = latents.detach().flatten(0, 2)
            read, commitment = latents, torch.zeros((), device=device)
            with torch.autocast(device.type, enabled=False):
                if not quantise and fraction > 0.1:
                    codebook.start(flat)
                    quantise = True
                if quantise:
                    chosen = codec.nearest(latents)
                    nearest = F.embedding(chosen, codec.codebook()).detach()
                    commitment = (latents - nearest).square().sum(-1).mean()
                    read = latents + (nearest - latents).detach()
                    codebook.follow(flat, chosen.flatten())
                    if step % 50 == 0 and fraction < 0.7:
                        codebook.restart_unused(flat)
            rebuilt = codec.pixels(read).float()
        error = rebuilt - pixels
        weighted = edge_weight(pixels) * (error.abs() + 2 * error.square())
        loss = weighted.mean() + 0.25 * commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if step % 50 == 0 or step == 1:
            entry = {
                "step": step, "seconds": time.time() - begin, "loss": loss.item(), "commitment": commitment.item(),
                "psnr": -10 * math.log10(max(error.square().mean().item() / 4, 1e-12)),
            }  # fmt: skip
            history.append(entry)
            if not math.isfinite(entry["loss"]):
                raise SystemExit("the image tokenizer diverged: lower its rate")
            if step % 500 == 0 or step == 1:
                run.say(f"tokenizer {step}: loss {entry['loss']:.4f}, psnr {entry['psnr']:.2f}, {entry['seconds']:.0f} s")
    if not quantise:
        codebook.start(codec.latents(pixels).detach().flatten(0, 2))
    vq.eval().requires_grad_(False)
    # From here on the tokenizer is what the file will hold.
    for parameter in vq.parameters():
        parameter.data.copy_(parameter.data.to(torch.bfloat16).float())
    run.record["imageTokenizer"] = {"steps": step, "seconds": time.time() - begin, "batch": batch, "history": history}


@torch.no_grad()
def encode_all(codec, images, batch=1024):
    """Codes [N, n] of all pictures, i16."""
    parts = [codec.encode(as_pixels(images[i : i + batch])).to(torch.int16) for i in range(0, len(images), batch)]
    return torch.cat(parts)


@torch.no_grad()
def judge_image_tokenizer(codec, images, codes):
    """Mean PSNR over pictures (dB, of the range 0 to 1) and how the codes are used."""
    psnr = []
    for i in range(0, len(images), 512):
        pixels = as_pixels(images[i : i + 512])
        rebuilt = codec.decode(codes[i : i + 512].long()).clamp(-1, 1)
        psnr.append(-10 * torch.log10(((rebuilt - pixels) / 2).square().mean((1, 2, 3)).clamp(min=1e-12)))
    size = codec.vq.quantize.embedding.weight.shape[0]
    share = torch.bincount(codes.flatten().long(), minlength=size).float() / codes.numel()
    entropy = -(share * share.clamp(min=1e-12).log()).sum().item()
    psnr = torch.cat(psnr)
    return {
        "psnr": psnr.mean().item(), "worstPsnr": psnr.min().item(),
        "codesUsed": int((share > 0).sum()), "perplexity": math.exp(entropy),
    }  # fmt: skip
