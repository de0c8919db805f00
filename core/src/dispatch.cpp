// Which instruction sets there are kernels for, and which of them this processor has.
#include <cstring>

#if defined(POTSTILL_ARM) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "kernels.h"

namespace potstill {

#define POTSTILL_DECLARE(name)  \
  namespace name {              \
  extern const Kernels kernels; \
  }

POTSTILL_DECLARE(plain)
#if defined(POTSTILL_X86)
POTSTILL_DECLARE(avx2)
POTSTILL_DECLARE(avx512)
#elif defined(POTSTILL_ARM)
POTSTILL_DECLARE(dotprod)
#endif

namespace {

#if defined(POTSTILL_ARM)
bool has_dotprod() {
#if defined(__linux__)
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProducts) != 0;
#elif defined(__APPLE__)
  return true;  // since the first of them
#else
  return false;
#endif
}
#endif

struct Choice {
  const Kernels *kernels;
  bool is_there;
};

}  // namespace

const Kernels *find_kernels(const char *name) {
#if defined(POTSTILL_X86)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vnni");
#endif
  const Choice choices[] = {  // the best first
#if defined(POTSTILL_X86)
    {&avx512::kernels, has_avx2 && has_avx512},
    {&avx2::kernels, has_avx2},
#elif defined(POTSTILL_ARM)
    {&dotprod::kernels, has_dotprod()},
#endif
    {&plain::kernels, true}
  };
  for (const Choice &choice : choices)
    if (choice.is_there && (!name || std::strcmp(name, choice.kernels->name) == 0)) return choice.kernels;
  return nullptr;
}

}  // namespace potstill
