// Layers that change each row of a value: norms, sums, numbers in other forms.
#include <cstring>

#include "layer_kinds.h"
#include "layer_reader.h"

namespace potstill {
namespace {

class LayerNorm : public Layer {
 public:
  explicit LayerNorm(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    weight_ = reader.floats("weight", input_.width);
    bias_ = reader.floats("bias", input_.width);
    epsilon_ = reader.number("epsilon");
    if (input_.is_integer) reader.fail("a layer norm of integers");
    reader.give(input_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    for_rows(batch, input_.is_by_text, [&](Rows rows) {
      for (size_t row = rows.first; row < rows.first + rows.count; ++row)
        kernels.layer_norm(batch.buffers[x_].floats.data() + row * input_.width, input_.width, weight_, bias_, epsilon_,
                           batch.buffers[output].floats.data() + row * input_.width);
    });
  }

 private:
  Value input_;
  size_t x_;
  const float *weight_, *bias_;
  float epsilon_;
};

// Numbers added to each row.
class Add : public Layer {
 public:
  explicit Add(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    bias_ = reader.floats("bias", input_.width);
    if (input_.is_integer) reader.fail("a sum of integers");
    reader.give(input_);
  }

  void run(const Kernels &, Batch &batch, size_t output) const override {
    for_rows(batch, input_.is_by_text, [&](Rows rows) {
      const size_t start = rows.first * input_.width;
      for (size_t i = 0; i < rows.count * input_.width; ++i)
        batch.buffers[output].floats[start + i] = batch.buffers[x_].floats[start + i] + bias_[i % input_.width];
    });
  }

 private:
  Value input_;
  size_t x_;
  const float *bias_;
};

// Several values side by side.
class Concatenate : public Layer {
 public:
  explicit Concatenate(LayerReader &reader) {
    for (size_t i = 0; i < reader.count("x"); ++i) {
      inputs_.push_back(reader.input("x", i));
      indices_.push_back(reader.index("x", i));
      output_.width += inputs_.back().width;
      if (output_.width > kMostNumbers) break;  // give() refuses it
      output_.is_by_text = inputs_[0].is_by_text;
      if (inputs_[i].is_integer && inputs_[i].is_by_text) reader.fail("integers of a text side by side");
      if (inputs_[i].is_by_text != output_.is_by_text) reader.fail("words beside texts");
    }
    if (inputs_.empty()) reader.fail("nothing side by side");
    reader.give(output_);
  }

  void run(const Kernels &, Batch &batch, size_t output) const override {
    size_t column = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      for_rows(batch, output_.is_by_text, [&](Rows rows) {
        for (size_t row = rows.first; row < rows.first + rows.count; ++row)
          copy(batch.buffers[indices_[i]], inputs_[i], row,
               batch.buffers[output].floats.data() + row * output_.width + column);
      });
      column += inputs_[i].width;
    }
  }

 private:
  static void copy(const Buffer &from, const Value &value, size_t row, float *to) {
    if (!value.is_integer) {
      std::memcpy(to, from.floats.data() + row * value.width, value.bytes());
      return;
    }
    const uint8_t *integers = from.integers.data() + row * value.width;
    for (size_t i = 0; i < value.width; ++i) to[i] = value.scale * static_cast<float>(integers[i] - value.zero_point);
  }

  Value output_;
  std::vector<Value> inputs_;
  std::vector<size_t> indices_;
};

class Quantize : public Layer {
 public:
  explicit Quantize(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")), output_(input_) {
    if (input_.is_integer) reader.fail("integers in integers");
    reader.quantization("quantization", output_);
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    for_rows(batch, input_.is_by_text, [&](Rows rows) {
      const size_t start = rows.first * input_.width;
      kernels.quantize(batch.buffers[x_].floats.data() + start, rows.count * input_.width, output_.scale,
                       output_.zero_point, batch.buffers[output].integers.data() + start);
    });
  }

 private:
  Value input_;
  size_t x_;
  Value output_;
};

}  // namespace

std::unique_ptr<Layer> make_layer_norm(LayerReader &reader) { return std::make_unique<LayerNorm>(reader); }
std::unique_ptr<Layer> make_add(LayerReader &reader) { return std::make_unique<Add>(reader); }
std::unique_ptr<Layer> make_concatenate(LayerReader &reader) { return std::make_unique<Concatenate>(reader); }
std::unique_ptr<Layer> make_quantize(LayerReader &reader) { return std::make_unique<Quantize>(reader); }

}  // namespace potstill
