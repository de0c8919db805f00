// The kernels for one instruction set. This file is compiled once for each: POTSTILL_ISA names it.
#include "kernels.h"

#include <algorithm>
#include <cmath>

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
    case 1: return pick<P, 1>(panels);
    case 2: return pick<P, 2>(panels);
    case 3: return pick<P, 3>(panels);
    case 4: return pick<P, 4>(panels);
    case 5: return pick<P, 5>(panels);
    default: return pick<P, 6>(panels);
  }
}

// Rows of each tile where `rows` are divided into equal ones of at most `most`.
size_t rows_a_tile(size_t rows, size_t most) {
  const size_t tiles = (rows + most - 1) / most;
  return (rows + tiles - 1) / tiles;
}

// Calls use(first row, rows, first panel, panels, sums) for every tile of a product; all rows of a panel one after another.
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

typedef uint8_t Bytes __attribute__((vector_size(POTSTILL_BYTES / 4)));

inline Bytes to_bytes(Floats rounded) {
  Floats within = rounded > all(255.0f) ? all(255.0f) : rounded;
  within = within < all(0.0f) ? all(0.0f) : within;
  return __builtin_convertvector(to_integers(within), Bytes);
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

// One step of an LSTM for some texts and blocks of units: its gates from the last states and what the words give.
template <class P>
class Step {
 public:
  Step(const Lstm &lstm, const LstmScratch &scratch, size_t n_texts) : lstm_(lstm), scratch_(scratch), n_texts_(n_texts) {}

  void run(const Rows *texts, size_t active, size_t step, float *y, size_t ldy) {
    const size_t width = lstm_.padded_units, blocks = width / kLanes;
    const size_t before = (step & 1) * n_texts_ * width, after = n_texts_ * width - before;
    typename P::Sum sums[kSums];
    const size_t height = rows_a_tile(active, std::min(kMostRows, kSums / 4));
    const size_t together = active == 1 && kSums >= 24 && blocks % 2 == 0 ? 2 : 1;  // blocks of a tile
    // There and back: the weights of the last blocks are still in the first cache.
    for (size_t i = 0; i < blocks; i += together) {
      const size_t block = step % 2 ? blocks - together - i : i;
      for (size_t text = 0; text < active; text += height) {
        const size_t count = std::min(height, active - text);
        const int panels = static_cast<int>(4 * together);
        if (step)
          find_tile<P>(count, panels)(states(before + text * width), width, lstm_.state, 4 * block, sums);
        for (size_t r = 0; r < count; ++r)
          for (size_t b = 0; b < together; ++b) {
            const Rows &rows = texts[text + r];
            const size_t row = rows.first + (lstm_.is_reversed ? rows.count - 1 - step : step);
            const float *projected = scratch_.projected + row * 4 * width;
            const Floats state = unit(sums + r * panels + 4 * b, projected, block + b, text + r, step);
            keep(after + (text + r) * width + (block + b) * kLanes, state);
            highest(y + (text + r) * ldy, state, (block + b) * kLanes, step);
          }
      }
    }
  }

 private:
  const typename P::X *states(size_t at) const {
    if constexpr (P::kStep == 1)
      return scratch_.states + at;
    else
      return scratch_.integer_states + at;
  }

  Floats unit(const typename P::Sum *sums, const float *projected, size_t block, size_t text, size_t step) {
    Floats gates[4];
    for (size_t gate = 0; gate < 4; ++gate) {
      const size_t column = (4 * block + gate) * kLanes;
      gates[gate] = load<Floats>(projected + column);
      if (step) gates[gate] += P::scaled(sums[gate], lstm_.state, column);
    }
    float *cells = scratch_.cells + text * lstm_.padded_units + block * kLanes;
    const Floats kept = step ? load<Floats>(cells) / (1.0f + exponential(-gates[1])) : Floats{};
    const Floats cell = kept + gated_tangent(gates[0], gates[2]);
    store(cells, cell);
    return gated_tangent(gates[3], cell);
  }

  void keep(size_t at, Floats state) {
    if constexpr (P::kStep == 1)
      store(scratch_.states + at, state);
    else
      store(scratch_.integer_states + at, to_bytes(round(state * 127.0f) + 128.0f));
  }

  void highest(float *y, Floats state, size_t unit, size_t step) {
    if (unit >= lstm_.units) return;
    if (step) {
      Floats before{};
      std::memcpy(&before, y + unit, std::min(kLanes, lstm_.units - unit) * sizeof(float));
      state = larger(state, before);
    }
    store_columns(y, state, unit, lstm_.units);
  }

  const Lstm &lstm_;
  const LstmScratch &scratch_;
  size_t n_texts_;
};

template <class P>
void lstm_as(const Lstm &lstm, const void *x, size_t ldx, const Rows *texts, size_t n_texts, const LstmScratch &scratch,
             float *y, size_t ldy) {
  const size_t rows = texts[n_texts - 1].first + texts[n_texts - 1].count, width = 4 * lstm.padded_units;
  multiply(lstm.input, x, ldx, rows, scratch.projected, width, Activation::kNone, 0);
  Step<P> steps(lstm, scratch, n_texts);
  size_t active = n_texts;
  for (size_t step = 0; step < texts[0].count; ++step) {
    while (texts[active - 1].count <= step) --active;
    steps.run(texts, active, step, y, ldy);
  }
}

void lstm(const Lstm &lstm, const void *x, size_t ldx, const Rows *texts, size_t n_texts, const LstmScratch &scratch,
          float *y, size_t ldy) {
  if (lstm.state.is_integer)
    lstm_as<IntegerProducts>(lstm, x, ldx, texts, n_texts, scratch, y, ldy);
  else
    lstm_as<FloatProducts>(lstm, x, ldx, texts, n_texts, scratch, y, ldy);
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
const Kernels kernels = {POTSTILL_NAME, kLanes,   multiply,   multiply_max, layer_norm,
                         quantize,      lstm,     sum_floats, sum_bytes,    attend};

}  // namespace POTSTILL_ISA
}  // namespace potstill
