// The word splitter: the regular expression of potstill/corpus/words.py, alternative by alternative.
#include "tokenizer.h"

namespace potstill {
namespace {

// A text from one character on. Past its end there is 0, which no alternative takes.
struct Rest {
  const uint32_t *characters;
  const uint8_t *classes;
  size_t size;

  uint32_t at(size_t i) const { return i < size ? characters[i] : 0; }
  bool is(size_t i, uint8_t mask) const { return i < size && (classes[i] & mask); }
  bool is_letter(size_t i) const { return is(i, kLetter); }
  bool is_apostrophe(size_t i) const { return at(i) == '\'' || at(i) == 0x2019; }

  // Whether a character is a small letter of ASCII or its capital; a long s is an s.
  bool equals(size_t i, char letter) const {
    const uint32_t character = at(i);
    return (character | 32) == static_cast<uint32_t>(letter) ? character < 0x80 : letter == 's' && character == 0x17F;
  }

  // The end of a word of ASCII that begins at i; 0: there is another.
  size_t spelt(size_t i, const char *word) const {
    for (; *word; ++word, ++i)
      if (!equals(i, *word)) return 0;
    return i;
  }
};

size_t not_contracted(const Rest &rest, size_t i) {  // n't
  const bool is = rest.equals(i, 'n') && rest.is_apostrophe(i + 1) && rest.equals(i + 2, 't') && !rest.is_letter(i + 3);
  return is ? i + 3 : 0;
}

size_t contraction(const Rest &rest) {  // 's
  if (!rest.is_apostrophe(0)) return 0;
  for (const char *ending : {"s", "re", "ve", "ll", "d", "m"}) {
    const size_t end = rest.spelt(1, ending);
    if (end && !rest.is_letter(end)) return end;
  }
  return 0;
}

size_t letters_with_points(const Rest &rest) {  // U.S.
  size_t end = 0;
  while (rest.is_letter(end) && rest.at(end + 1) == '.') end += 2;
  return end >= 4 ? end : 0;
}

size_t abbreviation(const Rest &rest) {  // Mr.
  for (const char *title : {"mr", "mrs", "ms", "dr", "st", "jr", "vs"}) {
    const size_t end = rest.spelt(0, title);
    if (end && rest.at(end) == '.' && !rest.is_letter(end + 1)) return end + 1;
  }
  // The ligatures of s and t are st to a pattern that ignores case.
  const bool is_ligature = rest.at(0) == 0xFB05 || rest.at(0) == 0xFB06;
  return is_ligature && rest.at(1) == '.' && !rest.is_letter(2) ? 2 : 0;
}

size_t number(const Rest &rest) {  // 1,000.5
  size_t end = 0;
  while (rest.is(end, kNumber)) ++end;
  while (end && (rest.at(end) == '.' || rest.at(end) == ',' || rest.at(end) == ':') && rest.is(end + 1, kNumber))
    for (++end; rest.is(end, kNumber);) ++end;
  return end;
}

size_t run(const Rest &rest, uint32_t sign) {  // ... or --
  size_t end = 0;
  while (rest.at(end) == sign) ++end;
  return end >= 2 ? end : 0;
}

size_t first_word(const Rest &rest) {
  if (rest.is_letter(0)) {
    size_t end = 1;
    while (rest.is_letter(end)) ++end;
    // "don't" ends before its n; nothing but the last letter can be that n.
    if (end > 1 && not_contracted(rest, end - 1)) return end - 1;
    if (const size_t found = not_contracted(rest, 0)) return found;
    if (rest.at(1) == '.')
      if (const size_t found = letters_with_points(rest)) return found;
    if (rest.at(end) == '.')
      if (const size_t found = abbreviation(rest)) return found;
    while (rest.is(end, kLetter | kMark) || rest.at(end) == '_') ++end;
    return end;
  }
  if (const size_t found = contraction(rest)) return found;
  size_t end = 0;
  while (rest.is(end, kLetter | kMark) || rest.at(end) == '_') ++end;
  if (end) return end;
  if (rest.is(0, kNumber)) return number(rest);
  for (const uint32_t sign : {'.', '-'})
    if (const size_t found = run(rest, sign)) return found;
  return rest.is(0, kSpace) ? 0 : 1;
}

}  // namespace

size_t word_end(const uint32_t *characters, const uint8_t *classes, size_t size, size_t start) {
  return start + first_word({characters + start, classes + start, size - start});
}

std::vector<Span> words_of(std::string_view text) {
  Characters characters;
  decode(text.data(), text.size(), characters);
  std::vector<uint8_t> of_characters(characters.size());
  for (size_t i = 0; i < characters.size(); ++i) of_characters[i] = classes(characters[i]);
  std::vector<Span> words;
  for (size_t start = 0; start < characters.size();) {
    const size_t end = word_end(characters.data(), of_characters.data(), characters.size(), start);
    if (end > start) words.push_back({static_cast<uint32_t>(start), static_cast<uint32_t>(end)});
    start = end > start ? end : start + 1;
  }
  return words;
}

}  // namespace potstill
