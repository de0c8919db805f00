// The kernels for one instruction set. This file is compiled once for each: POTSTILL_ISA names it.
#include "kernels.h"

#include <algorithm>
#include <cmath>

#include "lstm_steps.h"
#include "products.h"
#include "vectors.h"

namespace potstill {
namespace POTSTILL_ISA {
namespace {

float total(const float *x, size_t size) {
  Floats sums{};
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) sums += load<Floats>(x + i);
  float rest = sum(sums);
  for (; i < size; ++i) rest += x[i];
  return rest;
}

float product(const float *a, const float *b, size_t size) {
  Floats sums{};
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) sums += load<Floats>(a + i) * load<Floats>(b + i);
  float rest = sum(sums);
  for (; i < size; ++i) rest += a[i] * b[i];
  return rest;
}

void layer_norm(const float *x, size_t width, const float *weight, const float *bias, float epsilon, float *y) {
  const float mean = total(x, width) / static_cast<float>(width);
  for (size_t i = 0; i < width; ++i) y[i] = x[i] - mean;
  const float variance = product(y, y, width) / static_cast<float>(width);
  const float factor = 1.0f / std::sqrt(variance + epsilon);
  for (size_t i = 0; i < width; ++i) y[i] = y[i] * factor * weight[i] + bias[i];
}

void quantize(const float *x, size_t size, float scale, int zero_point, uint8_t *y) {
  const Floats zero = all(static_cast<float>(zero_point));
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(y + i, to_bytes(round(load<Floats>(x + i) / scale) + zero));
  if (i == size) return;
  Floats rest{};
  std::memcpy(&rest, x + i, (size - i) * sizeof(float));
  const Bytes bytes = to_bytes(round(rest / scale) + zero);
  std::memcpy(y + i, &bytes, size - i);
}

constexpr size_t kAhead = 16;  // rows that are asked for before they are read: tables are larger than the cache

void sum_floats(const float *table, const uint32_t *rows, size_t n_rows, size_t width, float *sum, float *largest) {
  std::fill(sum, sum + width, 0.0f);
  if (largest) std::fill(largest, largest + width, -INFINITY);
  for (size_t i = 0; i < n_rows; ++i) {
    if (i + kAhead < n_rows) __builtin_prefetch(table + size_t{rows[i + kAhead]} * width);
    const float *row = table + size_t{rows[i]} * width;
    for (size_t j = 0; j < width; ++j) sum[j] += row[j];
    if (largest)
      for (size_t j = 0; j < width; ++j) largest[j] = std::max(largest[j], row[j]);
  }
}

// Rows of up to four numbers, each read as one: their sums in two halves of 16 bits.
void sum_short_rows(const uint8_t *table, const uint32_t *rows, size_t n_rows, size_t width, int32_t *sum) {
  constexpr size_t kTogether = 256;  // whose sums fit into 16 bits
  for (size_t start = 0; start < n_rows; start += kTogether) {
    const size_t end = std::min(n_rows, start + kTogether);
    uint32_t even = 0, odd = 0;
    for (size_t i = start; i < end; ++i) {
      if (i + kAhead < n_rows) __builtin_prefetch(table + size_t{rows[i + kAhead]} * width);
      uint32_t four;
      std::memcpy(&four, table + size_t{rows[i]} * width, 4);
      even += four & 0x00FF00FF;
      odd += four >> 8 & 0x00FF00FF;
    }
    const uint32_t sums[] = {even & 0xFFFF, odd & 0xFFFF, even >> 16, odd >> 16};
    for (size_t j = 0; j < width; ++j) sum[j] += static_cast<int32_t>(sums[j]);
  }
}

void sum_bytes(const uint8_t *table, const uint32_t *rows, size_t n_rows, size_t width, int32_t *sum,
               uint8_t *largest) {
  std::fill(sum, sum + width, 0);
  if (!largest && width <= 4) return sum_short_rows(table, rows, n_rows, width, sum);
  if (largest) std::fill(largest, largest + width, uint8_t{0});
  for (size_t i = 0; i < n_rows; ++i) {
    if (i + kAhead < n_rows) __builtin_prefetch(table + size_t{rows[i + kAhead]} * width);
    const uint8_t *row = table + size_t{rows[i]} * width;
    for (size_t j = 0; j < width; ++j) sum[j] += row[j];
    if (largest)
      for (size_t j = 0; j < width; ++j) largest[j] = std::max(largest[j], row[j]);
  }
}

void all_hyperbolic_tangents(float *x, size_t size) {
  size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) store(x + i, hyperbolic_tangent(load<Floats>(x + i)));
  if (i == size) return;
  Floats rest{};
  std::memcpy(&rest, x + i, (size - i) * sizeof(float));
  rest = hyperbolic_tangent(rest);
  std::memcpy(x + i, &rest, (size - i) * sizeof(float));
}

// e to the power of each score, of which the largest becomes 1; gives their sum.
float exponentials(float *scores, size_t size) {
  const float largest = *std::max_element(scores, scores + size);
  float sum = 0;
  for (size_t i = 0; i < size; ++i) sum += scores[i] = std::exp(scores[i] - largest);
  return sum;
}

void attend(const float *x, size_t rows, size_t heads, size_t width, size_t rounds, float *scores, float *y) {
  const size_t ldx = heads * width;
  for (size_t head = 0; head < heads; ++head) {
    const float *words = x + head * width;
    float *summed = y + head * width;
    std::fill(scores, scores + 2 * rows, 0.0f);
    float *weights = scores + rows;
    for (size_t round = 0; round < rounds; ++round) {
      if (round)
        for (size_t row = 0; row < rows; ++row) scores[row] += product(words + row * ldx, summed, width);
      std::copy(scores, scores + rows, weights);
      const float all_weights = exponentials(weights, rows);
      std::fill(summed, summed + width, 0.0f);
      for (size_t row = 0; row < rows; ++row) {
        const float weight = weights[row] / all_weights;
        for (size_t j = 0; j < width; ++j) summed[j] += weight * words[row * ldx + j];
      }
      all_hyperbolic_tangents(summed, width);
    }
  }
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels = {POTSTILL_NAME, kLanes, multiply,   multiply_max, layer_norm,
                         quantize,      lstm,   sum_floats, sum_bytes,    attend};

}  // namespace POTSTILL_ISA
}  // namespace potstill
