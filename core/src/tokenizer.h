// Text to token ids, as a student's tokenizer.json does it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"
#include "unicode.h"

namespace potstill {

// Words by their ids: a hash table whose keys lie in one piece of memory.
class Vocabulary {
 public:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  // Reads the object of a tokenizer.json that gives each word its id; false where that is no id below n_ids.
  bool read(const Json &words, size_t n_ids);
  uint32_t find(std::string_view word) const;

 private:
  struct Entry {
    uint32_t start, size, id, hash;
  };

  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // of the entries, kAbsent: free; as many as a power of two
  size_t most_steps_ = 0;        // from where a word should be to where it is
};

struct Span {
  uint32_t start, end;
};

// What one call needs; used again by the next.
struct TextScratch {
  Characters characters, other;
  std::vector<uint8_t> classes;
  std::vector<char> bytes;       // of the normalized text
  std::vector<uint32_t> starts;  // of each character in `bytes`, and the end
};

class Tokenizer {
 public:
  // Reads tokenizer.json, and from the plan which kind it is. Gives what is wrong; empty: nothing.
  std::string read(std::string_view tokenizer_json, const Json &kind, size_t n_ids);

  uint32_t unknown_id() const { return unknown_; }

  // Appends the ids of a text; at least one.
  void encode(std::string_view text, TextScratch &scratch, std::vector<uint32_t> &ids) const;

 private:
  struct Mark {
    std::string text;
    uint32_t id;
  };

  void encode_part(std::string_view text, TextScratch &scratch, std::vector<uint32_t> &ids) const;
  void split_words(TextScratch &scratch, std::vector<uint32_t> &ids) const;
  void split_characters(TextScratch &scratch, std::vector<uint32_t> &ids) const;
  void add_word(const TextScratch &scratch, size_t start, size_t end, std::vector<uint32_t> &ids) const;
  void add_pieces(const TextScratch &scratch, size_t start, size_t end, std::vector<uint32_t> &ids) const;

  Vocabulary words_, pieces_;  // pieces without the sign that begins them
  std::vector<Mark> marks_;    // tokens that are found in a text before it is split
  std::vector<uint32_t> character_ids_;
  uint32_t unknown_ = 0, space_ = 0;
  bool reads_characters_ = false, drops_invisible_ = false, composes_ = false, lowers_ = false, has_pieces_ = false;
};

// Where the words of a text begin and end, in characters, as students split it.
std::vector<Span> words_of(std::string_view text);

// Where the word ends that begins at a character; `start` itself: none begins there.
size_t word_end(const uint32_t *characters, const uint8_t *classes, size_t size, size_t start);

}  // namespace potstill
