#include "weights.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "json.h"

namespace potstill {
namespace {

constexpr size_t kLargestHeader = 100 << 20;

bool find_type(std::string_view name, Type &type, size_t &bytes) {
  type = name == "F32" ? Type::kFloat : name == "I8" ? Type::kSigned : Type::kUnsigned;
  bytes = name == "F32" ? 4 : 1;
  return name == "F32" || name == "I8" || name == "U8";
}

}  // namespace

std::string Weights::read(std::string_view file) {
  const std::string damaged = "the weights are no safetensors file, or damaged";
  uint64_t header = 0;
  size_ = file.size();
  if (file.size() < sizeof header) return damaged;
  std::memcpy(&header, file.data(), sizeof header);
  if (header > kLargestHeader || header > file.size() - sizeof header) return damaged;
  const std::string_view data = file.substr(sizeof header + header);
  JsonDocument document;
  if (!parse_json(file.substr(sizeof header, header), document)) return damaged;
  size_t taken = 0;
  for (const auto &[name, fields] : document.root.members) {
    Tensor tensor{};
    size_t item = 0;
    if (!find_type(fields["dtype"].text, tensor.type, item)) continue;  // what no layer reads, as __metadata__
    const Json &offsets = fields["data_offsets"];
    if (offsets.items.size() != 2) return damaged;
    const size_t start = offsets.items[0].whole(data.size(), SIZE_MAX);
    const size_t end = offsets.items[1].whole(data.size(), SIZE_MAX);
    if (start == SIZE_MAX || end == SIZE_MAX || start > end) return damaged;
    size_t count = end - start;
    for (const Json &length : fields["shape"].items) {
      const size_t each = length.whole(data.size(), 0);
      if (!each || count % each) return damaged;
      count /= each;
      tensor.shape.push_back(each);
    }
    if (count != item || (reinterpret_cast<uintptr_t>(data.data()) + start) % item) return damaged;
    tensor.bytes = data.data() + start;
    tensor.size = end - start;
    tensor.after = data.size() - end;
    // Tensors do not overlap: else a small file could name its bytes as many large ones, each of which is copied.
    if (tensor.size > data.size() - taken) return damaged;
    taken += tensor.size;
    tensors_[std::string(name)] = tensor;
  }
  return "";
}

const Tensor *Weights::find(const std::string &name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

template <class T>
void pack(const T *source, size_t k, size_t size, const std::vector<size_t> &columns, size_t lanes, Matrix &matrix) {
  constexpr bool kIsInteger = std::is_same_v<T, int8_t>;
  constexpr size_t kStep = kIsInteger ? 4 : 1;
  const size_t channels = k / size, steps = (k + kStep - 1) / kStep;
  const size_t panels = (columns.size() + lanes - 1) / lanes;
  matrix.is_integer = kIsInteger;
  matrix.k = k;
  matrix.n = columns.size();
  Array<T> packed(panels * steps * kStep * lanes + kSlack, T{});
  matrix.offset.assign(panels * lanes, 0);
  matrix.scale.assign(panels * lanes, 1.0f);
  matrix.bias.assign(panels * lanes, 0.0f);
  for (size_t column = 0; column < columns.size(); ++column) {
    if (columns[column] == SIZE_MAX) continue;
    const T *from = source + columns[column] * k;
    const size_t panel = column / lanes, first = panel / kGroup * kGroup, together = std::min(kGroup, panels - first);
    T *to = packed.data() + (first * steps + panel - first) * kStep * lanes + column % lanes * kStep;
    int32_t sum = 0;
    size_t row = 0;
    for (size_t word = 0; word < size; ++word)
      for (size_t channel = 0; channel < channels; ++channel, ++row) {
        const T value = from[channel * size + word];
        to[row / kStep * together * kStep * lanes + row % kStep] = value;
        if constexpr (kIsInteger) sum += value;
      }
    matrix.offset[column] = sum;
  }
  if constexpr (kIsInteger)
    matrix.integers = std::move(packed);
  else
    matrix.floats = std::move(packed);
}

template void pack(const float *, size_t, size_t, const std::vector<size_t> &, size_t, Matrix &);
template void pack(const int8_t *, size_t, size_t, const std::vector<size_t> &, size_t, Matrix &);

}  // namespace potstill
