// An LSTM over several texts, word by word. Included by kernels.cpp for each instruction set.
#pragma once

#include <algorithm>

#include "products.h"

namespace potstill {
namespace POTSTILL_ISA {
namespace {

// One step of an LSTM for some texts and blocks of units: its gates from the last states and what the words give.
template <class P>
class Step {
 public:
  Step(const Lstm &lstm, const LstmScratch &scratch, size_t n_texts)
      : lstm_(lstm), scratch_(scratch), n_texts_(n_texts) {}

  void run(const Rows *texts, size_t active, size_t step, float *y, size_t ldy) {
    const size_t width = lstm_.padded_units, blocks = width / kLanes;
    const size_t before = (step & 1) * n_texts_ * width, after = n_texts_ * width - before;
    typename P::Sum sums[kSums];
    const size_t height = rows_a_tile(active, std::min(kMostRows, kSums / 4));
    const size_t together = active == 1 && blocks % 2 == 0 ? 2 : 1;  // blocks of a tile
    // There and back: the weights of the last blocks are still in the first cache.
    for (size_t i = 0; i < blocks; i += together) {
      const size_t block = step % 2 ? blocks - together - i : i;
      for (size_t text = 0; text < active; text += height) {
        const size_t count = std::min(height, active - text);
        const int panels = static_cast<int>(4 * together);
        if (step) find_tile<P>(count, panels)(states(before + text * width), width, lstm_.state, 4 * block, sums);
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

}  // namespace
}  // namespace POTSTILL_ISA
}  // namespace potstill
