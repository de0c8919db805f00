// Files as memory: mapped where the system can, else read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace potstill {

// Whether there is a file that is not empty.
bool exists(const std::string &path);

class File {
 public:
  File() = default;
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  ~File();

  bool open(const std::string &path);
  std::string_view content() const { return {start_, size_}; }

 private:
  const char *start_ = nullptr;
  size_t size_ = 0;
  bool is_mapped_ = false;
  std::vector<char> read_;
};

}  // namespace potstill
