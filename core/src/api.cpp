// The C functions of potstill.h.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "potstill.h"

#if !defined(__wasm__)  // which has no files
#include "files.h"
#endif
#include "student.h"

struct potstill_student {
  potstill::Student student;
#if !defined(__wasm__)
  potstill::File weights;  // of potstill_open; empty of potstill_open_memory
#endif
};

namespace {

constexpr size_t kTexts = 64;  // that are given to a student at once

std::string_view view(potstill_text text) { return {text.bytes, text.size}; }

constexpr std::string_view kNoMemory = "the student needs more memory than there is";

void tell(std::string_view problem, char *error, size_t error_size) {
  if (!error || !error_size) return;
  const size_t size = std::min(problem.size(), error_size - 1);
  std::memcpy(error, problem.data(), size);
  error[size] = '\0';
}

potstill_student *opened(std::unique_ptr<potstill_student> student, std::string problem, char *error,
                         size_t error_size) {
  tell(problem, error, error_size);
  return problem.empty() ? student.release() : nullptr;
}

// Calls a function; where memory ends, gives `otherwise`.
template <class T, class Call>
T guarded(T otherwise, Call call) {
#if defined(__cpp_exceptions)
  try {
    return call();
  } catch (const std::bad_alloc &) {
    return otherwise;
  } catch (const std::length_error &) {
    return otherwise;
  }
#else
  (void)otherwise;
  return call();
#endif
}

}  // namespace

#if !defined(__wasm__)
potstill_student *potstill_open(const char *folder, const char *precision, char *error, size_t error_size) {
  tell(kNoMemory, error, error_size);  // what remains where memory ends
  return guarded<potstill_student *>(nullptr, [&] {
    const std::string place = std::string(folder) + "/";
    const bool is_integer =
        precision ? std::strcmp(precision, "int8") == 0 : potstill::exists(place + "plan.int8.json");
    if (precision && !is_integer && std::strcmp(precision, "fp32") != 0)
      return opened(nullptr, "the precision is fp32 or int8", error, error_size);
    auto student = std::make_unique<potstill_student>();
    potstill::File config, tokenizer, plan;
    const auto open = [&](potstill::File &file, const std::string &name) {
      if (file.open(place + name)) return true;
      tell(place + name + " cannot be read", error, error_size);
      return false;
    };
    if (!open(config, "config.json") || !open(tokenizer, "tokenizer.json") ||
        !open(plan, is_integer ? "plan.int8.json" : "plan.json") ||
        !open(student->weights, potstill::weights_of(plan.content())))
      return static_cast<potstill_student *>(nullptr);
    const potstill::StudentFiles files{config.content(), tokenizer.content(), plan.content(),
                                       student->weights.content()};
    const std::string problem = student->student.read(files, *potstill::find_kernels());
    return opened(std::move(student), problem.empty() ? "" : place + ": " + problem, error, error_size);
  });
}
#endif

potstill_student *potstill_open_memory(potstill_text config, potstill_text tokenizer, potstill_text plan,
                                       potstill_text weights, char *error, size_t error_size) {
  tell(kNoMemory, error, error_size);
  return guarded<potstill_student *>(nullptr, [&] {
    auto student = std::make_unique<potstill_student>();
    std::string problem =
        student->student.read({view(config), view(tokenizer), view(plan), view(weights)}, *potstill::find_kernels());
    return opened(std::move(student), std::move(problem), error, error_size);
  });
}

const char *potstill_label(const potstill_student *student, size_t index) {
  const auto &labels = student->student.labels();
  return index < labels.size() ? labels[index].c_str() : nullptr;
}

int potstill_logits(const potstill_student *student, const potstill_text *texts, size_t n_rows, int texts_a_row,
                    float *logits) {
  if (texts_a_row != (student->student.reads_pairs() ? 2 : 1)) return 2;
  return guarded(1, [&] {
    const size_t sides = student->student.reads_pairs() ? 2 : 1, n_labels = student->student.labels().size();
    std::string_view views[2 * kTexts];  // here, so that nothing is allocated
    for (size_t start = 0; start < n_rows; start += kTexts) {
      const size_t count = std::min(kTexts, n_rows - start);
      for (size_t i = 0; i < count * sides; ++i) views[i] = view(texts[start * sides + i]);
      if (!student->student.logits(views, count, logits + start * n_labels)) return 1;
    }
    return 0;
  });
}

void potstill_close(potstill_student *student) { delete student; }
