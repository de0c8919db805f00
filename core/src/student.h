// A student: raw texts to logits.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers.h"
#include "tokenizer.h"
#include "weights.h"

namespace potstill {

// The contents of a student's files. The weights must live as long as the student.
struct StudentFiles {
  std::string_view config, tokenizer, plan, weights;
};

// The name of the file of weights that a plan names; empty where it is no file of the plan's own folder.
std::string weights_of(std::string_view plan);

class Student {
 public:
  // Reads a student. Gives what is wrong, as one short line of ASCII; empty: nothing.
  std::string read(const StudentFiles &files, const Kernels &kernels);

  const std::vector<std::string> &labels() const { return labels_; }
  bool reads_pairs() const { return reads_pairs_; }
  uint32_t unknown_id() const { return tokenizer_.unknown_id(); }
  const char *instructions() const { return kernels_->name; }

  // Logits [n_texts, labels]; of pairs `texts` has two a text. False: they need too much memory.
  bool logits(const std::string_view *texts, size_t n_texts, float *logits) const;

  // The ids of a text's tokens.
  std::vector<uint32_t> encode(std::string_view text) const;

 private:
  // What one call works with; kept for the next call.
  struct Work {
    TextScratch text;
    std::vector<uint32_t> ids;    // of all texts of a part, one behind another
    std::vector<size_t> starts;   // of each text in `ids`, and the end
    std::vector<size_t> order;    // texts of a part, the longest first
    std::vector<size_t> members;  // texts of a batch, sorted for the pool
    Batch pool, head;
    Array<float> vectors, paired;
  };

  std::string read_files(const StudentFiles &files);
  std::string read_labels(std::string_view config);
  std::unique_ptr<Work> take_work() const;
  void give_back(std::unique_ptr<Work> work) const;
  bool run_part(Work &work, const std::string_view *texts, size_t n_texts, float *logits) const;
  bool run_batch(Work &work, const size_t *texts, size_t n_texts, float *logits) const;
  bool run_pool(Work &work, const size_t *texts, size_t n_texts, size_t side) const;
  size_t batch_size(const Work &work, size_t first) const;
  size_t sides() const { return reads_pairs_ ? 2 : 1; }

  const Kernels *kernels_ = nullptr;
  Tokenizer tokenizer_;
  Weights weights_;
  Layers pool_, head_;
  std::vector<std::string> labels_;
  bool reads_pairs_ = false;

  mutable std::atomic_flag is_busy_ = ATOMIC_FLAG_INIT;  // not a mutex, which WebAssembly without threads lacks
  mutable std::vector<std::unique_ptr<Work>> idle_;
};

}  // namespace potstill
