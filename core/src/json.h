// JSON as a tree. Text is kept where it stands, or unescaped once; depth and size are limited.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace potstill {

struct Json {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool truth = false;
  double number = 0;
  std::string_view text;
  std::vector<Json> items;                                 // of an array
  std::vector<std::pair<std::string_view, Json>> members;  // of an object

  // The member of an object; one of kind kNull where there is none.
  const Json &operator[](std::string_view name) const;
  // A whole number from 0 up to `most`; `otherwise` for anything else.
  size_t whole(size_t most, size_t otherwise) const;
  bool is(Kind other) const { return kind == other; }
};

// The memory behind a tree: the source text must live as long.
struct JsonDocument {
  Json root;
  std::deque<std::string> unescaped;
};

// Parses a text; false where it is no JSON, deeper than 64, or of more than four million values.
bool parse_json(std::string_view source, JsonDocument &document);

}  // namespace potstill
