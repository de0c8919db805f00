// Matrix products in tiles that stay in registers, of floats and of 8-bit integers. Included by kernels.cpp for each
// instruction set.
#pragma once

#include <algorithm>

#include "kernels.h"
#include "vectors.h"

namespace potstill {
namespace POTSTILL_ISA {
namespace {

// Sums that a tile holds in registers, of those that there are.
constexpr int kSums = POTSTILL_BYTES == 64 ? 24 : 12;
constexpr int kMostRows = 6, kMostPanels = static_cast<int>(kGroup);
constexpr int kPanels = POTSTILL_BYTES == 64 ? 4 : 2;  // of a tile of several rows

struct FloatProducts {
  using X = float;
  using Sum = Floats;
  static constexpr size_t kStep = 1;
  static const float *weights(const Matrix &m) { return m.floats.data(); }
  static Floats everywhere(const float *x) { return all(*x); }
  static Floats add(Floats sum, Floats x, const float *weights) { return sum + x * load<Floats>(weights); }
  static Floats scaled(Floats sum, const Matrix &m, size_t column) { return sum + load<Floats>(&m.bias[column]); }
};

struct IntegerProducts {
  using X = uint8_t;
  using Sum = Integers;
  static constexpr size_t kStep = 4;
  static const int8_t *weights(const Matrix &m) { return m.integers.data(); }
  static Integers everywhere(const uint8_t *x) {
    int32_t four;
    std::memcpy(&four, x, 4);
    return all(four);
  }
  static Integers add(Integers sum, Integers x, const int8_t *weights) { return add_products(sum, x, weights); }
  static Floats scaled(Integers sum, const Matrix &m, size_t column) {
    return to_floats(sum + load<Integers>(&m.offset[column])) * load<Floats>(&m.scale[column]) +
           load<Floats>(&m.bias[column]);
  }
};

// R rows of x times V panels of weights, which are neighbours in a group.
template <class P, int R, int V>
void tile(const typename P::X *x, size_t ldx, const Matrix &m, size_t panel, typename P::Sum *out) {
  constexpr size_t kSize = P::kStep * kLanes;  // of a panel's part of a step
  typename P::Sum sums[R][V] = {};
  const size_t steps = (m.k + P::kStep - 1) / P::kStep, first = panel / kGroup * kGroup;
  const size_t together = std::min(kGroup, (m.n + kLanes - 1) / kLanes - first) * kSize;
  const auto *weights = P::weights(m) + first * steps * kSize + (panel - first) * kSize;
  for (size_t step = 0; step < steps; ++step) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto value = P::everywhere(x + r * ldx + step * P::kStep);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sums[r][v] = P::add(sums[r][v], value, weights + v * kSize);
    }
    weights += together;
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) out[r * V + v] = sums[r][v];
}

template <class P>
using Tile = void (*)(const typename P::X *, size_t, const Matrix &, size_t, typename P::Sum *);

template <class P, int R, int V>
constexpr Tile<P> tile_if_it_fits() {
  if constexpr (R * V <= kSums)
    return tile<P, R, V>;
  else
    return nullptr;
}

template <class P, int R>
constexpr Tile<P> pick(int panels) {
  return panels == 8   ? tile_if_it_fits<P, R, 8>()
         : panels == 4 ? tile_if_it_fits<P, R, 4>()
         : panels == 2 ? tile_if_it_fits<P, R, 2>()
                       : tile_if_it_fits<P, R, 1>();
}

// The tile of some rows and of 1, 2, 4 or 8 panels; null where its sums are too many.
template <class P>
Tile<P> find_tile(size_t rows, int panels) {
  switch (rows) {
    case 1:
      return pick<P, 1>(panels);
    case 2:
      return pick<P, 2>(panels);
    case 3:
      return pick<P, 3>(panels);
    case 4:
      return pick<P, 4>(panels);
    case 5:
      return pick<P, 5>(panels);
    default:
      return pick<P, 6>(panels);
  }
}

// Rows of each tile where `rows` are divided into equal ones of at most `most`.
size_t rows_a_tile(size_t rows, size_t most) {
  const size_t tiles = (rows + most - 1) / most;
  return (rows + tiles - 1) / tiles;
}

// Calls use(first row, rows, first panel, panels, sums) for every tile of a product; all rows of a panel one after
// another.
template <class P, class Use>
void for_tiles(const Matrix &m, const typename P::X *x, size_t ldx, size_t rows, Use use) {
  typename P::Sum sums[kSums];
  const size_t n_panels = (m.n + kLanes - 1) / kLanes;
  const int widest = rows == 1 ? kMostPanels : kPanels;
  const size_t height = rows_a_tile(rows, kMostRows);
  for (size_t panel = 0; panel < n_panels;) {
    int panels = widest;
    while (panel + panels > n_panels || panel % kGroup + panels > kGroup) panels /= 2;
    for (size_t row = 0; row < rows; row += height) {
      const size_t count = std::min(height, rows - row);
      find_tile<P>(count, panels)(x + row * ldx, ldx, m, panel, sums);
      use(row, count, panel, panels, sums);
    }
    panel += panels;
  }
}

// Stores a vector of the columns from `column` on, as far as there are any.
inline void store_columns(float *y, Floats values, size_t column, size_t n) {
  if (column + kLanes <= n)
    store(y + column, values);
  else
    std::memcpy(y + column, &values, (n - column) * sizeof(float));
}

template <class P>
void multiply_as(const Matrix &m, const typename P::X *x, size_t ldx, size_t rows, float *y, size_t ldy,
                 Activation activation, float slope) {
  for_tiles<P>(m, x, ldx, rows, [&](size_t row, size_t count, size_t panel, int panels, const typename P::Sum *sums) {
    for (size_t r = 0; r < count; ++r)
      for (int v = 0; v < panels; ++v) {
        const size_t column = (panel + v) * kLanes;
        Floats values = P::scaled(sums[r * panels + v], m, column);
        if (activation == Activation::kLeaky) values = values > all(0.0f) ? values : values * slope;
        store_columns(y + (row + r) * ldy, values, column, m.n);
      }
  });
}

void multiply(const Matrix &m, const void *x, size_t ldx, size_t rows, float *y, size_t ldy, Activation activation,
              float slope) {
  if (m.is_integer)
    multiply_as<IntegerProducts>(m, static_cast<const uint8_t *>(x), ldx, rows, y, ldy, activation, slope);
  else
    multiply_as<FloatProducts>(m, static_cast<const float *>(x), ldx, rows, y, ldy, activation, slope);
}

template <class P>
void multiply_max_as(const Matrix &m, const typename P::X *x, size_t ldx, size_t rows, float *y) {
  typename P::Sum best[kMostPanels];
  for_tiles<P>(m, x, ldx, rows, [&](size_t row, size_t count, size_t panel, int panels, const typename P::Sum *sums) {
    for (int v = 0; v < panels; ++v) {
      typename P::Sum largest = row ? best[v] : sums[v];
      for (size_t r = row ? 0 : 1; r < count; ++r) largest = larger(largest, sums[r * panels + v]);
      best[v] = largest;
    }
    if (row + count < rows) return;
    for (int v = 0; v < panels; ++v) {  // scales are above 0: the largest sum is the largest output
      const size_t column = (panel + v) * kLanes;
      store_columns(y, larger(P::scaled(best[v], m, column), all(0.0f)), column, m.n);
    }
  });
}

void multiply_max(const Matrix &m, const void *x, size_t ldx, size_t rows, float *y) {
  if (m.is_integer)
    multiply_max_as<IntegerProducts>(m, static_cast<const uint8_t *>(x), ldx, rows, y);
  else
    multiply_max_as<FloatProducts>(m, static_cast<const float *>(x), ldx, rows, y);
}

}  // namespace
}  // namespace POTSTILL_ISA
}  // namespace potstill
