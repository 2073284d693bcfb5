// Speed of the CPU kernels on typical shapes, for every instruction set this machine has.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>

#include "core/thread_pool.h"
#include "cpu/simd/kernels.h"
#include "cpu/test/test_support.h"

namespace limen::cpu::test {
namespace {

const char* wanted = "";  // measure only what has this in its label

// Prints the median and the best time of one call, and what the best means in multiply-adds (two operations each)
// and bytes. The best is what the code can do; the median is what a shared machine gave it.
void measure(const char* label, double multiply_adds, double bytes, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  if (!std::strstr(label, wanted)) return;
  call();
  std::vector<double> seconds;
  const auto start = Clock::now();
  while (seconds.size() < 5 || (Clock::now() - start < std::chrono::milliseconds(300) && seconds.size() < 2000)) {
    const auto before = Clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - before).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  const double median = seconds[seconds.size() / 2], best = *std::min_element(seconds.begin(), seconds.end());
  std::printf("%-9s %2d threads  %-48s %10.1f us, best %10.1f us: %7.1f GFLOP/s %6.1f GB/s\n", kernels().name,
              thread_count(), label, median * 1e6, best * 1e6, 2 * multiply_adds / best * 1e-9, bytes / best * 1e-9);
}

void bench_linear(DType dtype, int64_t rows, int64_t columns, int64_t depth, bool quantised = false) {
  const Tensor x = Tensor::random(dtype, {rows, depth});
  const Tensor weight(quantised ? DType::kI8 : dtype, {columns, depth});
  std::fill_n(weight.view().as<char>(), weight.bytes().size(), char(0));
  const Tensor scales = Tensor::random(DType::kF32, {columns});
  const Tensor y(dtype, {rows, columns});
  char label[80];
  std::snprintf(label, sizeof(label), "%s %s rows %ld, %ld -> %ld", quantised ? "linear_int8" : "linear",
                name_of(dtype), long(rows), long(depth), long(columns));
  Op op(quantised ? "linear_int8" : "linear");
  const double bytes = double(weight.bytes().size() + x.bytes().size() + y.bytes().size());
  measure(label, double(rows) * columns * depth, bytes, [&] {
    if (quantised) {
      op({x.view(), weight.view(), scales.view(), TensorView(), TensorView(), y.view()}, {0});
    } else {
      op({x.view(), weight.view(), TensorView(), TensorView(), y.view()}, {0});
    }
  });
}

void bench_conv2d(DType dtype, int64_t size, int64_t channels, int64_t out, int64_t kernel) {
  const Tensor x = Tensor::random(dtype, {1, size, size, channels});
  const Tensor weight = Tensor::random(dtype, {out, kernel, kernel, channels});
  const Tensor y(dtype, {1, size, size, out});
  char label[80];
  std::snprintf(label, sizeof(label), "conv2d %s %ldx%ld, %ld -> %ld, %ldx%ld", name_of(dtype), long(size),
                long(size), long(channels), long(out), long(kernel), long(kernel));
  Op op("conv2d");
  const double bytes = double(weight.bytes().size() + x.bytes().size() + y.bytes().size());
  measure(label, double(size) * size * out * kernel * kernel * channels, bytes, [&] {
    op({x.view(), weight.view(), TensorView(), TensorView(), y.view()}, {1, double(kernel / 2)});
  });
}

void bench_attention(DType dtype, int64_t queries, int64_t keys, int64_t heads, int64_t depth) {
  const Tensor q = Tensor::random(dtype, {1, queries, heads, depth});
  const Tensor k = Tensor::random(dtype, {1, keys, heads, depth}), v = Tensor::random(dtype, {1, keys, heads, depth});
  const Tensor y(dtype, {1, queries, heads, depth});
  char label[80];
  std::snprintf(label, sizeof(label), "attention %s T %ld, S %ld, H %ld, D %ld", name_of(dtype), long(queries),
                long(keys), long(heads), long(depth));
  Op op("attention");
  const double bytes = double(2 * k.bytes().size() + 2 * q.bytes().size());
  measure(label, 2.0 * queries * keys * heads * depth, bytes,
          [&] { op({q.view(), k.view(), v.view(), TensorView(), y.view()}, {0, 0}); });
}

void bench_paged(DType dtype, int64_t batch, int64_t keys, int64_t heads, int64_t depth) {
  const int64_t page_size = 16, pages = keys / page_size;
  const Tensor q = Tensor::random(dtype, {batch, heads, depth});
  const Tensor k = Tensor::random(dtype, {batch * pages, page_size, heads, depth});
  const Tensor v = Tensor::random(dtype, {batch * pages, page_size, heads, depth});
  Tensor table(DType::kI32, {batch, pages}), lengths(DType::kI32, {batch});
  for (int64_t i = 0; i < table.size(); ++i) table.set(i, double(i));
  for (int64_t b = 0; b < batch; ++b) lengths.set(b, double(keys));
  const Tensor y(dtype, {batch, heads, depth});
  char label[80];
  std::snprintf(label, sizeof(label), "attention_decode_paged %s B %ld, S %ld, H %ld, D %ld", name_of(dtype),
                long(batch), long(keys), long(heads), long(depth));
  Op op("attention_decode_paged");
  measure(label, 2.0 * batch * keys * heads * depth, double(k.bytes().size() * 2),
          [&] {
            op({q.view(), k.view(), v.view(), table.view(), lengths.view(), TensorView(), y.view()}, {0, 0, 0});
          });
}

void bench_all() {
  for (const int64_t rows : {1, 2, 4, 16, 32, 48, 124}) bench_linear(DType::kF32, rows, 256, 128);
  for (const int64_t rows : {1, 4, 16, 32, 33, 64, 512}) bench_linear(DType::kF32, rows, 2048, 2048);
  for (const int64_t rows : {1, 16, 512}) bench_linear(DType::kBF16, rows, 2048, 2048);
  for (const int64_t rows : {1, 16, 512}) bench_linear(DType::kF32, rows, 2048, 2048, true);
  bench_conv2d(DType::kF32, 96, 64, 64, 3);
  bench_conv2d(DType::kF32, 96, 32, 32, 3);
  bench_conv2d(DType::kF32, 96, 128, 128, 3);
  bench_conv2d(DType::kF32, 24, 512, 512, 3);
  bench_conv2d(DType::kF32, 96, 128, 3, 3);
  bench_conv2d(DType::kF32, 24, 512, 512, 1);
  bench_conv2d(DType::kBF16, 96, 64, 64, 3);
  bench_attention(DType::kF32, 576, 576, 8, 64);
  bench_attention(DType::kBF16, 576, 576, 8, 64);
  bench_attention(DType::kF32, 576, 576, 1, 512);
  bench_attention(DType::kF32, 1, 576, 8, 64);
  bench_paged(DType::kF32, 2, 1024, 16, 64);
  bench_paged(DType::kBF16, 2, 1024, 16, 128);
}

}  // namespace

void run_benchmarks(const char* filter) {
  wanted = filter;
  const int threads = thread_count();
  const Kernels* const* tables = nullptr;
  const int table_count = available_kernels(&tables);
  for (int index = table_count - 1; index >= 0; --index) {
    use_kernels(*tables[index]);
    for (const int used : {1, threads}) {
      set_thread_count(used);
      bench_all();
      if (threads == 1) break;
    }
  }
}

}  // namespace limen::cpu::test
