// What the kernels reach at best on this machine: multiplications of 8 bits in a nanosecond where the weights stay in
// the first cache, and bytes in a nanosecond where they come from the second.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <vector>

#include "weights.h"

namespace {

double nanoseconds(size_t k, size_t n, size_t rows, const potstill::Kernels &kernels) {
  const std::vector<int8_t> weights(k * n + potstill::kSlack, 1);
  std::vector<size_t> columns(n);
  std::iota(columns.begin(), columns.end(), size_t{0});
  potstill::Matrix matrix;
  potstill::pack(weights.data(), k, 1, columns, kernels.lanes, matrix);
  const std::vector<uint8_t> x(rows * k + potstill::kSlack, 1);
  std::vector<float> y(rows * n + potstill::kSlack);
  double best = 1e9;
  for (int round = 0; round < 200; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i)
      kernels.multiply(matrix, x.data(), k, rows, y.data(), n, potstill::Activation::kNone, 0);
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / 20);
  }
  return best;
}

}  // namespace

int main() {
  const potstill::Kernels &kernels = *potstill::find_kernels();
  const size_t k = 256, n = 64, rows = 96;
  std::printf("%s: %.0f multiplications of 8 bits in a nanosecond; %.0f bytes of weights in a nanosecond\n",
              kernels.name, k * n * rows / nanoseconds(k, n, rows, kernels),
              256 * 1024 / nanoseconds(256, 1024, 1, kernels));
}
