// Compares the CPU kernels with plain double-precision loops, for every instruction set this machine has.
//
//   limen_cpu_kernels_test [seed]    random ragged shapes, all storage types; exit code 1 on a mismatch
//   limen_cpu_kernels_test --bench [text]   GFLOP/s and GB/s of typical shapes (those whose label has the text)
//
// Outputs start poisoned. Every case runs with one thread and with three, and must give the same bits.

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include "core/thread_pool.h"
#include "cpu/simd/kernels.h"
#include "cpu/test/test_support.h"

namespace limen::cpu::test {
namespace {

const DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};
int failures = 0;
int comparisons = 0;

double activate(double x, int activation) {
  if (activation == kGelu) return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
  if (activation == kSilu) return x / (1 + std::exp(-x));
  return x;
}

// Sums of some thousand terms of f32 deviate by about 1e-5; the rest is the rounding of the output.
double tolerance(DType dtype, double expected) {
  const double relative = dtype == DType::kF32 ? 2e-6 : dtype == DType::kF16 ? 0x1p-10 : 0x1p-8;
  return 1.5e-5 + relative * std::fabs(expected);
}

// Runs `call` on a poisoned y with one thread and with three, and compares with `expected(index)`.
void check(const std::string& label, const Tensor& blank, const std::function<void(const Tensor&)>& call,
           const std::function<double(int64_t)>& expected) {
  Tensor y = blank, again = blank;
  set_thread_count(1);
  call(y);
  set_thread_count(3);
  call(again);
  ++comparisons;
  double worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < y.size(); ++i) {
    const double want = expected(i);
    const double error = std::fabs(y.get(i) - want) / tolerance(y.view().dtype, want);
    if (!(error <= worst)) {
      worst = error;
      where = i;
      if (std::isnan(error)) break;
    }
  }
  const bool same = y.bytes() == again.bytes();
  if (worst <= 1 && same) return;
  ++failures;
  std::printf("FAIL %s %s: %s", kernels().name, label.c_str(), same ? "" : "threads change the result; ");
  if (where >= 0) std::printf("[%ld] is %.9g, expected %.9g", long(where), y.get(where), expected(where));
  std::printf("\n");
}

std::string describe(const char* op, DType dtype, std::initializer_list<int64_t> numbers) {
  std::string text = std::string(op) + " " + name_of(dtype);
  for (const int64_t number : numbers) text += " " + std::to_string(number);
  return text;
}

void test_linear(DType dtype, int64_t rows, int64_t columns, int64_t depth, bool quantised) {
  const Tensor x = Tensor::random(dtype, {rows, depth});
  Tensor weight = Tensor::random(dtype, {columns, depth}, 1 / std::sqrt(double(depth)));
  Tensor scales(DType::kF32, {columns});
  if (quantised) {
    weight = Tensor(DType::kI8, {columns, depth});
    for (int64_t i = 0; i < weight.size(); ++i) weight.set(i, double(pick(-127, 127)));
    for (int64_t i = 0; i < columns; ++i) scales.set(i, pick(1, 100) * 1e-4 / std::sqrt(double(depth)));
  }
  const Tensor bias = pick(0, 2) ? Tensor::random(dtype, {columns}) : Tensor();
  const Tensor residual = pick(0, 1) ? Tensor::random(dtype, {rows, columns}) : Tensor();
  const int activation = static_cast<int>(pick(0, 2));
  const bool alias = residual.present() && pick(0, 1);
  Op op(quantised ? "linear_int8" : "linear");
  check(
      describe(quantised ? "linear_int8" : "linear", dtype, {rows, columns, depth, activation}),
      alias ? residual : Tensor(dtype, {rows, columns}),
      [&](const Tensor& y) {
        const TensorView added = alias ? y.view() : residual.view();
        if (quantised) {
          op({x.view(), weight.view(), scales.view(), bias.view(), added, y.view()}, {double(activation)});
        } else {
          op({x.view(), weight.view(), bias.view(), added, y.view()}, {double(activation)});
        }
      },
      [&](int64_t i) {
        const int64_t row = i / columns, column = i % columns;
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k) sum += x.get(row * depth + k) * weight.get(column * depth + k);
        if (quantised) sum *= scales.get(column);
        if (bias.present()) sum += bias.get(column);
        return activate(sum, activation) + (residual.present() ? residual.get(i) : 0);
      });
}

void test_conv2d(DType dtype, int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t out,
                 int64_t kernel_height, int64_t kernel_width, int64_t stride, int64_t padding) {
  const int64_t out_height = (height + 2 * padding - kernel_height) / stride + 1;
  const int64_t out_width = (width + 2 * padding - kernel_width) / stride + 1;
  if (height + 2 * padding < kernel_height || width + 2 * padding < kernel_width) return;
  const Tensor x = Tensor::random(dtype, {batch, height, width, channels});
  const double deviation = 1 / std::sqrt(double(kernel_height * kernel_width * channels));
  const Tensor weight = Tensor::random(dtype, {out, kernel_height, kernel_width, channels}, deviation);
  const Tensor bias = pick(0, 2) ? Tensor::random(dtype, {out}) : Tensor();
  const Tensor residual = pick(0, 1) ? Tensor::random(dtype, {batch, out_height, out_width, out}) : Tensor();
  Op op("conv2d");
  check(
      describe("conv2d", dtype, {batch, height, width, channels, out, kernel_height, kernel_width, stride, padding}),
      Tensor(dtype, {batch, out_height, out_width, out}),
      [&](const Tensor& y) {
        op({x.view(), weight.view(), bias.view(), residual.view(), y.view()}, {double(stride), double(padding)});
      },
      [&](int64_t i) {
        const int64_t o = i % out, ox = i / out % out_width, oy = i / out / out_width % out_height;
        const int64_t b = i / out / out_width / out_height;
        double sum = bias.present() ? bias.get(o) : 0;
        for (int64_t ky = 0; ky < kernel_height; ++ky) {
          for (int64_t kx = 0; kx < kernel_width; ++kx) {
            const int64_t iy = oy * stride - padding + ky, ix = ox * stride - padding + kx;
            if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
            for (int64_t c = 0; c < channels; ++c) {
              sum += x.get(((b * height + iy) * width + ix) * channels + c) *
                     weight.get(((o * kernel_height + ky) * kernel_width + kx) * channels + c);
            }
          }
        }
        return sum + (residual.present() ? residual.get(i) : 0);
      });
}

// One head of one sequence in double precision: keys [0, visible).
double attend(int64_t visible, double scale, int64_t depth, int64_t channel,
              const std::function<double(int64_t)>& query, const std::function<double(int64_t, int64_t)>& key,
              const std::function<double(int64_t, int64_t)>& value) {
  std::vector<double> scores(std::max<int64_t>(0, visible));
  double maximum = -std::numeric_limits<double>::infinity(), total = 0, sum = 0;
  for (size_t s = 0; s < scores.size(); ++s) {
    for (int64_t d = 0; d < depth; ++d) scores[s] += query(d) * key(int64_t(s), d);
    scores[s] *= scale;
    maximum = std::max(maximum, scores[s]);
  }
  for (size_t s = 0; s < scores.size(); ++s) {
    const double weight = std::exp(scores[s] - maximum);
    total += weight;
    sum += weight * value(int64_t(s), channel);
  }
  return total > 0 ? sum / total : 0;
}

void test_attention(DType dtype, int64_t batch, int64_t queries, int64_t keys, int64_t key_heads, int64_t group,
                    int64_t depth, bool causal, bool masked) {
  const int64_t heads = key_heads * group;
  // Slices of wider tensors: q out of a fused projection, k and v out of a cache that is longer than it is full.
  const Tensor q = Tensor::random(dtype, {batch, queries, heads + 2, depth});
  const Tensor k = Tensor::random(dtype, {batch, keys + 3, key_heads, depth});
  Tensor v = Tensor::random(dtype, {batch, keys + 3, key_heads, depth});
  Tensor lengths;
  if (masked) {
    lengths = Tensor(DType::kI32, {batch});
    for (int64_t b = 0; b < batch; ++b) {
      lengths.set(b, double(pick(0, keys)));
      // What lengths hide may be garbage.
      for (int64_t i = int64_t(lengths.get(b)) * key_heads * depth; i < (keys + 3) * key_heads * depth; ++i) {
        v.set(b * (keys + 3) * key_heads * depth + i, std::nan(""));
      }
    }
  }
  const double scale = pick(0, 1) ? 0 : 0.7 / std::sqrt(double(depth));
  const double factor = scale != 0 ? scale : 1 / std::sqrt(double(depth));
  const TensorView q_view = q.narrowed(2, 1, heads), k_view = k.narrowed(1, 0, keys), v_view = v.narrowed(1, 0, keys);
  Op op("attention");
  check(
      describe("attention", dtype, {batch, queries, keys, key_heads, group, depth, causal, masked}),
      Tensor(dtype, {batch, queries, heads, depth}),
      [&](const Tensor& y) {
        op({q_view, k_view, v_view, lengths.view(), y.view()}, {scale, double(causal)});
      },
      [&](int64_t i) {
        const int64_t d = i % depth, h = i / depth % heads, t = i / depth / heads % queries;
        const int64_t b = i / depth / heads / queries;
        int64_t visible = masked ? int64_t(lengths.get(b)) : keys;
        if (causal) visible = std::min(visible, t + keys - queries + 1);
        const auto at = [&](int64_t s, int64_t c) {
          return ((b * (keys + 3) + s) * key_heads + h / group) * depth + c;
        };
        return attend(
            visible, factor, depth, d,
            [&](int64_t c) { return q.get(((b * queries + t) * (heads + 2) + h + 1) * depth + c); },
            [&](int64_t s, int64_t c) { return k.get(at(s, c)); },
            [&](int64_t s, int64_t c) { return v.get(at(s, c)); });
      });
}

void test_paged(DType dtype, int64_t batch, int64_t key_heads, int64_t group, int64_t depth, int64_t page_size,
                int64_t pages_each) {
  const int64_t heads = key_heads * group, pages = batch * pages_each + 2;
  const Tensor q = Tensor::random(dtype, {batch, heads, depth});
  const Tensor k = Tensor::random(dtype, {pages, page_size, key_heads, depth});
  const Tensor v = Tensor::random(dtype, {pages, page_size, key_heads, depth});
  Tensor table(DType::kI32, {batch, pages_each}), lengths(DType::kI32, {batch});
  for (int64_t i = 0; i < table.size(); ++i) table.set(i, double(pick(0, pages - 1)));
  for (int64_t b = 0; b < batch; ++b) lengths.set(b, double(pick(0, page_size * pages_each)));
  Op op("attention_decode_paged");
  check(
      describe("attention_decode_paged", dtype, {batch, key_heads, group, depth, page_size, pages_each}),
      Tensor(dtype, {batch, heads, depth}),
      [&](const Tensor& y) {
        op({q.view(), k.view(), v.view(), table.view(), lengths.view(), TensorView(), y.view()}, {0, 0, 0});
      },
      [&](int64_t i) {
        const int64_t d = i % depth, h = i / depth % heads, b = i / depth / heads;
        const auto at = [&](int64_t s, int64_t c) {
          const int64_t page = int64_t(table.get(b * pages_each + s / page_size));
          return ((page * page_size + s % page_size) * key_heads + h / group) * depth + c;
        };
        return attend(
            int64_t(lengths.get(b)), 1 / std::sqrt(double(depth)), depth, d,
            [&](int64_t c) { return q.get((b * heads + h) * depth + c); },
            [&](int64_t s, int64_t c) { return k.get(at(s, c)); },
            [&](int64_t s, int64_t c) { return v.get(at(s, c)); });
      });
}

// Keys and values as int8, decoded on the way to the same inner loops.
void test_stored(DType dtype, int64_t batch, int64_t key_heads, int64_t group, int64_t depth, int64_t pages_each) {
  const int64_t heads = key_heads * group, page_size = 16, pages = batch * pages_each;
  const auto random_bytes = [&] {
    Tensor tensor(DType::kI8, {pages, page_size, key_heads, depth});
    for (int64_t i = 0; i < tensor.size(); ++i) tensor.set(i, double(pick(-127, 127)));
    return tensor;
  };
  const Tensor q = Tensor::random(dtype, {batch, heads, depth}), k = random_bytes(), v = random_bytes();
  const Tensor k_scales = Tensor::random(DType::kF32, {pages, page_size, key_heads, 1}, 0.02);
  const Tensor v_scales = Tensor::random(DType::kF32, {pages, page_size, key_heads, 1}, 0.02);
  Tensor table(DType::kI32, {batch, pages_each}), lengths(DType::kI32, {batch});
  for (int64_t i = 0; i < table.size(); ++i) table.set(i, double(pick(0, pages - 1)));
  for (int64_t b = 0; b < batch; ++b) lengths.set(b, double(pick(0, page_size * pages_each)));
  Op op("attention_decode_quantized");
  check(
      describe("attention_decode_quantized", dtype, {batch, key_heads, group, depth, pages_each}),
      Tensor(dtype, {batch, heads, depth}),
      [&](const Tensor& y) {
        op({q.view(), k.view(), v.view(), k_scales.view(), v_scales.view(), table.view(), lengths.view(), TensorView(),
            y.view()},
           {0, 0, 0});
      },
      [&](int64_t i) {
        const int64_t d = i % depth, h = i / depth % heads, b = i / depth / heads;
        const auto vector = [&](int64_t s) {
          return (int64_t(table.get(b * pages_each + s / page_size)) * page_size + s % page_size) * key_heads + h / group;
        };
        return attend(
            int64_t(lengths.get(b)), 1 / std::sqrt(double(depth)), depth, d,
            [&](int64_t c) { return q.get((b * heads + h) * depth + c); },
            [&](int64_t s, int64_t c) { return k.get(vector(s) * depth + c) * k_scales.get(vector(s)); },
            [&](int64_t s, int64_t c) { return v.get(vector(s) * depth + c) * v_scales.get(vector(s)); });
      });
}

// The activations over their whole range: a linear layer with depth 1 and weight 1.
void test_activations() {
  Tensor x(DType::kF32, {20001, 1}), weight(DType::kF32, {1, 1});
  weight.set(0, 1);
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, (i - 10000) * 0.01);
  Op op("linear");
  for (int activation = kGelu; activation <= kSilu; ++activation) {
    Tensor y(DType::kF32, {x.size(), 1});
    op({x.view(), weight.view(), TensorView(), TensorView(), y.view()}, {double(activation)});
    double worst = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const double want = activate(x.get(i), activation);
      worst = std::max(worst, std::fabs(y.get(i) - want) / std::max(1.0, std::fabs(want)));
    }
    ++comparisons;
    std::printf("%-9s %s: largest error %.2g\n", kernels().name, activation == kGelu ? "gelu" : "silu", worst);
    if (!(worst < 5e-7)) ++failures;
  }
}

void test_all(int rounds) {
  test_activations();
  for (const DType dtype : kFloats) {
    for (const int64_t rows : {1, 2, 3, 4, 5, 16, 32, 33, 124, 250}) test_linear(dtype, rows, 77, 67, false);
    test_linear(dtype, 40, 33, 1024, false);
    test_linear(dtype, 37, 40, 1100, false);
    for (const int64_t rows : {1, 7, 40}) test_linear(dtype, rows, 50, 67, true);
    test_conv2d(dtype, 1, 1, 1, 1, 1, 1, 1, 1, 0);
    test_conv2d(dtype, 1, 9, 7, 5, 3, 1, 1, 1, 0);
    test_conv2d(dtype, 1, 7, 60, 33, 40, 3, 3, 1, 1);
    test_conv2d(dtype, 2, 32, 32, 3, 20, 16, 16, 16, 0);
    test_conv2d(dtype, 1, 6, 6, 350, 65, 3, 3, 1, 1);
    test_attention(dtype, 1, 1, 1, 1, 1, 1, false, false);
    test_attention(dtype, 1, 1, 600, 2, 4, 64, true, true);
    test_attention(dtype, 1, 4, 2, 1, 2, 20, true, false);  // the first queries see nothing
    test_attention(dtype, 1, 70, 20, 1, 1, 20, true, false);
    test_attention(dtype, 1, 60, 300, 1, 1, 112, false, false);
    test_attention(dtype, 1, 9, 40, 1, 1, 512, false, true);
    test_paged(dtype, 2, 2, 20, 64, 16, 40);
    test_stored(dtype, 2, 2, 16, 64, 40);
    test_stored(dtype, 3, 4, 1, 24, 5);
    for (int round = 0; round < rounds; ++round) {
      test_linear(dtype, pick(1, 60), pick(1, 120), pick(1, 200), pick(0, 1));
      test_conv2d(dtype, pick(1, 2), pick(1, 20), pick(1, 20), pick(1, 40), pick(1, 40), pick(1, 4), pick(1, 4),
                  pick(1, 3), pick(0, 2));
      test_attention(dtype, pick(1, 2), pick(1, 60), pick(1, 80), pick(1, 2), pick(1, 3), pick(1, 80), pick(0, 1),
                     pick(0, 1));
      test_paged(dtype, pick(1, 3), pick(1, 3), pick(1, 9), pick(1, 130), pick(1, 16), pick(1, 30));
    }
  }
}

}  // namespace
}  // namespace limen::cpu::test

int main(int count, char** arguments) {
  using namespace limen::cpu;
  if (count > 1 && std::string(arguments[1]) == "--bench") {
    test::run_benchmarks(count > 2 ? arguments[2] : "");
    return 0;
  }
  if (count > 1) test::random_source().seed(static_cast<unsigned>(std::atoi(arguments[1])));
  const Kernels* const* tables = nullptr;
  const int table_count = available_kernels(&tables);
  for (int index = 0; index < table_count; ++index) {
    use_kernels(*tables[index]);
    test::test_all(12);
  }
  std::printf("%d comparisons, %d failed\n", test::comparisons, test::failures);
  return test::failures ? 1 : 0;
}
