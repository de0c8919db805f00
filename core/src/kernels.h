// The arithmetic of the layers, once for each instruction set. Everything here works on raw arrays; what belongs to
// which student the plan says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace potstill {

// Bytes that may be read past the end of every array that a kernel reads.
constexpr size_t kSlack = 64;

template <class T>
struct Aligned {  // an allocator whose memory begins at a multiple of 64 bytes
  using value_type = T;
  Aligned() = default;
  template <class U>
  Aligned(const Aligned<U> &) {}
  T *allocate(size_t n) { return static_cast<T *>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T *at, size_t) { ::operator delete (at, std::align_val_t{64}); }
  bool operator==(const Aligned &) const { return true; }
  bool operator!=(const Aligned &) const { return false; }
};

template <class T>
using Array = std::vector<T, Aligned<T>>;

constexpr size_t kGroup = 8;  // panels that lie side by side

// Weights [k, n] in the order in which a kernel reads them. A panel is as many columns as a vector has lanes; in a
// group of panels the rows come one after another, of integers four rows together. y = (x @ weights + offset) * scale +
// bias.
struct Matrix {
  bool is_integer = false;
  size_t k = 0, n = 0;
  Array<float> floats;
  Array<int8_t> integers;
  // One number a column, and 0 past the last one up to a whole panel.
  Array<int32_t> offset;  // minus the zero point of x times the sum of the column
  Array<float> scale;     // 1 for floats
  Array<float> bias;
};

enum class Activation { kNone, kLeaky };

// One direction of an LSTM. The columns of both matrices are in blocks: of as many units as a vector has lanes the
// input gates, then their forget gates, cell candidates and output gates.
struct Lstm {
  size_t units = 0;         // of a text's state
  size_t padded_units = 0;  // up to a whole block
  Matrix input, state;
  bool is_reversed = false;
};

// Rows that belong to one text, of arrays that hold several texts.
struct Rows {
  size_t first, count;
};

// What an LSTM needs while it reads.
struct LstmScratch {
  float *projected;         // [rows, 4 * padded_units]
  float *cells;             // [texts, padded_units]
  float *states;            // [2, texts, padded_units]: at the last word and at this one
  uint8_t *integer_states;  // the same in integers: 127 times the state and 128
};

struct Kernels {
  const char *name;
  size_t lanes;

  // y[r] = activation(x[r] @ m) for rows of x that begin ldx numbers apart; they may overlap.
  void (*multiply)(const Matrix &m, const void *x, size_t ldx, size_t rows, float *y, size_t ldy, Activation activation,
                   float slope);
  // y = max(0, the largest of x[r] @ m over the rows).
  void (*multiply_max)(const Matrix &m, const void *x, size_t ldx, size_t rows, float *y);
  void (*layer_norm)(const float *x, size_t width, const float *weight, const float *bias, float epsilon, float *y);
  // y = round(x / scale) + zero_point, within 0 to 255.
  void (*quantize)(const float *x, size_t size, float scale, int zero_point, uint8_t *y);
  // The maximum over each text's words of the LSTM's states, `ldy` numbers apart. Texts are sorted by length, the
  // longest first.
  void (*lstm)(const Lstm &lstm, const void *x, size_t ldx, const Rows *texts, size_t n_texts,
               const LstmScratch &scratch, float *y, size_t ldy);
  // The sum of some rows of a table, and where `largest` is not null their maximum.
  void (*sum_floats)(const float *table, const uint32_t *rows, size_t n_rows, size_t width, float *sum, float *largest);
  void (*sum_bytes)(const uint8_t *table, const uint32_t *rows, size_t n_rows, size_t width, int32_t *sum,
                    uint8_t *largest);
  // Dynamic self-attention over the rows of x [rows, heads * width], see students/densenet_dsa.py.
  void (*attend)(const float *x, size_t rows, size_t heads, size_t width, size_t rounds, float *scores,
                 float *y);  // scores: [2, rows]
};

// The best kernels that this processor can run. `name`: those of that name, if it can run them, else null.
const Kernels *find_kernels(const char *name = nullptr);

}  // namespace potstill
