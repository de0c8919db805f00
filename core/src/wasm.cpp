// What JavaScript calls besides the functions of potstill.h.
#include <cstdint>

#include "tokenizer.h"

// The words of a text as students split them: where each begins and ends, in characters. Gives how many there are.
//   spans   room for two numbers a byte of the text
extern "C" size_t potstill_words(const char *bytes, size_t size, uint32_t *spans) {
  potstill::Characters characters;
  potstill::decode(bytes, size, characters);
  std::vector<uint8_t> classes(characters.size());
  for (size_t i = 0; i < characters.size(); ++i) classes[i] = potstill::classes(characters[i]);
  size_t count = 0;
  for (size_t start = 0; start < characters.size();) {
    const size_t end = potstill::word_end(characters.data(), classes.data(), characters.size(), start);
    if (end > start) {
      spans[2 * count] = static_cast<uint32_t>(start);
      spans[2 * count + 1] = static_cast<uint32_t>(end);
      ++count;
    }
    start = end > start ? end : start + 1;
  }
  return count;
}
