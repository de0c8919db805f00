#include "tokenizer.h"

#include <algorithm>
#include <cstring>

namespace potstill {
namespace {

constexpr size_t kLongestOfPieces = 100;  // characters; a longer word is unknown, as in tokenizers' WordPiece
constexpr size_t kMostSteps = 256;        // to a word in the hash table; by chance a word is at most some dozens away
constexpr size_t kMostMarks = 1000, kLongestMark = 256;                 // each is looked for at every bracket of a text
constexpr std::string_view kPiece = "##", kSpaceSign = "\xE2\x96\x81";  // ▁

uint32_t hash_of(std::string_view word) {
  uint64_t hash = word.size() * 0x9E3779B97F4A7C15ull;
  const char *at = word.data();
  for (size_t left = word.size(); left;) {
    const size_t taken = std::min<size_t>(left, 8);
    uint64_t part = 0;
    std::memcpy(&part, at, taken);
    // Twice: one product spreads a part's last bytes over the highest bits alone.
    hash = (hash ^ part) * 0xD6E8FEB86659FD93ull;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93ull;
    hash ^= hash >> 32;
    at += taken;
    left -= taken;
  }
  return static_cast<uint32_t>(hash);
}

}  // namespace

bool Vocabulary::read(const Json &words, size_t n_ids) {
  if (words.members.size() >= kAbsent / 4) return false;
  size_t n_bytes = 0;
  for (const auto &[word, id] : words.members) n_bytes += word.size();
  if (n_bytes >= UINT32_MAX) return false;
  bytes_.reserve(n_bytes);
  entries_.reserve(words.members.size());
  size_t n_slots = 16;
  while (n_slots < 2 * words.members.size()) n_slots *= 2;
  slots_.assign(n_slots, kAbsent);
  for (const auto &[word, value] : words.members) {
    const size_t id = value.whole(n_ids, n_ids);
    if (id >= n_ids) return false;
    const uint32_t hash = hash_of(word);
    size_t slot = hash & (n_slots - 1), steps = 0;
    for (; slots_[slot] != kAbsent; slot = (slot + 1) & (n_slots - 1))
      if (++steps > kMostSteps) return false;  // words that were made to have the same hash, or the same one again
    most_steps_ = std::max(most_steps_, steps);
    slots_[slot] = static_cast<uint32_t>(entries_.size());
    entries_.push_back(
        {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(word.size()), static_cast<uint32_t>(id), hash});
    bytes_.append(word);
  }
  return true;
}

uint32_t Vocabulary::find(std::string_view word) const {
  if (slots_.empty()) return kAbsent;
  const uint32_t hash = hash_of(word);
  size_t slot = hash & (slots_.size() - 1);
  for (size_t steps = 0; steps <= most_steps_ && slots_[slot] != kAbsent; ++steps) {
    const Entry &entry = entries_[slots_[slot]];
    if (entry.hash == hash && entry.size == word.size() &&
        std::memcmp(bytes_.data() + entry.start, word.data(), word.size()) == 0)
      return entry.id;
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return kAbsent;
}

std::string Tokenizer::read(std::string_view tokenizer_json, const Json &kind, size_t n_ids) {
  const std::string_view reads = kind["reads"].text;
  if (reads != "words" && reads != "characters") return "the plan does not say what its tokenizer reads";
  reads_characters_ = reads == "characters";
  drops_invisible_ = kind["drops_invisible"].truth;
  composes_ = kind["composes"].truth;
  lowers_ = kind["lowers"].truth;
  has_pieces_ = kind["has_pieces"].truth;

  JsonDocument document;
  if (!parse_json(tokenizer_json, document)) return "tokenizer.json is damaged";
  const Json &words = document.root["model"]["vocab"];
  if (!words.is(Json::Kind::kObject) || !words_.read(words, n_ids))
    return "tokenizer.json has not the vocabulary of this student";
  if (has_pieces_) {
    Json pieces;
    for (const auto &[word, id] : words.members)
      if (word.size() > kPiece.size() && word.substr(0, kPiece.size()) == kPiece)
        pieces.members.emplace_back(word.substr(kPiece.size()), id);
    if (!pieces_.read(pieces, n_ids)) return "tokenizer.json has not the vocabulary of this student";
  }
  const Json &marks = document.root["added_tokens"];
  if (marks.items.size() > kMostMarks) return "tokenizer.json has too many added_tokens";
  for (const Json &mark : marks.items) {
    const size_t id = mark["id"].whole(n_ids, n_ids);
    if (mark["content"].text.empty() || mark["content"].text.size() > kLongestMark || id >= n_ids)
      return "tokenizer.json has a damaged token among added_tokens";
    marks_.push_back({std::string(mark["content"].text), static_cast<uint32_t>(id)});
  }
  unknown_ = words_.find("<unk>");
  space_ = words_.find(kSpaceSign);
  if (unknown_ == Vocabulary::kAbsent || (reads_characters_ && space_ == Vocabulary::kAbsent))
    return "tokenizer.json lacks the unknown word or the space of a student";
  if (reads_characters_) {
    // Looked up by the character itself, as far as most scripts go.
    character_ids_.assign(0x3000, unknown_);
    std::vector<char> bytes;
    for (uint32_t character = 0; character < character_ids_.size(); ++character) {
      bytes.clear();
      potstill::encode(character, bytes);
      const uint32_t id = words_.find({bytes.data(), bytes.size()});
      if (id != Vocabulary::kAbsent) character_ids_[character] = id;
    }
  }
  return "";
}

void Tokenizer::encode(std::string_view text, TextScratch &scratch, std::vector<uint32_t> &ids) const {
  const size_t before = ids.size();
  size_t start = 0;
  for (size_t at = 0; at < text.size() && !marks_.empty(); ++at) {
    if (text[at] != '[' && text[at] != '<') continue;
    for (const Mark &mark : marks_)
      if (text.substr(at, mark.text.size()) == mark.text) {
        encode_part(text.substr(start, at - start), scratch, ids);
        ids.push_back(mark.id);
        start = at + mark.text.size();
        at = start - 1;
        break;
      }
  }
  encode_part(text.substr(start), scratch, ids);
  if (reads_characters_) ids.push_back(space_);
  if (ids.size() == before) ids.push_back(unknown_);
}

void Tokenizer::encode_part(std::string_view text, TextScratch &scratch, std::vector<uint32_t> &ids) const {
  if (text.empty()) return;
  Characters &characters = scratch.characters;
  characters.clear();
  decode(text.data(), text.size(), characters);
  const bool is_ascii = characters.size() == text.size();
  if (!is_ascii) {
    if (drops_invisible_) {
      const auto is_invisible = [](uint32_t character) { return (classes(character) & kFormat) != 0; };
      characters.erase(std::remove_if(characters.begin(), characters.end(), is_invisible), characters.end());
    }
    if (composes_) compose(characters, scratch.other);
  }
  if (lowers_) lower(characters, scratch.other);
  scratch.classes.resize(characters.size());
  scratch.starts.resize(characters.size() + 1);
  scratch.bytes.clear();
  for (size_t i = 0; i < characters.size(); ++i) {
    scratch.classes[i] = classes(characters[i]);
    scratch.starts[i] = static_cast<uint32_t>(scratch.bytes.size());
    potstill::encode(characters[i], scratch.bytes);
  }
  scratch.starts[characters.size()] = static_cast<uint32_t>(scratch.bytes.size());
  reads_characters_ ? split_characters(scratch, ids) : split_words(scratch, ids);
}

void Tokenizer::split_words(TextScratch &scratch, std::vector<uint32_t> &ids) const {
  const size_t size = scratch.characters.size();
  for (size_t start = 0; start < size;) {
    const size_t end = word_end(scratch.characters.data(), scratch.classes.data(), size, start);
    if (end > start) add_word(scratch, start, end, ids);
    start = std::max(end, start + 1);
  }
}

void Tokenizer::split_characters(TextScratch &scratch, std::vector<uint32_t> &ids) const {
  constexpr uint32_t kSign = 0x2581;  // ▁
  bool is_inside = false;
  for (size_t i = 0; i < scratch.characters.size(); ++i) {
    if (scratch.classes[i] & kWhite) {
      is_inside = false;
      continue;
    }
    const uint32_t character = scratch.characters[i];
    if (!is_inside && character != kSign) ids.push_back(space_);  // as Metaspace: not before its own sign
    is_inside = true;
    if (character < character_ids_.size())
      ids.push_back(character_ids_[character]);
    else
      add_word(scratch, i, i + 1, ids);
  }
}

void Tokenizer::add_word(const TextScratch &scratch, size_t start, size_t end, std::vector<uint32_t> &ids) const {
  const char *bytes = scratch.bytes.data();
  const uint32_t id = words_.find({bytes + scratch.starts[start], scratch.starts[end] - scratch.starts[start]});
  if (id != Vocabulary::kAbsent && (!has_pieces_ || end - start <= kLongestOfPieces))
    ids.push_back(id);
  else if (has_pieces_)
    add_pieces(scratch, start, end, ids);
  else
    ids.push_back(unknown_);
}

void Tokenizer::add_pieces(const TextScratch &scratch, size_t start, size_t end, std::vector<uint32_t> &ids) const {
  const size_t before = ids.size();
  const char *bytes = scratch.bytes.data();
  for (size_t at = start; at < end && end - start <= kLongestOfPieces;) {
    const Vocabulary &vocabulary = at == start ? words_ : pieces_;
    uint32_t id = Vocabulary::kAbsent;
    size_t stop = end;  // of the longest piece
    for (; stop > at && id == Vocabulary::kAbsent; --stop)
      id = vocabulary.find({bytes + scratch.starts[at], scratch.starts[stop] - scratch.starts[at]});
    if (id == Vocabulary::kAbsent) {
      ids.resize(before);
      break;
    }
    ids.push_back(id);
    at = stop + 1;
  }
  if (ids.size() == before) ids.push_back(unknown_);
}

}  // namespace potstill
