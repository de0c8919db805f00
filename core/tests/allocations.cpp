// How often a call allocates memory once it has read the same texts before: allocations FOLDER... prints one number a
// folder.
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "potstill.h"

namespace {

std::atomic<long> n_allocations{0};

void *counted(std::size_t size, std::size_t alignment) {
  ++n_allocations;
  void *memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void *operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void *operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

int main(int count, char **arguments) {
  const std::string texts[] = {"the film is n't bad.", "it's good, the bad film", "a b c d e f g h i j k l m",
                               "\xC3\xA9"};
  for (int i = 1; i < count; ++i) {
    char error[400];
    potstill_student *student = potstill_open(arguments[i], nullptr, error, sizeof error);
    if (!student) return std::fprintf(stderr, "%s\n", error), 1;
    std::vector<potstill_text> views;
    for (int n = 0; n < 40; ++n) views.push_back({texts[n % 4].data(), texts[n % 4].size()});
    std::vector<float> logits(1000);
    const int a_row = potstill_logits(student, views.data(), 1, 1, logits.data()) == 2 ? 2 : 1;
    const auto read = [&] {
      int status = potstill_logits(student, views.data(), 1, a_row, logits.data());
      return status | potstill_logits(student, views.data(), 20, a_row, logits.data());
    };
    if (read()) return std::fprintf(stderr, "not read\n"), 1;
    const long before = n_allocations;
    if (read()) return std::fprintf(stderr, "not read\n"), 1;
    std::printf("%ld\n", n_allocations - before);
    potstill_close(student);
  }
  return 0;
}
