// A student's weights: a safetensors file in memory, and its tensors by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels.h"

namespace potstill {

enum class Type { kFloat, kSigned, kUnsigned };  // of 32, 8 and 8 bits

struct Tensor {
  Type type;
  std::vector<size_t> shape;
  const char *bytes;
  size_t size;   // in bytes
  size_t after;  // bytes of the file behind it
};

class Weights {
 public:
  // Reads the header. Gives what is wrong; empty: nothing. Every tensor lies within the file, and together they are not
  // larger than it.
  std::string read(std::string_view file);
  const Tensor *find(const std::string &name) const;
  size_t size() const { return size_; }  // of the file in bytes

 private:
  std::map<std::string, Tensor> tensors_;  // no hash table: anybody can make names that have the same hash
  size_t size_ = 0;
};

// Puts weights in the order of the kernels.
//   source    of column c and row r the number at c * k + r; of convolutions [n, k / size, size] those of a window,
//   word by
//             word
//   size      words of a window, 1: no convolution
//   columns   which column of the source each is, SIZE_MAX: one of zeros
template <class T>
void pack(const T *source, size_t k, size_t size, const std::vector<size_t> &columns, size_t lanes, Matrix &matrix);

}  // namespace potstill
