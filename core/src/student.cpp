#include "student.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "layer_reader.h"

namespace potstill {
namespace {

constexpr size_t kPlanFormat = 1;  // of plans
constexpr size_t kPart = 256;      // texts that are encoded before the first of them is read
constexpr size_t kMostTexts = 16;  // of a batch
constexpr size_t kMostRows = 384;  // of a batch of several texts: what its layers give stays in the cache
constexpr size_t kLongestText = size_t{1} << 28;  // bytes: what it is normalized to is counted in 32 bits
constexpr size_t kMostBytes = sizeof(size_t) > 4 ? (size_t{1} << 30) * 4 : size_t{1} << 30;  // that a batch may take
constexpr size_t kMostWordBytes = size_t{64} << 20;  // that a text of one word may take
constexpr size_t kKeptBytes = size_t{64} << 20;      // that a call may keep for the next one
constexpr size_t kLongestProblem = 300;              // characters

// Bytes that a batch holds.
size_t size_of(const Batch &batch) {
  size_t numbers = batch.ids.capacity() + batch.hashes.capacity(), bytes = batch.integer_scratch.capacity();
  for (const Array<float> &scratch : batch.scratch) numbers += scratch.capacity();
  for (const Buffer &buffer : batch.buffers) {
    numbers += buffer.floats.capacity();
    bytes += buffer.integers.capacity();
  }
  return numbers * sizeof(float) + bytes;
}

// A lock that is not waited for long: in a forked process a thread may hold it that does not exist there.
class Lock {
 public:
  explicit Lock(std::atomic_flag &is_busy) : is_busy_(is_busy) {
    for (int tries = 0; tries < 1000 && !has_; ++tries) has_ = !is_busy.test_and_set(std::memory_order_acquire);
  }
  ~Lock() {
    if (has_) is_busy_.clear(std::memory_order_release);
  }
  explicit operator bool() const { return has_; }

 private:
  std::atomic_flag &is_busy_;
  bool has_ = false;
};

}  // namespace

std::string weights_of(std::string_view plan) {
  JsonDocument document;
  if (!parse_json(plan, document)) return "";
  const std::string name(document.root["weights"].text);
  return name.find_first_of("/\\:") == std::string::npos ? name : "";
}

std::string Student::read(const StudentFiles &files, const Kernels &kernels) {
  kernels_ = &kernels;
  std::string problem = read_files(files);
  if (problem.size() > kLongestProblem) problem.resize(kLongestProblem);
  for (char &sign : problem)  // names that the files gave
    if (sign < ' ' || sign > '~') sign = '?';
  return problem;
}

std::string Student::read_files(const StudentFiles &files) {
  const Kernels &kernels = *kernels_;
  std::string problem = read_labels(files.config);
  if (problem.empty()) problem = weights_.read(files.weights);
  if (!problem.empty()) return problem;
  JsonDocument plan;
  if (!parse_json(files.plan, plan)) return "the plan is no JSON";
  if (plan.root["format"].whole(kPlanFormat, 0) != kPlanFormat)
    return "the plan is of another version: export the student again";
  reads_pairs_ = plan.root["reads_pairs"].truth;
  problem = read_layers(plan.root["pool"], weights_, kernels, nullptr, pool_);
  if (!problem.empty()) return problem;
  Value vector = pool_.values.back();
  if (pool_.row_bytes > kMostWordBytes / (1 + 2 * pool_.room)) return "the plan's layers are too wide";
  if (reads_pairs_) vector.width *= 4;
  problem = read_layers(plan.root["head"], weights_, kernels, &vector, head_);
  if (!problem.empty()) return problem;
  if (head_.values.back().width != labels_.size()) return "the plan does not give one number for each label";
  return tokenizer_.read(files.tokenizer, plan.root["tokenizer"], pool_.n_ids);
}

std::string Student::read_labels(std::string_view config) {
  JsonDocument document;
  if (!parse_json(config, document)) return "config.json is damaged";
  const Json &names = document.root["id2label"];
  if (!names.is(Json::Kind::kObject))
    labels_ = {"LABEL_0", "LABEL_1"};  // the only ones that transformers does not write
  else
    labels_.resize(names.members.size());
  std::vector<bool> is_found(names.members.size());
  for (const auto &[number, label] : names.members) {
    size_t index = 0;
    for (const char digit : number.substr(0, 9)) index = index * 10 + static_cast<unsigned char>(digit) - '0';
    if (index >= is_found.size() || is_found[index] || number != std::to_string(index) ||
        !label.is(Json::Kind::kString))
      return "config.json has not the labels by their numbers from 0 in id2label";
    is_found[index] = true;
    labels_[index] = label.text;
  }
  return labels_.empty() ? "config.json has no id2label" : "";
}

std::vector<uint32_t> Student::encode(std::string_view text) const {
  std::unique_ptr<Work> work = take_work();
  std::vector<uint32_t> ids;
  tokenizer_.encode(text, work->text, ids);
  give_back(std::move(work));
  return ids;
}

std::unique_ptr<Student::Work> Student::take_work() const {
  const Lock lock(is_busy_);
  if (!lock || idle_.empty()) return std::make_unique<Work>();
  std::unique_ptr<Work> work = std::move(idle_.back());
  idle_.pop_back();
  return work;
}

void Student::give_back(std::unique_ptr<Work> work) const {
  const TextScratch &text = work->text;
  const size_t of_text = sizeof(uint32_t) * (work->ids.capacity() + text.characters.capacity() + text.other.capacity() +
                                             text.starts.capacity()) +
                         text.bytes.capacity() + text.classes.capacity();
  if (of_text + size_of(work->pool) > kKeptBytes) return;  // after a text of a book's length
  const Lock lock(is_busy_);
  if (lock) idle_.push_back(std::move(work));
}

bool Student::logits(const std::string_view *texts, size_t n_texts, float *logits) const {
  std::unique_ptr<Work> work = take_work();
  bool fits = true;
  for (size_t start = 0; start < n_texts && fits; start += kPart) {
    const size_t count = std::min(kPart, n_texts - start);
    fits = run_part(*work, texts + start * sides(), count, logits + start * labels_.size());
  }
  if (fits) give_back(std::move(work));
  return fits;
}

bool Student::run_part(Work &work, const std::string_view *texts, size_t n_texts, float *logits) const {
  work.ids.clear();
  work.starts.assign(1, 0);
  for (size_t i = 0; i < n_texts * sides(); ++i) {
    if (texts[i].size() > kLongestText) return false;
    tokenizer_.encode(texts[i], work.text, work.ids);
    work.starts.push_back(work.ids.size());
  }
  const auto length = [&](size_t text) { return work.starts[text * sides() + 1] - work.starts[text * sides()]; };
  work.order.resize(n_texts);
  std::iota(work.order.begin(), work.order.end(), size_t{0});
  std::sort(work.order.begin(), work.order.end(), [&](size_t a, size_t b) { return length(a) > length(b); });
  for (size_t first = 0; first < n_texts;) {
    const size_t count = batch_size(work, first);
    if (!run_batch(work, work.order.data() + first, count, logits)) return false;
    first += count;
  }
  return true;
}

size_t Student::batch_size(const Work &work, size_t first) const {
  size_t rows = 0, count = 0;
  while (first + count < work.order.size() && count < kMostTexts) {
    const size_t text = work.order[first + count] * sides();
    rows += work.starts[text + sides()] - work.starts[text] + pool_.room;
    if (count && rows > kMostRows) break;
    ++count;
  }
  return count;
}

bool Student::run_batch(Work &work, const size_t *texts, size_t n_texts, float *logits) const {
  const size_t width = pool_.values.back().width, n_labels = labels_.size();
  grow(work.vectors, sides() * n_texts * width + kSlack);
  for (size_t side = 0; side < sides(); ++side)
    if (!run_pool(work, texts, n_texts, side)) return false;
  Batch &head = work.head;
  head.texts.resize(n_texts);
  make_room(head_, head);
  float *x = head.buffers[0].floats.data();
  const float *first = work.vectors.data(), *second = first + n_texts * width;
  if (!reads_pairs_) {
    std::copy_n(first, n_texts * width, x);
  } else {
    for (size_t i = 0; i < n_texts * width; ++i) {
      float *row = x + i / width * 4 * width + i % width;
      row[0] = first[i];
      row[width] = second[i];
      row[2 * width] = std::fabs(first[i] - second[i]);
      row[3 * width] = first[i] * second[i];
    }
  }
  for (size_t i = 0; i < head_.layers.size(); ++i) head_.layers[i]->run(*kernels_, head, i + head_.first_output());
  const float *found = head.buffers[head_.values.size() - 1].floats.data();
  for (size_t i = 0; i < n_texts; ++i) std::copy_n(found + i * n_labels, n_labels, logits + texts[i] * n_labels);
  return true;
}

bool Student::run_pool(Work &work, const size_t *texts, size_t n_texts, size_t side) const {
  const auto start = [&](size_t i) { return work.starts[texts[i] * sides() + side]; };
  const auto length = [&](size_t i) { return work.starts[texts[i] * sides() + side + 1] - start(i); };
  work.members.resize(n_texts);
  std::iota(work.members.begin(), work.members.end(), size_t{0});
  if (side)
    std::sort(work.members.begin(), work.members.end(), [&](size_t a, size_t b) { return length(a) > length(b); });
  Batch &batch = work.pool;
  batch.texts.clear();
  size_t row = pool_.room;
  for (const size_t i : work.members) {
    batch.texts.push_back({row, length(i)});
    row += length(i) + pool_.room;
  }
  batch.n_rows = row;
  if (row > kMostBytes / std::max<size_t>(1, pool_.row_bytes)) return false;
  if (batch.ids.size() < row) batch.ids.resize(row);
  for (size_t i = 0; i < n_texts; ++i)
    std::copy_n(work.ids.data() + start(work.members[i]), length(work.members[i]),
                batch.ids.data() + batch.texts[i].first);
  make_room(pool_, batch);
  for (size_t i = 0; i < pool_.layers.size(); ++i) pool_.layers[i]->run(*kernels_, batch, i);
  const size_t width = pool_.values.back().width;
  const float *vectors = batch.buffers[pool_.values.size() - 1].floats.data();
  float *found = work.vectors.data() + side * n_texts * width;
  for (size_t i = 0; i < n_texts; ++i) std::copy_n(vectors + i * width, width, found + work.members[i] * width);
  return true;
}

}  // namespace potstill
