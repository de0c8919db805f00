#!/bin/sh
# The core as WebAssembly: src/potstill/web/potstill.wasm, and the hash of the sources that it was built from.
set -eu
cd "$(dirname "$0")"
CXX=${WASM_CXX:-$(command -v clang++-14 || command -v clang++ || true)}
OUT=../src/potstill/web
FLAGS="--target=wasm32-wasi -std=gnu++17 -msimd128 -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections
  -Wall -Wextra -Iinclude -Isrc"
BUILD=$(mktemp -d)
trap 'rm -rf "$BUILD"' EXIT

if [ -z "$CXX" ] || ! printf '#include <vector>\n' | $CXX --target=wasm32-wasi -fsyntax-only -x c++ - 2>/dev/null; then
  echo "build_wasm.sh: no clang for WebAssembly with its C++ library; on Debian: apt-get install clang-14 lld-14 wasi-libc" \
    "libc++-14-dev-wasm32 libc++abi-14-dev-wasm32 libclang-rt-14-dev-wasm32" >&2
  exit 2
fi

for file in src/*.cpp; do
  case $file in src/files.cpp | src/kernels.cpp) continue ;; esac  # there are no files; kernels have options of their own
  $CXX $FLAGS -O2 -c "$file" -o "$BUILD/$(basename "$file" .cpp).o"
done
$CXX $FLAGS -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -DPOTSTILL_ISA=plain -DPOTSTILL_NAME='"plain"' \
  -DPOTSTILL_BYTES=16 -c src/kernels.cpp -o "$BUILD/kernels.o"

EXPORTS=
for name in malloc free potstill_open_memory potstill_label potstill_logits potstill_words; do
  EXPORTS="$EXPORTS -Wl,--export=$name"
done
mkdir -p $OUT
# A stack of 256 KiB, before the data: what runs past its end traps.
$CXX --target=wasm32-wasi -mexec-model=reactor -O2 "$BUILD"/*.o $EXPORTS \
  -Wl,--gc-sections -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=262144 -o $OUT/potstill.wasm
cat $(ls include/*.h src/*.cpp src/*.h build_wasm.sh | LC_ALL=C sort) | sha256sum | cut -d' ' -f1 >$OUT/wasm-sources.sha256
echo "potstill.wasm: $(wc -c <$OUT/potstill.wasm) bytes, $(gzip -9 -c $OUT/potstill.wasm | wc -c) with gzip -9"
