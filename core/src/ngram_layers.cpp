// Bags of hashed n-grams, of words and of characters.
#include <algorithm>
#include <cmath>

#include "layer_kinds.h"
#include "layer_reader.h"

namespace potstill {
namespace {

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
  void run(const Kernels &kernels, Batch &batch, const uint32_t *rows, size_t n_rows, float *sum,
           float *largest) const {
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

}  // namespace

std::unique_ptr<Layer> make_ngrams(LayerReader &reader) { return std::make_unique<NGrams>(reader); }
std::unique_ptr<Layer> make_char_ngrams(LayerReader &reader) { return std::make_unique<CharNGrams>(reader); }

}  // namespace potstill
