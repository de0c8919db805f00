#include "layer_reader.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace potstill {
namespace {

constexpr size_t kMostIntegers = 65536;            // of a sum of products: more may not fit into 32 bits
constexpr size_t kMostPacked = 64;                 // times the bytes of the weights: of a matrix of one number a panel
constexpr size_t kLongestWindow = 1000;            // words of a convolution
constexpr char kScale[] = ".scale";                // of each column of a matrix of integers
constexpr char kQuantization[] = ".quantization";  // scale and zero point of a table of integers

}  // namespace

size_t LayerReader::index(const char *name, size_t item) {
  const Json &field = fields_[name];
  if (item != SIZE_MAX && item >= field.items.size()) return 0;
  const size_t found = (item == SIZE_MAX ? field : field.items[item]).whole(SIZE_MAX >> 12, SIZE_MAX);
  if (found < layers_.values.size()) return found;
  fail(std::string("no earlier value for '") + name + "'");
  return 0;
}

Value LayerReader::input(const char *name, size_t item) {
  const size_t found = index(name, item);
  if (found < layers_.values.size()) return layers_.values[found];
  Value none;
  none.width = 1;
  return none;
}

std::string LayerReader::name_of(const char *name, size_t item) const {
  const Json &field = fields_[name];
  if (item == SIZE_MAX) return std::string(field.text);
  return item < field.items.size() ? std::string(field.items[item].text) : "";
}

const Tensor *LayerReader::tensor(const std::string &name, Type type, size_t dimensions) {
  const Tensor *found = weights_.find(name);
  if (found && found->type == type && found->shape.size() == dimensions) return found;
  fail("the weights have no '" + name + "', or one of another kind");
  return nullptr;
}

void LayerReader::read_quantization(const std::string &name, Value &value) {
  value.is_integer = true;
  const Tensor *found = tensor(name, Type::kFloat, 1);
  if (!found || found->shape[0] != 2) return fail("'" + name + "' is no scale and zero point");
  const auto *numbers = reinterpret_cast<const float *>(found->bytes);
  if (!(numbers[0] > 0 && std::isfinite(numbers[0]) && numbers[1] >= 0 && numbers[1] <= 255))
    return fail("'" + name + "' is no scale and zero point");
  value.scale = numbers[0];
  value.zero_point = static_cast<int>(numbers[1]);
}

void LayerReader::quantization(const char *name, Value &value) { read_quantization(name_of(name, SIZE_MAX), value); }

const Tensor *LayerReader::table(const char *name, Value &value) {
  const std::string tensor_name = name_of(name, SIZE_MAX);
  const Tensor *any = weights_.find(tensor_name);
  const bool is_integer = any && any->type == Type::kUnsigned;
  const Tensor *found = tensor(tensor_name, is_integer ? Type::kUnsigned : Type::kFloat, 2);
  if (!found) return nullptr;
  if (found->shape[0] > UINT32_MAX) fail("a table of too many rows");
  value.width = found->shape[1];
  if (is_integer) {
    read_quantization(tensor_name + kQuantization, value);
    if (found->after < kSlack) fail("'" + tensor_name + "' ends where the file ends");
  }
  return found;
}

const float *LayerReader::floats(const char *name, size_t size) {
  const Tensor *found = tensor(name_of(name, SIZE_MAX), Type::kFloat, 1);
  if (found && found->shape[0] == size) return reinterpret_cast<const float *>(found->bytes);
  fail("'" + name_of(name, SIZE_MAX) + "' has not " + std::to_string(size) + " numbers");
  return nullptr;
}

void LayerReader::read_matrix(const std::string &name, const Value &x, const std::vector<size_t> *columns,
                              Matrix &matrix, size_t &size) {
  const Type type = x.is_integer ? Type::kSigned : Type::kFloat;
  const Tensor *any = weights_.find(name);
  const size_t dimensions = any && any->shape.size() == 3 ? 3 : 2;
  const Tensor *found = tensor(name, type, dimensions);
  if (!found) return;
  const size_t n = found->shape[0];
  size = dimensions == 3 ? found->shape[2] : 1;
  if (size > kLongestWindow) return fail("'" + name + "' sees too many words");
  if (found->shape[1] != x.width) return fail("'" + name + "' does not fit what it is multiplied with");
  const size_t k = x.width * size;
  if (x.is_integer && k > kMostIntegers) return fail("'" + name + "' has too many rows for integers");
  std::vector<size_t> all(n);
  std::iota(all.begin(), all.end(), size_t{0});
  if (!columns) columns = &all;
  for (const size_t column : *columns)
    if (column != SIZE_MAX && column >= n) return fail("'" + name + "' has too few columns");
  // A plan may name the same matrix again and again.
  layers_.packed += (columns->size() + kernels_.lanes) * (k + 4);
  if (layers_.packed / kMostPacked > weights_.size()) return fail("more matrices than there are weights");
  if (!x.is_integer)
    return pack(reinterpret_cast<const float *>(found->bytes), k, size, *columns, kernels_.lanes, matrix);
  pack(reinterpret_cast<const int8_t *>(found->bytes), k, size, *columns, kernels_.lanes, matrix);
  const Tensor *scales = tensor(name + kScale, Type::kFloat, 1);
  if (!scales || scales->shape[0] != n) return fail("'" + name + "' has not one scale a column");
  const auto *numbers = reinterpret_cast<const float *>(scales->bytes);
  for (size_t column = 0; column < columns->size(); ++column) {
    const size_t source = (*columns)[column];
    if (source != SIZE_MAX && !(numbers[source] > 0)) return fail("'" + name + "' has a scale that is not above 0");
    matrix.offset[column] *= -x.zero_point;
    matrix.scale[column] = source == SIZE_MAX ? 0.0f : x.scale * numbers[source];
  }
}

size_t LayerReader::matrix(const char *weight, const char *bias, const Value &x, Matrix &matrix, size_t item) {
  size_t size = 1;
  read_matrix(name_of(weight, item), x, nullptr, matrix, size);
  const Tensor *found = tensor(name_of(bias, item), Type::kFloat, 1);
  if (found && found->shape[0] == matrix.n)
    std::copy_n(reinterpret_cast<const float *>(found->bytes), matrix.n, matrix.bias.begin());
  else
    fail("'" + name_of(bias, item) + "' has not one number a column");
  return size;
}

void LayerReader::lstm(const char *prefix, const Value &x, Lstm &lstm) {
  const std::string names = name_of(prefix, SIZE_MAX);
  const Tensor *any = weights_.find(names + ".weight_hh_l0");
  if (!any || any->shape.size() != 2) return fail("the weights have no '" + names + ".weight_hh_l0'");
  const size_t units = lstm.units = any->shape[1], lanes = kernels_.lanes;
  const size_t blocks = (units + lanes - 1) / lanes;
  lstm.padded_units = blocks * lanes;
  if (any->shape[0] != 4 * units) return fail("'" + names + ".weight_hh_l0' is not that of an LSTM");
  std::vector<size_t> columns;  // torch has all input gates, then all forget gates, cells and output gates
  for (size_t block = 0; block < blocks; ++block)
    for (size_t gate = 0; gate < 4; ++gate)
      for (size_t unit = block * lanes; unit < (block + 1) * lanes; ++unit)
        columns.push_back(unit < units ? gate * units + unit : SIZE_MAX);
  Value state;
  state.width = units;
  state.is_integer = x.is_integer;
  state.scale = 1.0f / 127;  // a state is between -1 and 1
  state.zero_point = 128;
  size_t size = 1;
  read_matrix(names + ".weight_ih_l0", x, &columns, lstm.input, size);
  if (size != 1) return fail("'" + names + ".weight_ih_l0' sees several words");
  read_matrix(names + ".weight_hh_l0", state, &columns, lstm.state, size);
  for (const char *name : {".bias_ih_l0", ".bias_hh_l0"}) {
    const Tensor *bias = tensor(names + name, Type::kFloat, 1);
    if (!bias || bias->shape[0] != 4 * units || lstm.input.bias.size() < columns.size()) return fail("an LSTM's bias");
    const auto *numbers = reinterpret_cast<const float *>(bias->bytes);
    for (size_t column = 0; column < columns.size(); ++column)
      if (columns[column] != SIZE_MAX) lstm.input.bias[column] += numbers[columns[column]];
  }
}

void LayerReader::give(const Value &value) {
  layers_.values.push_back(value);
  if (value.width > kMostNumbers - layers_.n_numbers) return fail("too many numbers of a word or a text");
  layers_.n_numbers += value.width;
  layers_.row_bytes += value.is_by_text ? 0 : value.bytes();
}

}  // namespace potstill
