#include "files.h"

#include <cstdio>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define POTSTILL_MAPS
#endif

namespace potstill {

bool exists(const std::string &path) {
  File file;  // not fopen, which waits for a pipe's other end
  return file.open(path);
}

#if defined(POTSTILL_MAPS)

bool File::open(const std::string &path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  struct stat status {};
  void *memory = MAP_FAILED;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
    memory = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (memory == MAP_FAILED) return false;
  start_ = static_cast<const char *>(memory);
  size_ = static_cast<size_t>(status.st_size);
  is_mapped_ = true;
  return true;
}

File::~File() {
  if (is_mapped_) munmap(const_cast<char *>(start_), size_);
}

#else

bool File::open(const std::string &path) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) return false;
  char part[1 << 16];
  for (size_t count; (count = std::fread(part, 1, sizeof part, file)) > 0;)
    read_.insert(read_.end(), part, part + count);
  const bool is_whole = !std::ferror(file);
  std::fclose(file);
  start_ = read_.data();
  size_ = read_.size();
  return is_whole && size_ > 0;
}

File::~File() = default;

#endif

}  // namespace potstill
