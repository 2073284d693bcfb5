// Convolution of any size, stride and padding: an implicit matrix product on mma.sync, or on plain units for f32.
//
// Rows are output pixels, columns output channels, k runs over (kh, kw, c); the patch matrix is never written, its tiles
// are gathered on the way into shared memory (gemm_tile.cuh).
// Geometry: block ↔ one tile of pixels × channels, 128 × 128 by 8 warps or 64 × 64 by 4; f32 on plain units, 64 × 64
// by 256 threads. blockIdx.x ↔ pixels, .y ↔ channels. Shared memory: 64 KiB or 32 KiB, in four stages.
// Fast gathers (16-byte background copies) need C a multiple of 8; without padding it is enough that KW·C is,
// since the pixels of a kernel row then lie side by side (patch embeddings of three-channel images).

#pragma once

#include "core/tensor_view.h"
#include "device/gemm_tile.cuh"
#include "device/launch.cuh"
#include "device/projection.cuh"
#include "device/vector_io.cuh"

namespace limen {

// One convolution, whichever kernel runs it.
struct ConvolutionCall {
  TensorView x, weight, bias, residual, y;
  int stride = 1, padding = 0;
  int scale = 1;  // 2: x is doubled first, every pixel to a square
  bool constant_weight = false;
  cudaStream_t stream = nullptr;
};

struct ConvolutionGeometry {
  int height, width;            // of x, doubled or not
  int out_height, out_width;    // of y
  int kernel_width;             // steps along a kernel row; 1 when the whole row is taken as one run of channels
  int channels;                 // contiguous elements per step
  int pixel;                    // elements from one pixel to the next
  int stride, padding;
  int halvings;                 // 1 when every pixel of x counts as a square of 2 × 2, else 0
  int64_t pixels;               // rows of the product: B · OH · OW
  int64_t length;               // KH · KW · C
};

// Rows of the patch matrix. A row is an output pixel; k walks over its receptive field.
template <typename T, int kRows, bool kAligned>
struct PatchCursor {
  static constexpr bool kAsync = kAligned;
  const T* base;
  const T* image[kRows];
  int top[kRows], left[kRows];  // of the receptive field, may lie outside the image
  ConvolutionGeometry geometry;
  int64_t k;
  int kernel_row, kernel_column, channel;

  __device__ PatchCursor(const T* x, const ConvolutionGeometry& g, int64_t first_row, int row_step, int k_)
      : base(x), geometry(g), k(k_), kernel_row(0), kernel_column(0), channel(k_) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      // Rows past the end repeat the last one; their results are dropped.
      const int64_t row = min(first_row + i * row_step, g.pixels - 1);
      const int64_t line = row / g.out_width;
      top[i] = static_cast<int>(line % g.out_height) * g.stride - g.padding;
      left[i] = static_cast<int>(row % g.out_width) * g.stride - g.padding;
      const int64_t pixels = static_cast<int64_t>(g.height >> g.halvings) * (g.width >> g.halvings);
      image[i] = x + (line / g.out_height) * pixels * g.pixel;
    }
    carry();
  }
  __device__ void carry() {
    while (channel >= geometry.channels) {
      channel -= geometry.channels;
      if (++kernel_column == geometry.kernel_width) {
        kernel_column = 0;
        ++kernel_row;
      }
    }
  }
  __device__ void advance(int step) {
    k += step;
    channel += step;
    carry();
  }
  __device__ const T* address(int i, int row_in_kernel, int column_in_kernel, int channel_) const {
    const int row = top[i] + row_in_kernel, column = left[i] + column_in_kernel;
    if (row < 0 || row >= geometry.height || column < 0 || column >= geometry.width) return nullptr;
    const int64_t pixel = static_cast<int64_t>(row >> geometry.halvings) * (geometry.width >> geometry.halvings) +
                          (column >> geometry.halvings);
    return image[i] + pixel * geometry.pixel + channel_;
  }
  __device__ const T* anywhere() const { return base; }
  __device__ const T* pointer(int i) const {
    return k < geometry.length ? address(i, kernel_row, kernel_column, channel) : nullptr;
  }
  // Element j past the current position; it may fall into the next pixel or kernel row.
  __device__ float value(int i, int j) const {
    if (k + j >= geometry.length) return 0.0f;
    int row = kernel_row, column = kernel_column, position = channel + j;
    while (position >= geometry.channels) {
      position -= geometry.channels;
      if (++column == geometry.kernel_width) {
        column = 0;
        ++row;
      }
    }
    const T* source = address(i, row, column, position);
    return source ? to_float(*source) : 0.0f;
  }
  __device__ uint4 packed(int i) const {
    return make_uint4(pack2<T>(value(i, 0), value(i, 1)), pack2<T>(value(i, 2), value(i, 3)),
                      pack2<T>(value(i, 4), value(i, 5)), pack2<T>(value(i, 6), value(i, 7)));
  }
};

template <typename T, typename Tile, bool kAligned>
__global__ void __launch_bounds__(Tile::kThreads, 2)
    conv2d_kernel(const T* x, const T* __restrict__ weight, Projection<T> out, const ConvolutionGeometry geometry) {
  extern __shared__ __align__(128) unsigned char shared_bytes[];
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * Tile::kTileM;
  const int64_t column0 = static_cast<int64_t>(blockIdx.y) * Tile::kTileN;
  const int row = threadIdx.x / 4, k = (threadIdx.x % 4) * 8;
  wait_for_upstream();
  PatchCursor<T, Tile::kRowsA, kAligned> a(x, geometry, row0 + row, Tile::kRowStep, k);
  MatrixCursor<T, Tile::kRowsB, kAligned> b(weight, out.columns, geometry.length, column0 + row, Tile::kRowStep, k);
  float sum[Tile::kBlocksM][Tile::kBlocksN][4] = {};
  const int64_t k_tiles = (geometry.length + Tile::kTileK - 1) / Tile::kTileK;
  multiply_tile<Tile, T>(a, b, k_tiles, reinterpret_cast<T*>(shared_bytes), sum);
  for_each_pair<Tile>(sum, [&](int r, int c, float first, float second) {
    out.store_pair(row0 + r, column0 + c, first, second);
  });
}

static __global__ void __launch_bounds__(PlainTile::kThreads)
    conv2d_plain_kernel(const float* x, const float* __restrict__ weight, Projection<float> out,
                        const ConvolutionGeometry geometry) {
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * PlainTile::kTileM;
  const int64_t column0 = static_cast<int64_t>(blockIdx.y) * PlainTile::kTileN;
  const int row = threadIdx.x / 4, k = (threadIdx.x % 4) * 4;
  wait_for_upstream();
  PatchCursor<float, 1, false> a(x, geometry, row0 + row, 0, k);
  MatrixCursor<float, 1, false> b(weight, out.columns, geometry.length, column0 + row, 0, k);
  float sum[4][4] = {};
  multiply_tile_plain(a, b, (geometry.length + PlainTile::kTileK - 1) / PlainTile::kTileK, sum);
  const int64_t first_row = row0 + (threadIdx.x / 16) * 4, first_column = column0 + (threadIdx.x % 16) * 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    out.store_pair(first_row + i, first_column, sum[i][0], sum[i][1]);
    out.store_pair(first_row + i, first_column + 2, sum[i][2], sum[i][3]);
  }
}

inline ConvolutionGeometry geometry_of(const ConvolutionCall& call) {
  const TensorView &x = call.x, &weight = call.weight, &y = call.y;
  ConvolutionGeometry g = {};
  g.height = static_cast<int>(x.shape[1]) * call.scale;
  g.width = static_cast<int>(x.shape[2]) * call.scale;
  g.channels = static_cast<int>(x.shape[3]);
  g.pixel = g.channels;
  g.out_height = static_cast<int>(y.shape[1]);
  g.out_width = static_cast<int>(y.shape[2]);
  g.kernel_width = static_cast<int>(weight.shape[2]);
  g.stride = call.stride;
  g.padding = call.padding;
  g.halvings = call.scale - 1;
  g.pixels = y.shape[0] * y.shape[1] * y.shape[2];
  g.length = weight.shape[1] * weight.shape[2] * weight.shape[3];
  if (g.padding == 0 && g.halvings == 0 && g.channels % 8 != 0) {
    // No pixel of a kernel row can lie outside: the row is one run of elements.
    g.channels *= g.kernel_width;
    g.kernel_width = 1;
  }
  if (g.length == 0) g.channels = g.kernel_width = 1;  // nothing to sum, but the walk over k must still end
  return g;
}

template <typename T>
void launch_conv2d_tiles(const ConvolutionCall& call) {
  const ConvolutionGeometry geometry = geometry_of(call);
  const T* x = call.x.as<T>();
  const T* weight = call.weight.as<T>();
  const auto out = make_projection<T>(call.y.data, call.bias.data, call.residual.data,
                                      nullptr, geometry.pixels, call.y.shape[3], Activation::kNone);
  Launch launch;
  launch.stream = call.stream;
  launch.overlap = true;
  const auto place = [&](int tile_rows, int tile_columns, int threads, int shared_bytes) {
    launch.grid = dim3(static_cast<unsigned>(ceil_div(out.rows, tile_rows)),
                       static_cast<unsigned>(ceil_div(out.columns, tile_columns)));
    launch.block = dim3(threads);
    launch.shared_bytes = shared_bytes;
  };
  if constexpr (sizeof(T) == 4) {
    place(PlainTile::kTileM, PlainTile::kTileN, PlainTile::kThreads, 0);
    launch_kernel(launch, conv2d_plain_kernel, x, weight, out, geometry);
  } else {
    // Every 16-byte copy must start on a multiple of eight elements, for each pixel, line and image.
    const bool aligned = geometry.channels % 8 == 0 && is_aligned16(x) && is_aligned16(weight) &&
                         (geometry.pixel % 8 == 0 || (static_cast<int64_t>(geometry.stride) * geometry.pixel % 8 == 0 &&
                                                      static_cast<int64_t>(geometry.width) * geometry.pixel % 8 == 0));
    const auto start = [&](auto tile, auto is_aligned) {
      using Tile = decltype(tile);
      place(Tile::kTileM, Tile::kTileN, Tile::kThreads, Tile::kSharedBytes);
      launch_kernel(launch, conv2d_kernel<T, Tile, decltype(is_aligned)::value>, x, weight, out, geometry);
    };
    // Large tiles read less, but they must keep 132 multiprocessors busy and not be mostly empty.
    const bool large = out.columns > 64 && ceil_div(out.rows, 128) * ceil_div(out.columns, 128) >= 120;
    using LargeTile = TensorTile<128, 128, 2, 4, 4>;
    using SmallTile = TensorTile<64, 64, 2, 2, 4>;
    if (aligned) {
      large ? start(LargeTile{}, std::true_type{}) : start(SmallTile{}, std::true_type{});
    } else {
      large ? start(LargeTile{}, std::false_type{}) : start(SmallTile{}, std::false_type{});
    }
  }
}

}  // namespace limen
