// Characters: decoding UTF-8, their classes, NFC, lower case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "unicode_tables.h"

namespace potstill {

using Characters = std::vector<uint32_t>;

// The classes of a character.
inline uint8_t classes(uint32_t character) {
  return character < 0x110000 ? kClasses[kClassRows[character / kBlock] * kBlock + character % kBlock] : 0;
}

// Appends the characters of UTF-8; a byte that begins none becomes U+FFFD.
void decode(const char *bytes, size_t size, Characters &characters);

// Appends a character as UTF-8.
void encode(uint32_t character, std::vector<char> &bytes);

// Brings characters to NFC. `scratch` is memory that is used again.
void compose(Characters &characters, Characters &scratch);

// Puts each character in lower case, alone.
void lower(Characters &characters, Characters &scratch);

}  // namespace potstill
