// Opens students, then damaged ones, and lets whatever opens read texts: sanitizers say what is wrong with that.
//
//   damaged ROUNDS SEED FOLDER...
//
// Every folder's students must open whole. ROUNDS times each, one of its files is damaged. What is read is of exactly
// its size, so that a byte too many is noticed. Each damage has its own seed, which is printed where POTSTILL_TELL is
// set.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "potstill.h"
#include "student.h"

namespace {

using Random = std::mt19937_64;

enum File { kConfig, kTokenizer, kPlan, kWeights, kFiles };

std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t below(Random &random, size_t n) { return n ? random() % n : 0; }

// A copy of exactly the content's size; never null.
struct Exact {
  explicit Exact(const std::string &content) : bytes(new char[content.size()]), size(content.size()) {
    std::copy(content.begin(), content.end(), bytes.get());
  }
  potstill_text text() const { return {bytes.get(), size}; }

  std::unique_ptr<char[]> bytes;
  size_t size;
};

std::vector<std::string> make_texts() {
  const std::string wrong("a\xFF\xC0\xAF\xED\xA0\x80 \xF0\x9F", 9);
  std::vector<std::string> texts = {"",
                                    "a",
                                    "a b c [MASK] don't U.S. 1,000.5 ...",
                                    wrong,
                                    std::string("a\0b\0\0 c", 7),
                                    "[[<[MASK][MASK",
                                    "e\xCC\x81\xCC\xA3 \xE2\x96\x81 \xEA\xB0\x80"};
  std::string marks;
  for (int i = 0; i < 40; ++i) marks += i % 2 ? "\xCC\x81" : "\xCC\xA3";
  texts.push_back("e" + marks);
  return texts;
}

// Reads all texts at once, then each alone; in pairs each with the next.
void read_texts(const potstill_student *student, const std::vector<std::string> &texts, bool are_pairs) {
  size_t n_labels = 0;
  while (potstill_label(student, n_labels)) ++n_labels;
  std::vector<Exact> held(texts.begin(), texts.end());
  std::vector<potstill_text> views;
  for (size_t i = 0; i < held.size(); ++i) {
    views.push_back(held[i].text());
    if (are_pairs) views.push_back(held[(i + 1) % held.size()].text());
  }
  const std::unique_ptr<float[]> logits(new float[texts.size() * n_labels]);
  const int a_row = are_pairs ? 2 : 1;
  if (potstill_logits(student, views.data(), texts.size(), a_row, logits.get())) return;
  for (size_t i = 0; i < texts.size(); ++i) potstill_logits(student, &views[a_row * i], 1, a_row, logits.get());
}

const char *const kNumbers[] = {"0",
                                "-1",
                                "1",
                                "2",
                                "3",
                                "7",
                                "255",
                                "65536",
                                "2147483648",
                                "4294967296",
                                "9007199254740993",
                                "18446744073709551616",
                                "1e308",
                                "1e999",
                                "-0",
                                "0.5",
                                "null",
                                "[]",
                                "{}",
                                "true",
                                "\"\""};

// Where numbers and strings of JSON begin and how long they are.
std::vector<std::pair<size_t, size_t>> find_values(const std::string &json) {
  std::vector<std::pair<size_t, size_t>> found;
  for (size_t at = 0; at < json.size(); ++at) {
    const size_t start = at;
    if (json[at] == '"') {
      while (++at < json.size() && json[at] != '"')
        if (json[at] == '\\') ++at;
      if (at < json.size()) found.push_back({start, at + 1 - start});
    } else if (std::isdigit(static_cast<unsigned char>(json[at]))) {
      while (at < json.size() && (std::isalnum(static_cast<unsigned char>(json[at])) || json[at] == '.')) ++at;
      found.push_back({start, at - start});
      --at;
    }
  }
  return found;
}

void damage_json(std::string &json, Random &random) {
  const auto values = find_values(json);
  if (values.empty()) return;
  const auto [start, size] = values[below(random, values.size())];
  const auto [other, other_size] = values[below(random, values.size())];
  switch (below(random, 6)) {
    case 0:
    case 1:
    case 2:  // another value
      json.replace(start, size, kNumbers[below(random, std::size(kNumbers))]);
      break;
    case 3:  // that of another place
      json.replace(start, size, json.substr(other, other_size));
      break;
    case 4: {  // a part twice, or many times
      const size_t first = std::min(start, other), end = std::max(start + size, other + other_size);
      const std::string part = "," + json.substr(first, std::min<size_t>(end - first, 2000));
      for (size_t times = below(random, 20) ? 1 : 40; times; --times) json.insert(end, part);
      break;
    }
    default: {  // a part less
      const size_t first = std::min(start, other), end = std::max(start + size, other + other_size);
      json.erase(first, std::min<size_t>(end - first, 200));
    }
  }
}

void damage_bytes(std::string &content, Random &random) {
  switch (below(random, 4)) {
    case 0:
      content.resize(below(random, content.size()));
      break;
    case 1:
      content.insert(below(random, content.size()), below(random, 3) ? 1 : 64, static_cast<char>(random()));
      break;
    default:
      for (size_t times = 1 + below(random, 4); times && !content.empty(); --times)
        content[below(random, content.size())] = static_cast<char>(random());
  }
}

// Numbers of the tensors themselves: NaN, infinity, huge, tiny, negative.
void damage_tensors(std::string &weights, size_t data, Random &random) {
  const uint32_t numbers[] = {0x7FC00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x00000001,
                              0xBF800000, 0,          0x80808080, 0x43808000};
  for (size_t times = 1 + below(random, 8); times && weights.size() >= data + 4; --times) {
    const size_t at = data + below(random, (weights.size() - data) / 4) * 4;
    std::memcpy(&weights[at], &numbers[below(random, std::size(numbers))], 4);
  }
}

void damage_weights(std::string &weights, Random &random) {
  uint64_t size = 0;
  std::memcpy(&size, weights.data(), sizeof size);
  switch (below(random, 6)) {
    case 0:
      return damage_bytes(weights, random);
    case 1:
    case 2:
      return damage_tensors(weights, sizeof size + size, random);
    default: {
      std::string header = weights.substr(sizeof size, size);
      for (size_t times = 1 + below(random, 2); times; --times) damage_json(header, random);
      header.resize((header.size() + 7) / 8 * 8, ' ');  // else no tensor is where its numbers may be
      const uint64_t now = header.size();
      weights.replace(0, sizeof size + size, std::string(reinterpret_cast<const char *>(&now), sizeof now) + header);
    }
  }
}

potstill_student *open(const std::string (&files)[kFiles], std::vector<Exact> &held, char *error, size_t error_size) {
  held.clear();
  for (const std::string &file : files) held.emplace_back(file);
  return potstill_open_memory(held[kConfig].text(), held[kTokenizer].text(), held[kPlan].text(), held[kWeights].text(),
                              error, error_size);
}

bool is_one_line(const char *error) {
  const size_t size = std::strlen(error);
  return size && size <= 500 && std::all_of(error, error + size, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

int main(int count, char **arguments) {
  if (count < 4) return std::fprintf(stderr, "damaged ROUNDS SEED FOLDER...\n"), 2;
  const long rounds = std::atol(arguments[1]);
  const uint64_t seed = std::strtoull(arguments[2], nullptr, 10);
  const std::vector<std::string> texts = make_texts();
  std::string long_text;
  for (int i = 0; i < 3000; ++i)
    long_text += i % 7 ? "a b "
                       : "\xC3\xA9"
                         "c f's ";
  char error[1000];
  size_t n_whole = 0, n_opened = 0, n_refused = 0;
  for (int i = 3; i < count; ++i)
    for (const std::string ending : {"", ".int8"}) {
      const std::string folder = std::string(arguments[i]) + "/";
      const std::string plan = read_file(folder + "plan" + ending + ".json");
      const std::string whole[kFiles] = {read_file(folder + "config.json"), read_file(folder + "tokenizer.json"), plan,
                                         read_file(folder + potstill::weights_of(plan))};
      const bool are_pairs = whole[kPlan].find("\"reads_pairs\": true") != std::string::npos;
      std::vector<Exact> held;
      potstill_student *student = open(whole, held, error, sizeof error);
      if (!student) return std::fprintf(stderr, "%s: %s\n", folder.c_str(), error), 1;
      std::vector<std::string> more = texts;
      more.push_back(long_text);
      while (more.size() < 20) more.push_back(texts[more.size() % texts.size()] + " b");
      read_texts(student, more, are_pairs);
      potstill_close(student);
      ++n_whole;
      for (long round = 0; round < rounds; ++round) {
        const uint64_t number =
            ((seed * 1000 + static_cast<uint64_t>(i)) * 2 + (ending.empty() ? 0 : 1)) * 1000000 + round;
        if (std::getenv("POTSTILL_TELL"))
          std::fprintf(stderr, "%s%s %llu\n", folder.c_str(), ending.c_str(), static_cast<unsigned long long>(number));
        Random random(number);
        std::string files[kFiles];
        std::copy(std::begin(whole), std::end(whole), files);
        for (size_t times = 1 + below(random, 8) / 7; times; --times) {
          const size_t kind = below(random, 10);  // the plan and the weights decide most
          if (kind < 4)
            damage_json(files[kPlan], random);
          else if (kind < 8)
            damage_weights(files[kWeights], random);
          else if (below(random, 2))
            damage_bytes(files[below(random, kFiles)], random);
          else
            damage_json(files[below(random, 2)], random);
        }
        error[0] = '\0';
        if ((student = open(files, held, error, sizeof error))) {
          read_texts(student, texts, files[kPlan].find("\"reads_pairs\": true") != std::string::npos || are_pairs);
          ++n_opened;
        } else if (!is_one_line(error)) {
          return std::fprintf(stderr, "no one line: %s\n", error), 1;
        } else {
          ++n_refused;
        }
        potstill_close(student);
      }
    }
  std::printf("whole %zu opened %zu refused %zu\n", n_whole, n_opened, n_refused);
  return 0;
}
