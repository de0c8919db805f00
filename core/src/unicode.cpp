#include "unicode.h"

#include <algorithm>
#include <iterator>

namespace potstill {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;
// Hangul's syllables are composed of their parts by arithmetic (Unicode, section 3.12).
constexpr uint32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

const Decomposition *decomposition(uint32_t character) {
  const auto *found = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), character,
                                       [](const Decomposition &row, uint32_t key) { return row.character < key; });
  return found != std::end(kDecompositions) && found->character == character ? found : nullptr;
}

uint8_t combining(uint32_t character) {
  const auto *found = std::lower_bound(std::begin(kCombining), std::end(kCombining), character,
                                       [](const Combining &row, uint32_t key) { return row.last < key; });
  return found != std::end(kCombining) && found->first <= character ? found->order : 0;
}

void decompose(uint32_t character, Characters &parts) {
  if (character >= kSyllable && character < kSyllable + kSyllables) {
    const uint32_t index = character - kSyllable;
    parts.push_back(kLead + index / (kVowels * kTails));
    parts.push_back(kVowel + index / kTails % kVowels);
    if (index % kTails) parts.push_back(kTail + index % kTails);
  } else if (const Decomposition *row = decomposition(character)) {
    decompose(row->first, parts);
    if (row->second) decompose(row->second, parts);
  } else {
    parts.push_back(character);
  }
}

// The character that two are composed to; 0: none.
uint32_t composed(uint32_t first, uint32_t second) {
  if (first >= kLead && first < kLead + kLeads && second >= kVowel && second < kVowel + kVowels)
    return kSyllable + ((first - kLead) * kVowels + second - kVowel) * kTails;
  if (first >= kSyllable && first < kSyllable + kSyllables && (first - kSyllable) % kTails == 0 && second > kTail &&
      second < kTail + kTails)
    return first + second - kTail;
  if (!(classes(second) & kUnstable)) return 0;
  const auto is_before = [](const Composition &row, const Composition &key) {
    return row.second != key.second ? row.second < key.second : row.first < key.first;
  };
  const auto *found =
      std::lower_bound(std::begin(kCompositions), std::end(kCompositions), Composition{second, first, 0}, is_before);
  if (found != std::end(kCompositions) && found->second == second && found->first == first) return found->character;
  return 0;
}

}  // namespace

void decode(const char *bytes, size_t size, Characters &characters) {
  const auto *at = reinterpret_cast<const uint8_t *>(bytes);
  const uint8_t *end = at + size;
  const auto follows = [&](size_t offset) { return at + offset < end && (at[offset] & 0xC0) == 0x80; };
  while (at < end) {
    const uint32_t first = *at;
    uint32_t character = kReplacement;
    size_t length = 1;
    if (first < 0x80) {
      character = first;
    } else if (first >= 0xC2 && first < 0xE0 && follows(1)) {
      character = (first & 0x1F) << 6 | (at[1] & 0x3F);
      length = 2;
    } else if (first >= 0xE0 && first < 0xF0 && follows(1) && follows(2)) {
      const uint32_t value = (first & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F);
      if (value >= 0x800 && (value < 0xD800 || value > 0xDFFF)) {
        character = value;
        length = 3;
      }
    } else if (first >= 0xF0 && first < 0xF5 && follows(1) && follows(2) && follows(3)) {
      const uint32_t value = (first & 0x07) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F);
      if (value >= 0x10000 && value < 0x110000) {
        character = value;
        length = 4;
      }
    }
    characters.push_back(character);
    at += length;
  }
}

void encode(uint32_t character, std::vector<char> &bytes) {
  const auto put = [&](uint32_t byte) { bytes.push_back(static_cast<char>(byte)); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xC0 | character >> 6);
    put(0x80 | (character & 0x3F));
  } else if (character < 0x10000) {
    put(0xE0 | character >> 12);
    put(0x80 | (character >> 6 & 0x3F));
    put(0x80 | (character & 0x3F));
  } else {
    put(0xF0 | character >> 18);
    put(0x80 | (character >> 12 & 0x3F));
    put(0x80 | (character >> 6 & 0x3F));
    put(0x80 | (character & 0x3F));
  }
}

void compose(Characters &characters, Characters &parts) {
  const auto is_unstable = [](uint32_t character) { return (classes(character) & kUnstable) != 0; };
  if (std::none_of(characters.begin(), characters.end(), is_unstable)) return;
  parts.clear();
  for (const uint32_t character : characters) decompose(character, parts);
  // Marks in the order of their class, and equal ones as they stand.
  for (auto at = parts.begin(); at != parts.end();) {
    at = std::find_if(at, parts.end(), combining);
    const auto end = std::find_if_not(at, parts.end(), combining);
    if (end - at > 1) std::stable_sort(at, end, [](uint32_t a, uint32_t b) { return combining(a) < combining(b); });
    at = end;
  }
  characters.clear();
  size_t starter = SIZE_MAX;  // where in `characters` the last one is that marks are composed with
  int last = -1;              // the class of the last one behind it
  for (const uint32_t part : parts) {
    const int order = combining(part);
    if (starter != SIZE_MAX && last < order) {
      if (const uint32_t whole = composed(characters[starter], part)) {
        characters[starter] = whole;
        continue;
      }
    }
    if (!order) {
      starter = characters.size();
      last = -1;
    } else {
      last = order;
    }
    characters.push_back(part);
  }
}

void lower(Characters &characters, Characters &scratch) {
  scratch.clear();
  for (const uint32_t character : characters) {
    if (character < 0x80) {
      scratch.push_back(character >= 'A' && character <= 'Z' ? character + 32 : character);
      continue;
    }
    const auto *found = std::lower_bound(std::begin(kLower), std::end(kLower), character,
                                         [](const Lower &row, uint32_t key) { return row.character < key; });
    if (found == std::end(kLower) || found->character != character) {
      scratch.push_back(character);
    } else {
      scratch.push_back(found->first);
      if (found->second) scratch.push_back(found->second);
    }
  }
  characters.swap(scratch);
}

}  // namespace potstill
