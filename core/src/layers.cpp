#include "layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "layer_reader.h"

namespace potstill {
namespace {

// Every row of a value of words; of texts one a text.
template <class Use>
void for_rows(const Batch &batch, bool is_by_text, Use use) {
  if (is_by_text) {
    use(Rows{0, batch.texts.size()});
    return;
  }
  for (const Rows &text : batch.texts) use(text);
}

const void *row_of(const Buffer &buffer, const Value &value, size_t row) {
  return value.is_integer ? static_cast<const void *>(buffer.integers.data() + row * value.width)
                          : static_cast<const void *>(buffer.floats.data() + row * value.width);
}

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

constexpr size_t kMostBytesSummed = size_t{1} << 23;  // rows of bytes whose sum fits into 32 bits

// A sum or a maximum of rows of a table, in floats.
class RowSum {
 public:
  RowSum() = default;
  RowSum(LayerReader &reader, const char *name) : table_(reader.table(name, value_)) {}

  size_t width() const { return value_.width; }
  size_t n_rows() const { return table_ ? table_->shape[0] : 0; }
  const Value &value() const { return value_; }
  const float *floats() const { return reinterpret_cast<const float *>(table_->bytes); }

  // `largest` may be null.
  void run(const Kernels &kernels, Batch &batch, const uint32_t *rows, size_t n_rows, float *sum, float *largest) const {
    if (!value_.is_integer) {
      kernels.sum_floats(floats(), rows, n_rows, value_.width, sum, largest);
      return;
    }
    batch.sums.resize(value_.width);
    grow(batch.integer_scratch, value_.width);
    for (size_t start = 0; start == 0 || start < n_rows; start += kMostBytesSummed) {
      const size_t count = std::min(n_rows - start, kMostBytesSummed);
      kernels.sum_bytes(reinterpret_cast<const uint8_t *>(table_->bytes), rows + start, count, value_.width,
                        batch.sums.data(), largest ? batch.integer_scratch.data() : nullptr);
      const auto zeros = static_cast<float>(static_cast<double>(count) * value_.zero_point);
      for (size_t i = 0; i < value_.width; ++i) {
        const float part = value_.scale * (static_cast<float>(batch.sums[i]) - zeros);
        sum[i] = start ? sum[i] + part : part;
        if (!largest) continue;
        const float highest = value_.scale * static_cast<float>(batch.integer_scratch[i] - value_.zero_point);
        largest[i] = start ? std::max(largest[i], highest) : highest;
      }
    }
  }

 private:
  Value value_;
  const Tensor *table_ = nullptr;
};

constexpr uint64_t kFactor = 1'000'003, kSecond = 7'368'787, kModulus = (uint64_t{1} << 31) - 1;

// x % n without a division, for x below 2^53.
class Remainder {
 public:
  explicit Remainder(uint64_t n = 1) : n_(n), inverse_(1.0 / static_cast<double>(n)) {}

  uint32_t operator()(uint64_t x) const {
    const auto quotient = static_cast<uint64_t>(static_cast<double>(x) * inverse_);
    auto rest = static_cast<int64_t>(x - quotient * n_);
    if (rest < 0) rest += static_cast<int64_t>(n_);
    if (rest >= static_cast<int64_t>(n_)) rest -= static_cast<int64_t>(n_);
    return static_cast<uint32_t>(rest);
  }

 private:
  uint64_t n_;
  double inverse_;
};

// The averages of the vectors of words and n-grams, the maximum of the words': see students/ngram.py.
class NGrams : public Layer {
 public:
  explicit NGrams(LayerReader &reader) : words_(reader, "table"), ngrams_(reader, "ngrams") {
    longest_ = reader.whole("max_ngram", 1000, 0);
    if (!longest_) reader.fail("n-grams of no length");
    buckets_ = Remainder(std::max<size_t>(1, ngrams_.n_rows()));
    output_.width = 2 * words_.width() + ngrams_.width();
    output_.is_by_text = true;
    reader.ids_below(words_.n_rows());
    reader.scratch(longest_ * sizeof(uint32_t));
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    const Remainder modulus(kModulus);
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      const size_t length = batch.texts[i].count;
      const uint32_t *ids = batch.ids_of(batch.texts[i]);
      batch.hashes.clear();
      for (size_t start = 0; start < length; ++start) {
        uint64_t hash = ids[start];
        for (size_t next = start + 1; next < std::min(length, start + longest_); ++next) {
          hash = modulus(hash * kFactor + ids[next]);
          batch.hashes.push_back(buckets_(hash));
        }
      }
      float *y = batch.buffers[output].floats.data() + i * output_.width;
      const size_t n_words = words_.width(), n_ngrams = ngrams_.width();
      words_.run(kernels, batch, ids, length, y, y + n_words + n_ngrams);
      ngrams_.run(kernels, batch, batch.hashes.data(), batch.hashes.size(), y + n_words, nullptr);
      for (size_t j = 0; j < n_words + n_ngrams; ++j) y[j] /= static_cast<float>(length);
    }
  }

 private:
  RowSum words_, ngrams_;
  size_t longest_ = 0;
  Remainder buckets_;
  Value output_;
};

// The weighted sum of the vectors of characters and their n-grams, divided by the length of the weights: see
// students/char_ngram.py. The weights are multiplied into the table, whose last column has their squares.
class CharNGrams : public Layer {
 public:
  explicit CharNGrams(LayerReader &reader) : table_(reader, "table") {
    longest_ = reader.whole("max_ngram", 32, 0);
    if (!longest_ || table_.width() < 2) reader.fail("n-grams of no length");
    buckets_ = Remainder(std::max<size_t>(1, table_.n_rows()));
    output_.width = table_.width() - 1;
    output_.is_by_text = true;
    uint64_t of_length = 1;  // kSecond to the power of length - 1
    for (size_t length = 1; length <= longest_; ++length, of_length = of_length * kSecond % kModulus) {
      uint64_t factor = of_length;
      for (size_t n = 0; n < length; ++n) factors_.push_back(factor = factor * kFactor % kModulus);
    }
    reader.scratch(longest_ * (sizeof(uint32_t) + sizeof(float)));
    reader.ids_below(1 << 17);  // of characters: sums of products stay below 2^53
    reader.give(output_);
  }

  void run(const Kernels &kernels, Batch &batch, size_t output) const override {
    for (size_t i = 0; i < batch.texts.size(); ++i) {
      hash(batch, batch.texts[i]);
      float *y = batch.buffers[output].floats.data() + i * output_.width;
      grow(batch.scratch[0], table_.width());
      float *sum = batch.scratch[0].data();
      table_.run(kernels, batch, batch.hashes.data(), batch.hashes.size(), sum, nullptr);
      const float length = std::sqrt(std::max(sum[output_.width], 1e-30f));
      for (size_t j = 0; j < output_.width; ++j) y[j] = sum[j] / length;
    }
  }

 private:
  void hash(Batch &batch, const Rows &text) const {
    const uint32_t *ids = batch.ids_of(text);
    batch.hashes.clear();
    for (size_t start = 0; start < text.count; ++start) {
      const size_t left = text.count - start;
      const uint64_t *factors = factors_.data();
      for (size_t length = 1; length <= longest_; ++length) {
        uint64_t hash = 0;
        for (size_t n = 0; n < std::min(length, left); ++n) hash += ids[start + n] * factors[n];
        factors += length;
        batch.hashes.push_back(buckets_(hash));
      }
    }
  }

  RowSum table_;
  size_t longest_ = 0;
  Remainder buckets_;
  std::vector<uint64_t> factors_;
  Value output_;
};

template <class L>
std::unique_ptr<Layer> make(LayerReader &reader) {
  return std::make_unique<L>(reader);
}

constexpr size_t kMostLayers = 1000;

constexpr struct {
  std::string_view name;
  std::unique_ptr<Layer> (*make)(LayerReader &);
  bool reads_ids;
} kLayers[] = {
    {"words", make<Words>, true},           {"ngrams", make<NGrams>, true},
    {"char_ngrams", make<CharNGrams>, true}, {"linear", make<Linear>, false},
    {"max_over_time", make<MaxOverTime>, false}, {"layer_norm", make<LayerNorm>, false},
    {"concatenate", make<Concatenate>, false},   {"quantize", make<Quantize>, false},
    {"bilstm", make<BiLstm>, false},             {"attend", make<Attend>, false},
    {"add", make<Add>, false},
};

}  // namespace

std::string read_layers(const Json &plan, const Weights &weights, const Kernels &kernels, const Value *first,
                        Layers &layers) {
  if (first) layers.values.push_back(*first);
  if (plan.items.size() > kMostLayers) return "the plan has too many layers";
  for (const Json &fields : plan.items) {
    LayerReader reader(fields, weights, kernels, layers);
    const std::string_view name = fields["layer"].text;
    const auto *found = std::find_if(std::begin(kLayers), std::end(kLayers), [&](auto &each) { return each.name == name; });
    if (found == std::end(kLayers)) return "the plan has a layer that this version does not know: '" + std::string(name) + "'";
    if (found->reads_ids && first) return "the plan reads text again behind its vector";
    auto layer = found->make(reader);
    if (!reader.problem().empty()) return "the layer '" + std::string(name) + "' of the plan: " + reader.problem();
    layers.layers.push_back(std::move(layer));
  }
  if (layers.values.empty() || !layers.values.back().is_by_text || layers.values.back().is_integer)
    return "the plan has no layer that gives a text's vector";
  return "";
}

void make_room(const Layers &layers, Batch &batch) {
  batch.buffers.resize(std::max(batch.buffers.size(), layers.values.size()));
  for (size_t i = 0; i < layers.values.size(); ++i) {
    const Value &value = layers.values[i];
    const size_t size = (value.is_by_text ? batch.texts.size() : batch.n_rows) * value.width + kSlack;
    if (value.is_integer)
      grow(batch.buffers[i].integers, size);
    else
      grow(batch.buffers[i].floats, size);
  }
}

}  // namespace potstill
