# The forward pass of Janus over the modules of transformers, written out, so that several questions can share one picture
# and everything runs in one dtype. Weights are float32; they are cast to the dtype of the activations where they are used,
# which makes training round as inference in bfloat16 does.

import torch
import torch.nn.functional as F


def linear(x, *modules):
    """One product for several linear layers of the same input; outputs side by side."""
    weight = modules[0].weight if len(modules) == 1 else torch.cat([module.weight for module in modules])
    bias = None
    if modules[0].bias is not None:
        bias = torch.cat([module.bias for module in modules]).to(x.dtype)
    return F.linear(x, weight.to(x.dtype), bias)


def rms_norm(x, weight, epsilon):
    return F.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), epsilon)


def layer_norm(x, module):
    return F.layer_norm(x, (x.shape[-1],), module.weight.to(x.dtype), module.bias.to(x.dtype), module.eps)


def rotate(x, cos, sin):
    """Rotary positions: channel j pairs with j + D/2. x [B, H, T, D], cos and sin [T, D]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def decoder_layers(layers, x, cos, sin, mask, heads, key_value_heads, epsilon):
    """The decoder without its final norm. x [B, T, C]; mask is additive, or None for causal attention."""
    batch, length, width = x.shape
    size = cos.shape[-1]
    for layer in layers:
        attention, mlp = layer.self_attn, layer.mlp
        normed = rms_norm(x, layer.input_layernorm.weight, epsilon)
        fused = linear(normed, attention.q_proj, attention.k_proj, attention.v_proj)
        fused = fused.view(batch, length, heads + 2 * key_value_heads, size).transpose(1, 2)
        q, k, v = fused.split([heads, key_value_heads, key_value_heads], 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if key_value_heads != heads:
            k, v = (t.repeat_interleave(heads // key_value_heads, 1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + linear(y.transpose(1, 2).reshape(batch, length, heads * size), attention.o_proj)
        normed = rms_norm(x, layer.post_attention_layernorm.weight, epsilon)
        gate, up = linear(normed, mlp.gate_proj, mlp.up_proj).chunk(2, -1)
        x = x + linear(F.silu(gate) * up, mlp.down_proj)
    return x


class JanusForward:
    """Rows of questions and rows of drawings through one model."""

    def __init__(self, model, config, dtype):
        text, vision = config["text_config"], config["vision_config"]
        self.model, self.dtype = model, dtype
        self.heads, self.key_value_heads = text["num_attention_heads"], text["num_key_value_heads"]
        self.head_size = text.get("head_dim") or text["hidden_size"] // self.heads
        self.epsilon, self.theta = text["rms_norm_eps"], text.get("rope_theta", 10000.0)
        self.vocabulary = text["vocab_size"]
        self.vision_heads, self.patch = vision["num_attention_heads"], vision["patch_size"]
        self.compiled = None  # stands in for decoder_layers while training

    def _layers(self, x, positions, mask):
        # Angles in float32, then rounded, as the runtime does.
        half = torch.arange(0, self.head_size, 2, device=x.device, dtype=torch.float32) / self.head_size
        angle = positions.float()[:, None] / (self.theta**half)[None, :]
        angle = torch.cat((angle, angle), -1)
        run = self.compiled if self.compiled is not None and torch.is_grad_enabled() else decoder_layers
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        mask = None if mask is None else mask.to(x.dtype)
        layers = self.model.model.language_model.layers
        return run(layers, x, cos, sin, mask, self.heads, self.key_value_heads, self.epsilon)

    def _norm(self, x):
        return rms_norm(x, self.model.model.language_model.norm.weight, self.epsilon)

    def encode_pictures(self, pixels):
        """[B, 3, S, S] to [B, N, C]: vision tower and aligner."""
        tower = self.model.model.vision_model
        patches = tower.embeddings.patch_embedding
        x = F.conv2d(pixels.to(self.dtype), patches.weight.to(self.dtype), patches.bias.to(self.dtype), stride=self.patch)
        x = x.flatten(2).transpose(1, 2) + tower.embeddings.position_embedding.weight.to(self.dtype)
        batch, count, width = x.shape
        for layer in tower.encoder.layers:
            attention = layer.self_attn
            fused = linear(layer_norm(x, layer.layer_norm1), attention.q_proj, attention.k_proj, attention.v_proj)
            fused = fused.view(batch, count, 3 * self.vision_heads, width // self.vision_heads).transpose(1, 2)
            y = F.scaled_dot_product_attention(*fused.chunk(3, 1))
            x = x + linear(y.transpose(1, 2).reshape(batch, count, width), attention.projection_layer)
            inner = F.gelu(linear(layer_norm(x, layer.layer_norm2), layer.mlp.fc1))
            x = x + linear(inner, layer.mlp.fc2)
        return aligned(layer_norm(x, tower.post_layernorm), self.model.model.aligner)

    def answer(self, data, pixels, inputs):
        """Logits [B, T - prefix, V] of the slots; inputs [B, T - prefix] as JanusData.questions makes them."""
        table = self.model.model.language_model.embed_tokens.weight
        batch = len(inputs)
        prefix = F.embedding(data.prefix, table).to(self.dtype)[None].expand(batch, -1, -1)
        behind = data.image_start + data.image_tokens
        slots = F.embedding(inputs, table).to(self.dtype)
        parts = [prefix[:, : data.image_start], self.encode_pictures(pixels), prefix[:, behind:], slots]
        hidden = self._layers(torch.cat(parts, 1), data.positions, data.mask)
        return linear(self._norm(hidden[:, data.prefix_length :]), self.model.lm_head)

    def token_table(self):
        """Rows that the decoder reads: of every text token, then of every image code. [V + K, C]"""
        janus = self.model.model
        codes = aligned(janus.generation_embeddings.weight.to(self.dtype), janus.generation_aligner)
        return torch.cat([janus.language_model.embed_tokens.weight.to(self.dtype), codes])

    def drawing_tokens(self, ids, length, codes, width):
        """Request and codes of each row without a gap, as rows of token_table, padded to [B, width]."""
        column = torch.arange(width, device=ids.device)[None, :]
        length = length[:, None]
        words = ids.gather(1, column.clamp(max=ids.shape[1] - 1).expand(len(ids), -1))
        drawn = codes.gather(1, (column - length).clamp(0, codes.shape[1] - 1)) + self.vocabulary
        tokens = torch.where(column < length, words, drawn)
        return torch.where(column < length + codes.shape[1], tokens, torch.zeros_like(tokens))

    def code_logits(self, tokens, table, at):
        """Logits [B, n, K] behind the columns at [B, n] of tokens [B, T]."""
        x = F.embedding(tokens, table)
        hidden = self._layers(x, torch.arange(x.shape[1], device=x.device), None)
        hidden = self._norm(hidden.gather(1, at[:, :, None].expand(-1, -1, x.shape[2])))
        head = self.model.model.generation_head
        return linear(F.gelu(linear(hidden, head.proj_out)), head.vision_head)

    def draw(self, ids, length, codes):
        """Logits [B, n, K] of every code given those before it. codes [B, n]."""
        count = codes.shape[1]
        tokens = self.drawing_tokens(ids, length, codes, ids.shape[1] + count - 1)
        at = length[:, None] - 1 + torch.arange(count, device=ids.device)[None, :]
        return self.code_logits(tokens, self.token_table(), at)

    @torch.no_grad()
    def sample_codes(self, ids, length, pad_ids, count, guidance, temperature, generator=None):
        """Draws codes [B, count]; pad_ids are the requests without their words. Temperature 0 takes the likeliest."""
        batch, table = len(ids), self.token_table()
        rows = torch.cat([ids, pad_ids]) if guidance != 1 else ids
        lengths = torch.cat([length, length]) if guidance != 1 else length
        codes = torch.zeros(batch, count, dtype=torch.int64, device=ids.device)
        for step in range(count):
            both = torch.cat([codes, codes]) if guidance != 1 else codes
            # Later columns cannot be seen; leaving them out saves work. Few distinct widths keep the allocator calm.
            width = min(-(-(ids.shape[1] + step) // 32) * 32, ids.shape[1] + count)
            tokens = self.drawing_tokens(rows, lengths, both, width)
            logits = self.code_logits(tokens, table, lengths[:, None] - 1 + step)[:, 0].float()
            if guidance != 1:
                conditional, unconditional = logits.chunk(2)
                logits = unconditional + guidance * (conditional - unconditional)
            if temperature == 0:
                codes[:, step] = logits.argmax(-1)
            else:
                chances = (logits / temperature).softmax(-1)
                codes[:, step] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        return codes


def aligned(x, module):
    """A projector: linear, then (gelu, linear) for every further layer."""
    x = linear(x, module.fc1)
    for layer in module.hidden_layers:
        x = linear(F.gelu(x), layer)
    return x


class ImageCodec:
    """The image tokenizer: pixels [B, 3, S, S] to codes [B, n] and back. Codes are L2-normalised at every use."""

    def __init__(self, model):
        self.vq = model.model.vqmodel

    def codebook(self):
        return F.normalize(self.vq.quantize.embedding.weight.float(), dim=-1)

    def latents(self, pixels):
        """[B, h, w, D], L2-normalised, float32."""
        z = self.vq.quant_conv(self.vq.encoder(pixels))
        return F.normalize(z.float().permute(0, 2, 3, 1), dim=-1)

    def nearest(self, latents):
        """Numbers of the nearest codes [B, h, w]; the largest cosine is the smallest distance."""
        return (latents.detach() @ self.codebook().t()).argmax(-1)

    def pixels(self, quantised):
        """[B, h, w, D] to [B, 3, S, S]."""
        return self.vq.decoder(self.vq.post_quant_conv(quantised.permute(0, 3, 1, 2).contiguous()))

    @torch.no_grad()
    def encode(self, pixels):
        return self.nearest(self.latents(pixels)).flatten(1)

    @torch.no_grad()
    def decode(self, codes):
        side = int(codes.shape[1] ** 0.5)
        return self.pixels(F.embedding(codes.view(-1, side, side), self.codebook()))
