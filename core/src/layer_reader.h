// What a layer reads of its plan and of the weights, checked: the first thing that is wrong is kept, and what follows
// gets numbers that do no harm.
#pragma once

#include <string>

#include "layers.h"

namespace potstill {

template <class A>
void grow(A &array, size_t size) {
  if (array.size() < size) array.resize(size);
}

class LayerReader {
 public:
  LayerReader(const Json &fields, const Weights &weights, const Kernels &kernels, Layers &layers)
      : fields_(fields), weights_(weights), kernels_(kernels), layers_(layers) {}

  const std::string &problem() const { return problem_; }
  void fail(const std::string &problem) {
    if (problem_.empty()) problem_ = problem;
  }

  bool has(const char *name) const { return !fields_[name].is(Json::Kind::kNull); }
  size_t whole(const char *name, size_t most, size_t otherwise) const { return fields_[name].whole(most, otherwise); }
  float number(const char *name) const { return static_cast<float>(fields_[name].number); }

  // An earlier value, by its index; `item`: of a list of them.
  size_t index(const char *name, size_t item = SIZE_MAX);
  Value input(const char *name, size_t item = SIZE_MAX);
  size_t count(const char *name) const { return fields_[name].items.size(); }

  // A table of vectors, of floats or of integers; sets the value that its rows are.
  const Tensor *table(const char *name, Value &value);
  const float *floats(const char *name, size_t size);
  // Scale and zero point of integers.
  void quantization(const char *name, Value &value);
  // The weights and the bias of a linear layer on a value, or of a convolution, whose words a window are given back.
  size_t matrix(const char *weight, const char *bias, const Value &x, Matrix &matrix, size_t item = SIZE_MAX);
  void lstm(const char *prefix, const Value &x, Lstm &lstm);

  // What the batch has to provide.
  void reach(size_t words) { layers_.room = std::max(layers_.room, words); }
  void scratch(size_t bytes) { layers_.row_bytes += bytes; }
  void several_at_once() { layers_.takes_turns = true; }
  void ids_below(size_t n_ids) { layers_.n_ids = std::min(layers_.n_ids, n_ids); }
  void give(const Value &value);

 private:
  std::string name_of(const char *name, size_t item) const;
  const Tensor *tensor(const std::string &name, Type type, size_t dimensions);
  void read_quantization(const std::string &name, Value &value);
  void read_matrix(const std::string &name, const Value &x, const std::vector<size_t> *columns, Matrix &matrix,
                   size_t &size);

  const Json &fields_;
  const Weights &weights_;
  const Kernels &kernels_;
  Layers &layers_;
  std::string problem_;
};

}  // namespace potstill
