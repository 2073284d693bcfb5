# Compares the forward pass written out here with transformers' own, in float32.

import torch
import torch.nn.functional as F

from janus_data import IGNORED
from janus_forward import ImageCodec, JanusForward


def compare_with_transformers(reference, model, data, codes, config):
    """Largest differences of logits and pixels between `reference`, run by transformers, and `model`, run by JanusForward.

    codes [N, n] are those of the first validation pictures. Ends with an error where the two differ by more than rounding.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        found = differences(reference, model, data, codes, config)
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.set_float32_matmul_precision(products)
    if max(found["answers"], found["drawing"], found["pixels"]) > 1e-3 * max(1.0, found["logitScale"]):
        raise ArithmeticError(f"transformers computes something else: {found}")
    return found


@torch.no_grad()
def differences(reference, model, data, codes, config, rows=2):
    own = JanusForward(model, config, torch.float32)
    split = data.validation
    scenes = torch.arange(rows, device=data.device)
    pixels = data.pixels(split, scenes)
    pairs, inputs, targets = data.questions(split, scenes)
    logits = own.answer(data, pixels, inputs)
    found = {}

    # Every question of the first row in a sequence of its own, as it will be asked.
    largest, begin = 0.0, 0
    for slot, width in enumerate(data.widths):
        part = slice(begin, begin + width)
        begin += width
        known = int((targets[0, part] != IGNORED).nonzero()[-1]) + 1
        ids = torch.cat([data.prefix, inputs[0, part][:known]])[None]
        theirs = reference(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels[:1], use_cache=False).logits
        largest = max(largest, float((theirs[0, data.prefix_length :] - logits[0, part][:known]).abs().max()))
    found["answers"] = largest

    request = split.drawing[scenes]
    ids, length = data.requests.ids[request], data.requests.length[request]
    mine = own.draw(ids, length, codes[:rows])
    janus, largest = reference.model, 0.0
    for row in range(rows):
        words = janus.language_model.embed_tokens(ids[row : row + 1, : length[row]])
        drawn = janus.generation_aligner(janus.generation_embeddings(codes[row : row + 1]))
        hidden = janus.language_model(inputs_embeds=torch.cat([words, drawn], 1), use_cache=False).last_hidden_state
        theirs = janus.generation_head(hidden[:, int(length[row]) - 1 : -1])
        largest = max(largest, float((theirs[0] - mine[row]).abs().max()))
    found["drawing"] = largest
    theirs = janus.vqmodel.decode(codes[:rows])
    found["pixels"] = float((theirs - ImageCodec(model).decode(codes[:rows])).abs().max())
    found["logitScale"] = float(logits.abs().max())
    found["codesNormalised"] = float(F.normalize(janus.vqmodel.quantize.embedding.weight, dim=-1).norm(dim=-1).sub(1).abs().max())
    return found
