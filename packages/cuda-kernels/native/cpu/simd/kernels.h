// The inner loops of the CPU ops, once per instruction set, behind one table of functions.
//
// The same headers (vector.h and those built on it) are compiled by kernels_baseline.cc, kernels_avx2.cc and
// kernels_avx512.cc with different flags, each into its own namespace. Those files hold plain loops over plain
// pointers: no threads, no allocation, no checks and nothing of the standard library, because an inline function that
// the linker kept from a wide file would fault on a narrow machine. Threads and checks live in the launchers.

#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace limen::cpu {

enum Activation : int { kNoActivation = 0, kGelu = 1, kSilu = 2 };

// What happens to a row of sums c[n]: y = activation(c · scale + bias) + residual, rounded to `type`.
struct Epilogue {
  const float* scales = nullptr;    // [N]
  const void* bias = nullptr;       // [N] of `type`
  const void* residual = nullptr;   // rows of `row_stride`, of `type`; may be y itself
  void* y = nullptr;                // rows of `row_stride`, of `type`
  int64_t row_stride = 0;
  DType type = DType::kF32;
  int activation = kNoActivation;
};

struct LinearTask {
  int64_t columns = 0;  // N
  int64_t depth = 0;    // K
  const float* x = nullptr;
  int64_t x_stride = 0;
  const void* weight = nullptr;  // [N, K] of `weight_type`
  DType weight_type = DType::kF32;
  Epilogue epilogue;
};

// Channels-last convolution. Sizes as in x[B,H,W,C], weight[O,KH,KW,C], y[B,OH,OW,O].
struct ConvTask {
  int64_t height, width, channels;
  int64_t kernel_height, kernel_width;
  int64_t out_height, out_width, out_channels;
  int64_t stride, padding;
  const void* x;
  DType type;
  const float* panels;  // the weight, packed by pack_panels
  Epilogue epilogue;
};

// One work item of a convolution: a rectangle of output pixels and a range of output-channel panels.
struct ConvTile {
  int64_t image, row_begin, row_end, column_begin, column_end, panel_begin, panel_end;
};

// Strides in elements over (batch, token, head); the last axis is contiguous.
struct AttentionOperand {
  const void* data;
  int64_t batch_stride, token_stride, head_stride;
};

struct AttentionTask {
  int64_t queries, keys, heads, key_heads, depth;  // T, S, H, K, D
  DType type;
  AttentionOperand q, k, v, y;
  const int32_t* lengths;  // [B] or null
  float scale;
  bool causal;
  float* key_panels;    // [B·K][panels of S][D][panel width]
  float* value_panels;  // [B·K][panels of D][S][panel width]
};

// A few query rows against up to kChunkKeys keys that lie anywhere: the work item of decoding.
constexpr int64_t kChunkKeys = 256;
struct AttentionChunk {
  const float* q;  // [rows][depth], scaled
  int64_t rows, depth, count;
  const void* const* key_rows;    // `count` pointers to [depth] of `type`
  const void* const* value_rows;  // likewise
  const int64_t* visible;         // keys that each row may see, 0..count
  DType type;
  float* scores;   // scratch, [rows][kChunkKeys]
  float* partial;  // out, [rows][depth + 2]: maximum, sum of weights, weighted sum of values
};

constexpr int64_t kDepthBlock = 512;       // depth of a weight panel that stays in the cache
constexpr int64_t kAttentionKeyBlock = 256;  // keys between two rescalings

struct Kernels {
  const char* name;
  int64_t tile_rows;      // rows of a register tile
  int64_t panel_columns;  // columns of a register tile, and width of a packed panel
  int64_t dot_row_limit;  // up to this many rows a linear layer reads its weight unpacked

  void (*widen)(const void* from, DType type, float* to, int64_t count);
  void (*narrow)(const float* from, void* to, DType type, int64_t count);

  // rows ≤ dot_row_limit, columns [begin, end)
  void (*linear_dot)(const LinearTask&, int64_t rows, int64_t begin, int64_t end);
  // scratch: (kDepthBlock + rows) · panel_columns floats
  void (*linear_panels)(const LinearTask&, int64_t row_begin, int64_t row_end, int64_t panel_begin,
                        int64_t panel_end, float* scratch);

  // weight[columns, depth] → panels[ceil(columns / width)][depth][width], zero beyond `columns`
  void (*pack_panels)(const void* weight, DType type, int64_t columns, int64_t depth, int64_t panel_begin,
                      int64_t panel_end, float* panels);
  // scratch: conv2d_scratch(task, tile) floats
  void (*conv2d_tile)(const ConvTask&, const ConvTile&, float* scratch);

  // keys [begin, end), begin a multiple of panel_columns
  void (*attention_pack)(const AttentionTask&, int64_t batch, int64_t key_head, int64_t begin, int64_t end);
  // scratch: attention_scratch(task, end - begin) floats
  void (*attention_block)(const AttentionTask&, int64_t batch, int64_t head, int64_t begin, int64_t end,
                          float* scratch);
  void (*attention_chunk)(const AttentionChunk&);
};

// The table in use: the widest this machine has, or the one named by LIMEN_CPU_SIMD (baseline, avx2, avx512).
const Kernels& kernels();

// Every table this machine can run, narrowest first; and a way for tests to switch (not while ops run).
int available_kernels(const Kernels* const** tables);
void use_kernels(const Kernels& table);

// static: each file keeps its own copy (see the top of this file).
static inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace limen::cpu
