// The layers of students: from a text's ids to its logits. A plan lists them; each reads what earlier ones gave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "json.h"
#include "kernels.h"
#include "weights.h"

namespace potstill {

// What a layer gives: a row for each word, or one for each text; floats, or integers for scale * (integer -
// zero_point).
struct Value {
  size_t width = 0;
  bool is_by_text = false, is_integer = false;
  float scale = 1;
  int zero_point = 0;

  size_t bytes() const { return width * (is_integer ? sizeof(uint8_t) : sizeof(float)); }
};

// A value's numbers for some texts.
struct Buffer {
  Array<float> floats;
  Array<uint8_t> integers;
};

// Some texts on their way through the layers, the longest first. Between the rows of two texts, before the first and
// behind the last there is room for what a convolution sees past a text's ends.
struct Batch {
  std::vector<uint32_t> ids;  // of each row, of all texts
  std::vector<Rows> texts;
  size_t n_rows = 0;             // with the room between texts
  std::vector<Buffer> buffers;   // of each value
  std::vector<uint32_t> hashes;  // rows of tables, while an n-gram layer runs
  std::vector<int32_t> sums;
  Array<float> scratch[3];
  Array<uint8_t> integer_scratch;

  const uint32_t *ids_of(const Rows &text) const { return ids.data() + text.first; }
};

class Layer {
 public:
  virtual ~Layer() = default;
  // Computes the value whose buffer is batch.buffers[output].
  virtual void run(const Kernels &kernels, Batch &batch, size_t output) const = 0;
};

constexpr size_t kMostNumbers = size_t{1} << 20;  // of a word or a text, in all values together

// Layers in the order in which they run. The first value of a head is the texts' vectors; a pool's first layer reads
// ids.
struct Layers {
  std::vector<Value> values;
  std::vector<std::unique_ptr<Layer>> layers;
  size_t room = 0;       // rows between texts
  size_t row_bytes = 0;  // that a word takes in all buffers
  size_t n_numbers = 0;  // of a word or a text, in all values
  size_t packed = 0;     // numbers of all matrices, as kernels read them
  size_t n_ids = SIZE_MAX;
  bool takes_turns = false;  // whether several texts at once are much faster, as in an LSTM

  size_t first_output() const { return values.size() - layers.size(); }
};

// Every row of a value of words; of texts one a text.
template <class Use>
void for_rows(const Batch &batch, bool is_by_text, Use use) {
  if (is_by_text) {
    use(Rows{0, batch.texts.size()});
    return;
  }
  for (const Rows &text : batch.texts) use(text);
}

// Where a row of a value begins.
inline const void *row_of(const Buffer &buffer, const Value &value, size_t row) {
  return value.is_integer ? static_cast<const void *>(buffer.integers.data() + row * value.width)
                          : static_cast<const void *>(buffer.floats.data() + row * value.width);
}

// Reads the layers of a plan; with a value for `first` those of a head. Gives what is wrong; empty: nothing.
std::string read_layers(const Json &plan, const Weights &weights, const Kernels &kernels, const Value *first,
                        Layers &layers);

// Makes a batch's buffers large enough; nothing is allocated where they are.
void make_room(const Layers &layers, Batch &batch);

}  // namespace potstill
