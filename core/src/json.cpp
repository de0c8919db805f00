#include "json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "unicode.h"

namespace potstill {
namespace {

constexpr int kDeepest = 64;
constexpr size_t kMany = 1000, kBytesAMember = 22;
constexpr size_t kMostValues = size_t{1} << 22;  // each takes a hundred bytes, and two in the text

class Parser {
 public:
  Parser(std::string_view source, std::deque<std::string> &unescaped) : source_(source), unescaped_(unescaped) {}

  bool whole(Json &value) {
    if (!parse(value, 0)) return false;
    skip_space();
    return at_ == source_.size();
  }

 private:
  char peek() const { return at_ < source_.size() ? source_[at_] : '\0'; }

  void skip_space() {
    while (at_ < source_.size() && (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r')) ++at_;
  }

  bool take(char expected) {
    skip_space();
    if (peek() != expected) return false;
    ++at_;
    return true;
  }

  bool word(std::string_view expected) {
    if (source_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool parse(Json &value, int depth) {
    if (++n_values_ > kMostValues) return false;
    skip_space();
    switch (peek()) {
      case '{':
        return depth < kDeepest && object(value, depth);
      case '[':
        return depth < kDeepest && array(value, depth);
      case '"':
        value.kind = Json::Kind::kString;
        return string(value.text);
      case 't':
        value.truth = true;
        value.kind = Json::Kind::kBool;
        return word("true");
      case 'f':
        value.kind = Json::Kind::kBool;
        return word("false");
      case 'n':
        return word("null");
      default:
        return number(value);
    }
  }

  bool object(Json &value, int depth) {
    value.kind = Json::Kind::kObject;
    ++at_;
    if (take('}')) return true;
    do {
      skip_space();
      // A vocabulary, of which a file has one: its memory is taken at once.
      if (value.members.size() == kMany && !has_many_) {
        has_many_ = true;
        value.members.reserve(kMany + (source_.size() - at_) / kBytesAMember);
      }
      value.members.emplace_back();
      auto &[name, member] = value.members.back();
      if (!string(name) || !take(':') || !parse(member, depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool array(Json &value, int depth) {
    value.kind = Json::Kind::kArray;
    ++at_;
    if (take(']')) return true;
    do {
      value.items.emplace_back();
      if (!parse(value.items.back(), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  // Not strtod: what it reads depends on the program's locale.
  bool number(Json &value) {
    value.kind = Json::Kind::kNumber;
    const bool is_negative = peek() == '-';
    at_ += is_negative;
    double digits = 0;
    int exponent = 0, n_digits = 0;
    for (; is_digit(); ++at_, ++n_digits) digits = digits * 10 + (peek() - '0');
    if (peek() == '.')
      for (++at_; is_digit(); ++at_, ++n_digits, --exponent) digits = digits * 10 + (peek() - '0');
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      const bool is_small = peek() == '-';
      at_ += is_small || peek() == '+';
      if (!is_digit()) return false;
      int written = 0;
      for (; is_digit(); ++at_) written = std::min(written * 10 + (peek() - '0'), 10000);
      exponent += is_small ? -written : written;
    }
    value.number = (is_negative ? -digits : digits) * std::pow(10.0, exponent);
    return n_digits > 0 && std::isfinite(value.number);
  }

  bool is_digit() const { return peek() >= '0' && peek() <= '9'; }

  bool string(std::string_view &text) {
    if (peek() != '"') return false;
    const size_t start = ++at_;
    bool is_plain = true;
    for (; at_ < source_.size() && source_[at_] != '"'; ++at_)
      if (source_[at_] == '\\') {
        is_plain = false;
        ++at_;
      }
    if (at_ >= source_.size()) return false;
    text = source_.substr(start, at_++ - start);
    return is_plain || unescape(text);
  }

  bool unescape(std::string_view &text) {
    std::vector<char> bytes;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        bytes.push_back(text[i]);
        continue;
      }
      const char *kinds = "\"\\/bfnrt", *meanings = "\"\\/\b\f\n\r\t";
      const char kind = text[++i];
      const char *found = kind ? std::strchr(kinds, kind) : nullptr;
      uint32_t code = 0;
      if (kind == 'u') {
        if (!hexadecimal(text, i + 1, code)) return false;
        i += 4;
        uint32_t second = 0;
        if (code >= 0xD800 && code < 0xDC00 && text.substr(i + 1, 2) == "\\u" && hexadecimal(text, i + 3, second) &&
            second >= 0xDC00 && second < 0xE000) {
          code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
          i += 6;
        }
        encode(code >= 0xD800 && code < 0xE000 ? 0xFFFD : code, bytes);
      } else if (found) {
        bytes.push_back(meanings[found - kinds]);
      } else {
        return false;
      }
    }
    unescaped_.emplace_back(bytes.begin(), bytes.end());
    text = unescaped_.back();
    return true;
  }

  static bool hexadecimal(std::string_view text, size_t start, uint32_t &value) {
    if (start + 4 > text.size()) return false;
    for (size_t i = start; i < start + 4; ++i) {
      const char *digits = "0123456789abcdef0123456789ABCDEF";
      const char *found = text[i] ? std::strchr(digits, text[i]) : nullptr;
      if (!found) return false;
      value = value * 16 + static_cast<uint32_t>(found - digits) % 16;
    }
    return true;
  }

  std::string_view source_;
  std::deque<std::string> &unescaped_;
  size_t at_ = 0, n_values_ = 0;
  bool has_many_ = false;  // whether an object of many members was met
};

}  // namespace

const Json &Json::operator[](std::string_view name) const {
  static const Json null;
  for (const auto &[key, value] : members)
    if (key == name) return value;
  return null;
}

size_t Json::whole(size_t most, size_t otherwise) const {
  const bool fits = kind == Kind::kNumber && number >= 0 && number <= static_cast<double>(most);
  return fits && number == std::floor(number) ? static_cast<size_t>(number) : otherwise;
}

bool parse_json(std::string_view source, JsonDocument &document) {
  return Parser(source, document.unescaped).whole(document.root);
}

}  // namespace potstill
