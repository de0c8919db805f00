// Layers over the words of a text: vectors, convolutions, an LSTM, attentions.
#include <algorithm>
#include <cstring>

#include "layer_kinds.h"
#include "layer_reader.h"

namespace potstill {
namespace {

// The vectors of words.
class Words : public Layer {
 public:
  explicit Words(LayerReader &reader) : table_(reader.table("table", output_)) {
    reader.ids_below(table_ ? table_->shape[0] : 0);
    reader.give(output_);
  }

  void run(const Kernels &, Batch &batch, size_t output) const override {
    Buffer &buffer = batch.buffers[output];
    const size_t size = output_.bytes();
    for (const Rows &text : batch.texts)
      for (size_t row = text.first; row < text.first + text.count; ++row)
        std::memcpy(const_cast<void *>(row_of(buffer, output_, row)), table_->bytes + batch.ids[row] * size, size);
  }

 private:
  Value output_;
  const Tensor *table_;
};

// A linear layer, or a convolution: a linear layer over windows of words.
class Linear : public Layer {
 public:
  explicit Linear(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    size_ = reader.matrix("weight", "bias", input_, matrix_);
    left_ = reader.whole("left", size_ - 1, 0);
    activation_ = reader.has("slope") ? Activation::kLeaky : Activation::kNone;
    slope_ = reader.number("slope");
    output_.width = matrix_.n;
    output_.is_by_text = input_.is_by_text;
    if (size_ > 1 && input_.is_by_text) reader.fail("a convolution of a vector");
    reader.reach(size_ - 1);
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    if (size_ > 1) pad_words(batch, x_, input_, left_, size_ - 1 - left_);
    for_rows(batch, input_.is_by_text, [&](Rows rows) {
      kernels.multiply(matrix_, row_of(batch.buffers[x_], input_, rows.first - left_), input_.width, rows.count,
                       batch.buffers[output].floats.data() + rows.first * output_.width, output_.width, activation_,
                       slope_);
    });
  }

  // Puts words of zeros before and behind each text.
  static void pad_words(Batch &batch, size_t x, const Value &value, size_t before, size_t behind) {
    Buffer &buffer = batch.buffers[x];
    const auto fill = [&](size_t row, size_t count) {
      const size_t start = row * value.width, size = count * value.width;
      if (value.is_integer)
        std::memset(buffer.integers.data() + start, value.zero_point, size);
      else
        std::fill_n(buffer.floats.data() + start, size, 0.0f);
    };
    for (const Rows &text : batch.texts) {
      fill(text.first - before, before);
      fill(text.first + text.count, behind);
    }
  }

 private:
  Value input_, output_;
  size_t x_, size_ = 1, left_ = 0;
  Matrix matrix_;
  Activation activation_;
  float slope_;
};

// The maximum of each filter over a text, of filters of several widths, and 0.
class MaxOverTime : public Layer {
 public:
  explicit MaxOverTime(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    for (size_t i = 0; i < reader.count("weights"); ++i) {
      matrices_.emplace_back();
      largest_ = std::max(largest_, reader.matrix("weights", "biases", input_, matrices_.back(), i));
      output_.width += matrices_.back().n;
      if (output_.width > kMostNumbers) break;  // give() refuses it
    }
    if (matrices_.empty() || input_.is_by_text) reader.fail("no filters over words");
    output_.is_by_text = true;
    reader.reach(largest_ - 1);
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    Linear::pad_words(batch, x_, input_, 0, largest_ - 1);
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      float *y = batch.buffers[output].floats.data() + i * output_.width;
      for (const Matrix &matrix : matrices_) {
        kernels.multiply_max(matrix, row_of(batch.buffers[x_], input_, batch.texts[i].first), input_.width,
                             batch.texts[i].count, y);
        y += matrix.n;
      }
    }
  }

 private:
  Value input_, output_;
  size_t x_, largest_ = 1;
  std::vector<Matrix> matrices_;
};

// The maximum over a text of the states of an LSTM that reads it and of one that reads it backwards.
class BiLstm : public Layer {
 public:
  explicit BiLstm(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    reader.lstm("forwards", input_, directions_[0]);
    reader.lstm("backwards", input_, directions_[1]);
    directions_[1].is_reversed = true;
    if (directions_[0].units != directions_[1].units || input_.is_by_text) reader.fail("an LSTM that does not fit");
    output_.width = 2 * directions_[0].units;
    output_.is_by_text = true;
    reader.several_at_once();
    reader.scratch(4 * directions_[0].padded_units * sizeof(float));
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    const size_t width = directions_[0].padded_units, states = batch.texts.size() * width;
    grow(batch.scratch[0], batch.n_rows * 4 * width);
    grow(batch.scratch[1], states);
    const bool is_integer = directions_[0].state.is_integer;
    grow(batch.scratch[2], is_integer ? 0 : 2 * states);
    grow(batch.integer_scratch, is_integer ? 2 * states : 0);
    const LstmScratch scratch{batch.scratch[0].data(), batch.scratch[1].data(), batch.scratch[2].data(),
                              batch.integer_scratch.data()};
    float *y = batch.buffers[output].floats.data();
    for (const Lstm &lstm : directions_) {
      kernels.lstm(lstm, row_of(batch.buffers[x_], input_, 0), input_.width, batch.texts.data(), batch.texts.size(),
                   scratch, y, output_.width);
      y += lstm.units;
    }
  }

 private:
  Value input_;
  size_t x_;
  Lstm directions_[2];
  Value output_;
};

class Attend : public Layer {
 public:
  explicit Attend(LayerReader &reader) : input_(reader.input("x")), x_(reader.index("x")) {
    heads_ = reader.whole("heads", input_.width, 0);
    rounds_ = reader.whole("rounds", 1000, 0);
    if (!heads_ || !rounds_ || input_.width % heads_ || input_.is_integer || input_.is_by_text)
      reader.fail("attentions that do not fit");
    output_.width = input_.width;
    output_.is_by_text = true;
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const Rows &text = batch.texts[i];
      grow(batch.scratch[0], 2 * text.count);
      kernels.attend(batch.buffers[x_].floats.data() + text.first * input_.width, text.count, heads_,
                     input_.width / heads_, rounds_, batch.scratch[0].data(),
                     batch.buffers[output].floats.data() + i * output_.width);
    }
  }

 private:
  Value input_, output_;
  size_t x_, heads_ = 0, rounds_ = 0;
};

}  // namespace

std::unique_ptr<Layer> make_words(LayerReader &reader) { return std::make_unique<Words>(reader); }
std::unique_ptr<Layer> make_linear(LayerReader &reader) { return std::make_unique<Linear>(reader); }
std::unique_ptr<Layer> make_max_over_time(LayerReader &reader) { return std::make_unique<MaxOverTime>(reader); }
std::unique_ptr<Layer> make_bilstm(LayerReader &reader) { return std::make_unique<BiLstm>(reader); }
std::unique_ptr<Layer> make_attend(LayerReader &reader) { return std::make_unique<Attend>(reader); }

}  // namespace potstill
