// What JavaScript calls besides the functions of potstill.h.
#include <algorithm>

#include "tokenizer.h"

// The words of a text as students split them. Gives how many there are.
//   spans   room for one a byte of the text
extern "C" size_t potstill_words(const char *bytes, size_t size, potstill::Span *spans) {
  const std::vector<potstill::Span> words = potstill::words_of({bytes, size});
  std::copy(words.begin(), words.end(), spans);
  return words.size();
}
