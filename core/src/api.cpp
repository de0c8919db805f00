// The C functions of potstill.h.
#include "potstill.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "files.h"
#include "student.h"

struct potstill_student {
  potstill::Student student;
  potstill::File weights;  // of potstill_open; empty of potstill_open_memory
};

namespace {

std::string_view view(potstill_text text) { return {text.bytes, text.size}; }

void tell(const std::string &problem, char *error, size_t error_size) {
  if (!error || !error_size) return;
  const size_t size = std::min(problem.size(), error_size - 1);
  std::memcpy(error, problem.data(), size);
  error[size] = '\0';
}

potstill_student *opened(std::unique_ptr<potstill_student> student, std::string problem, char *error, size_t error_size) {
  if (problem.empty()) return student.release();
  tell(problem, error, error_size);
  return nullptr;
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

potstill_student *potstill_open(const char *folder, const char *precision, char *error, size_t error_size) {
  return guarded<potstill_student *>(nullptr, [&] {
    const std::string place = std::string(folder) + "/";
    const bool is_integer = precision ? std::strcmp(precision, "int8") == 0 : potstill::exists(place + "plan.int8.json");
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
    const potstill::StudentFiles files{config.content(), tokenizer.content(), plan.content(), student->weights.content()};
    const std::string problem = student->student.read(files, *potstill::find_kernels());
    return opened(std::move(student), problem.empty() ? "" : place + ": " + problem, error, error_size);
  });
}

potstill_student *potstill_open_memory(potstill_text config, potstill_text tokenizer, potstill_text plan,
                                       potstill_text weights, char *error, size_t error_size) {
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

int potstill_logits(const potstill_student *student, const potstill_text *texts, size_t n_texts, float *logits) {
  return guarded(1, [&] {
    std::vector<std::string_view> views;
    const size_t n = n_texts * (student->student.reads_pairs() ? 2 : 1);
    std::string_view few[16];
    std::string_view *at = few;
    if (n > 16) {
      views.resize(n);
      at = views.data();
    }
    for (size_t i = 0; i < n; ++i) at[i] = view(texts[i]);
    return student->student.logits(at, n_texts, logits) ? 0 : 1;
  });
}

void potstill_close(potstill_student *student) { delete student; }
