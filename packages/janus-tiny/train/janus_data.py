# The training data on a device: pictures as bytes, texts as tables of token ids.
#
# Questions, answers and requests repeat, so every distinct text is tokenised once and a sample holds indices into tables.
# A row of the decoder shares one picture among several questions: [prefix with the picture | slot 0 | slot 1 | ...]. Each
# slot holds one question with its answer and sees the prefix and itself alone, at the positions it has in a row of its own.

import json
import os
from dataclasses import dataclass

import numpy as np
import torch

IGNORED = -100  # target of positions that are not learnt


@dataclass
class Special:
    bos: int
    eos: int
    pad: int
    begin_image: int
    end_image: int
    image: int


@dataclass
class Split:
    """Pictures and texts of one folder; line i belongs to picture i."""

    images: torch.Tensor  # [N, S, S, 3] u8
    description: torch.Tensor  # [N, 2] prompt and answer of the first question
    short: torch.Tensor  # [M, 2] prompt and answer of the others
    short_start: torch.Tensor  # [N] where a picture's short questions begin
    short_count: torch.Tensor  # [N]
    drawing: torch.Tensor  # [N] request to draw

    def __len__(self):
        return self.images.shape[0]


class Texts:
    """Distinct texts of a kind, numbered as they come."""

    def __init__(self):
        self.number = {}

    def add(self, text):
        return self.number.setdefault(text, len(self.number))

    @property
    def all(self):
        return list(self.number)


class Table:
    """Token ids of distinct texts, padded on the right: ids [U, L], length [U]."""

    def __init__(self, rows, pad, device):
        length = np.array([len(row) for row in rows], np.int64)
        ids = np.full((len(rows), int(length.max())), pad, np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        self.ids = torch.from_numpy(ids).to(device)
        self.length = torch.from_numpy(length).to(device)


def read_folder(folder, side, limit, prompts, answers, requests):
    """Reads a folder of export-data.ts; adds its texts to the collections."""
    picture = side * side * 3
    file = os.path.join(folder, "images.u8")
    stored = os.path.getsize(file) // picture
    count = stored if limit is None else min(stored, limit)
    images = np.fromfile(file, np.uint8, count=count * picture).reshape(count, side, side, 3)
    description, short, start, amount, drawing = [], [], [], [], []
    with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            if index == count:
                break
            sample = json.loads(line)
            pairs = [(prompts.add(q["prompt"]), answers.add(q["answer"])) for q in sample["understanding"]]
            description.append(pairs[0])
            start.append(len(short))
            amount.append(len(pairs) - 1)
            short.extend(pairs[1:])
            drawing.append(requests.add(sample["drawing"]))
    if len(drawing) != count:
        raise SystemExit(f"{folder}: samples.jsonl has {len(drawing)} lines for {count} pictures")
    as_tensor = lambda rows: torch.from_numpy(np.array(rows, np.int64))
    return Split(
        torch.from_numpy(images), as_tensor(description), as_tensor(short).reshape(-1, 2), as_tensor(start),
        as_tensor(amount), as_tensor(drawing),
    )  # fmt: skip


def move(split, device):
    for name, value in vars(split).items():
        setattr(split, name, value.to(device))
    return split


class JanusData:
    """Both splits, the tables of their texts, and the layout of a row that answers questions."""

    def __init__(self, folder, model_folder, config, device, limits=(None, None), short_slots=5):
        from tokenizers import Tokenizer

        self.device = device
        self.tokenizer = Tokenizer.from_file(os.path.join(model_folder, "tokenizer.json"))
        text, vision = config["text_config"], config["vision_config"]
        named = self.tokenizer.token_to_id
        self.special = Special(
            text["bos_token_id"], text["eos_token_id"], text["pad_token_id"],
            named("<begin_of_image>"), named("<end_of_image>"), config["image_token_id"],
        )  # fmt: skip
        self.image_tokens = (vision["image_size"] // vision["patch_size"]) ** 2

        prompts, answers, requests = Texts(), Texts(), Texts()
        collections = (prompts, answers, requests)
        side = vision["image_size"]
        self.train = read_folder(os.path.join(folder, "train"), side, limits[0], *collections)
        self.validation = read_folder(os.path.join(folder, "validation"), side, limits[1], *collections)
        self.prompt_texts, self.request_texts, self.answer_texts = prompts.all, requests.all, answers.all
        self._tokenise()
        move(self.train, device)
        move(self.validation, device)
        self._lay_out(short_slots)
        longest = max(self.prefix_length + self.widths[0], self.requests.ids.shape[1] + self.image_tokens)
        if longest > text["max_position_embeddings"]:
            raise SystemExit(f"a sample has {longest} tokens, the model has {text['max_position_embeddings']} positions")

    def _encode(self, texts, special):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=special)]

    def _tokenise(self):
        special, device = self.special, self.device
        prefix, suffixes = None, []
        for text, ids in zip(self.prompt_texts, self._encode(self.prompt_texts, True)):
            if ids.count(special.image) != 1 or ids[0] != special.bos:
                raise SystemExit(f"a prompt needs BOS and one picture: {text!r}")
            place = ids.index(special.image)
            if prefix is None:
                prefix = ids[:place]
            # One prefix for all lets every row of a batch share one mask and one set of positions.
            if ids[:place] != prefix or place + 1 == len(ids):
                raise SystemExit(f"every prompt must have the same text before its picture, and some behind: {text!r}")
            suffixes.append(ids[place + 1 :])
        answers = [ids + [special.eos] for ids in self._encode(self.answer_texts, False)]
        requests = self._encode(self.request_texts, True)
        for text, ids in zip(self.request_texts, requests):
            if ids[0] != special.bos or ids[-1] != special.begin_image:
                raise SystemExit(f"a request to draw must go from BOS to begin of image: {text!r}")
        self.image_start = len(prefix) + 1
        rows = [special.begin_image] + [special.image] * self.image_tokens + [special.end_image]
        self.prefix = torch.tensor(prefix + rows, device=device)
        self.prefix_length = len(prefix) + len(rows)
        self.suffixes = Table(suffixes, special.pad, device)
        self.answers = Table(answers, special.pad, device)
        self.requests = Table(requests, special.pad, device)

    def _lay_out(self, short_slots):
        """Widths of the slots, positions [T] and additive mask [1, 1, T, T] of a row."""

        def widest(pairs):
            # The last token of an answer is a target, never an input.
            return int((self.suffixes.length[pairs[:, 0]] + self.answers.length[pairs[:, 1]]).max()) - 1

        both = lambda name: torch.cat([getattr(self.train, name), getattr(self.validation, name)])
        first, others = widest(both("description")), widest(both("short"))
        first += -(self.prefix_length + first + short_slots * others) % 16
        self.widths = [first] + [others] * short_slots
        positions, region = [torch.arange(self.prefix_length)], [torch.zeros(self.prefix_length)]
        for slot, width in enumerate(self.widths):
            positions.append(self.prefix_length + torch.arange(width))
            region.append(torch.full((width,), slot + 1.0))
        self.positions = torch.cat(positions).to(self.device)
        region = torch.cat(region)
        total = region.shape[0]
        causal = torch.ones(total, total, dtype=torch.bool).tril()
        seen = causal & ((region[None, :] == 0) | (region[None, :] == region[:, None]))
        self.mask = torch.zeros(1, 1, total, total).masked_fill(~seen, float("-inf")).to(self.device)
        self.row_length = total

    def slot(self, pairs, width):
        """Inputs and targets [B, width] of one question each; pairs is [B, 2]."""
        column = torch.arange(width + 1, device=self.device)[None, :]
        before = self.suffixes.length[pairs[:, 0]][:, None]
        behind = self.answers.length[pairs[:, 1]][:, None]
        suffix = self.suffixes.ids[pairs[:, 0]]
        answer = self.answers.ids[pairs[:, 1]]
        from_suffix = suffix.gather(1, column.clamp(max=suffix.shape[1] - 1).expand(len(pairs), -1))
        from_answer = answer.gather(1, (column - before).clamp(0, answer.shape[1] - 1))
        ids = torch.where(column < before, from_suffix, from_answer)
        ids = torch.where(column < before + behind, ids, torch.full_like(ids, self.special.pad))
        learnt = (column[:, 1:] >= before) & (column[:, 1:] < before + behind)
        return ids[:, :-1], torch.where(learnt, ids[:, 1:], torch.full_like(ids[:, 1:], IGNORED))

    def questions(self, split, scenes, generator=None):
        """The slots of these scenes: the description, then short questions in turn from a random (or the first) one.

        Returns pairs [B, slots, 2], inputs and targets [B, T - prefix]. A scene with fewer short questions repeats them.
        """
        batch, device = len(scenes), self.device
        count, start = split.short_count[scenes].clamp(min=1), split.short_start[scenes]
        if generator is None:
            offset = torch.zeros(batch, dtype=torch.int64, device=device)
        else:
            offset = (torch.rand(batch, device=device, generator=generator) * count).long()
        turn = torch.arange(len(self.widths) - 1, device=device)[None, :]
        chosen = start[:, None] + (offset[:, None] + turn) % count[:, None]
        short = split.short[chosen.clamp(max=len(split.short) - 1)]
        none = (split.short_count[scenes] == 0)[:, None, None]
        short = torch.where(none, split.description[scenes][:, None, :], short)
        pairs = torch.cat([split.description[scenes][:, None, :], short], 1)
        inputs, targets = zip(*(self.slot(pairs[:, i], width) for i, width in enumerate(self.widths)))
        return pairs, torch.cat(inputs, 1), torch.cat(targets, 1)

    def pixels(self, split, scenes):
        """[B, 3, S, S] as the model reads them: -1 to 1."""
        return as_pixels(split.images[scenes])

    def without_words(self, ids, length):
        """Requests for the unconditional row of guidance: only the first and the last id stay."""
        column = torch.arange(ids.shape[1], device=ids.device)[None, :]
        words = (column > 0) & (column < length[:, None] - 1)
        return torch.where(words, torch.full_like(ids, self.special.pad), ids)


def as_pixels(images):
    """u8 [B, S, S, 3] to [B, 3, S, S] in -1 to 1."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def as_bytes(pixels):
    """[B, 3, S, S] in -1 to 1 to u8 [B, S, S, 3]; truncates, as Janus does."""
    return ((pixels.float() + 1) / 2 * 255).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
