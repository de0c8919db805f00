// Vectors of the instruction set that this file is compiled for; POTSTILL_BYTES is how many bytes one has.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace potstill {
namespace POTSTILL_ISA {

constexpr size_t kLanes = POTSTILL_BYTES / 4;
typedef float Floats __attribute__((vector_size(POTSTILL_BYTES)));
typedef int32_t Integers __attribute__((vector_size(POTSTILL_BYTES)));

template <class V, class T>
inline V load(const T *from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V, class T>
inline void store(T *to, V v) {
  std::memcpy(to, &v, sizeof v);
}

inline Floats all(float value) { return Floats{} + value; }
inline Integers all(int32_t value) { return Integers{} + value; }
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }
inline Integers larger(Integers a, Integers b) { return a > b ? a : b; }
inline Floats to_floats(Integers a) { return __builtin_convertvector(a, Floats); }
inline Integers to_integers(Floats a) { return __builtin_convertvector(a, Integers); }

inline float sum(Floats a) {
  float total = 0;
  for (size_t i = 0; i < kLanes; ++i) total += a[i];
  return total;
}

// To the nearest integer, of two the even one; for numbers below 2^22.
inline Floats round(Floats a) {
#if defined(__AVX512F__)
  return (Floats)_mm512_roundscale_ps((__m512)a, 0);
#else
  const Floats magic = all(12582912.0f);
  return (a + magic) - magic;
#endif
}

// e^x to within 1e-7 of it, of x within -40 to 40: products of two are finite. 2^r of r within -0.5 to 0.5 is the
// polynomial of the fifth degree whose largest relative error is the smallest.
inline Floats exponential(Floats x) {
  x = x > all(40.0f) ? all(40.0f) : x;
  x = x < all(-40.0f) ? all(-40.0f) : x;
  x *= 1.44269504f;
  const Floats n = round(x), r = x - n;
  Floats p = all(1.3276469e-3f);
  p = p * r + 9.6755410e-3f;
  p = p * r + 5.5507135e-2f;
  p = p * r + 2.4022120e-1f;
  p = p * r + 6.9314694e-1f;
  p = p * r + 1.0f;
#if defined(__AVX512F__)
  return (Floats)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  const Integers power = (to_integers(n) + 127) << 23;
  return p * load<Floats>(&power);
#endif
}

// The sigmoid of a gate times the hyperbolic tangent of x, with one division.
inline Floats gated_tangent(Floats gate, Floats x) {
  const Floats a = exponential(-gate), b = exponential(-2.0f * x);
  return (1.0f - b) / ((1.0f + a) * (1.0f + b));
}
inline Floats hyperbolic_tangent(Floats x) {
  const Floats square = x * x;  // of a small x the difference below has few digits: Taylor's polynomial
  Floats p = all(62.0f / 2835);
  p = p * square - 17.0f / 315;
  p = p * square + 2.0f / 15;
  p = p * square - 1.0f / 3;
  const Floats small = x + x * square * p, large = 1.0f - 2.0f / (1.0f + exponential(2.0f * x));
  return square < all(0.0625f) ? small : large;
}

typedef uint8_t Bytes __attribute__((vector_size(POTSTILL_BYTES / 4)));

inline Bytes to_bytes(Floats rounded) {
  Floats within = rounded > all(255.0f) ? all(255.0f) : rounded;
  within = within < all(0.0f) ? all(0.0f) : within;
  return __builtin_convertvector(to_integers(within), Bytes);
}

// acc += the products of four unsigned 8-bit numbers, the same in every lane, and four signed 7-bit ones a lane.
inline Integers add_products(Integers acc, Integers x, const int8_t *weights) {
#if defined(__AVX512VNNI__)
  return (Integers)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, _mm512_loadu_si512(weights));
#elif defined(__AVXVNNI__)
  return (Integers)_mm256_dpbusd_avx_epi32((__m256i)acc, (__m256i)x, load<__m256i>(weights));
#elif defined(__AVX2__)
  // The sums of two products fit into 16 bits, as weights have 7.
  const __m256i pairs = _mm256_maddubs_epi16((__m256i)x, load<__m256i>(weights));
  return acc + (Integers)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__ARM_FEATURE_DOTPROD)
  // Signed by signed: x - 128 times the weights, and 128 times the weights.
  const int8x16_t w = vld1q_s8(weights);
  acc = (Integers)vdotq_s32((int32x4_t)acc, veorq_s8((int8x16_t)x, vdupq_n_s8(-128)), w);
  return (Integers)vdotq_s32(vdotq_s32((int32x4_t)acc, vdupq_n_s8(64), w), vdupq_n_s8(64), w);
#elif defined(__wasm_simd128__)
  // The even bytes and the odd ones, each as 16 bits where it is: then no sum has to be moved to another lane.
  const v128_t w = wasm_v128_load(weights), v = (v128_t)x;
  const v128_t even =
      wasm_i32x4_dot_i16x8(wasm_v128_and(v, wasm_i16x8_splat(0xFF)), wasm_i16x8_shr(wasm_i16x8_shl(w, 8), 8));
  const v128_t odd = wasm_i32x4_dot_i16x8(wasm_u16x8_shr(v, 8), wasm_i16x8_shr(w, 8));
  return acc + (Integers)even + (Integers)odd;
#elif defined(__SSE2__)
  const __m128i w = load<__m128i>(weights), zero = _mm_setzero_si128(), v = (__m128i)x;
  const __m128i sign = _mm_cmpgt_epi8(zero, w);
  const __m128i low = _mm_madd_epi16(_mm_unpacklo_epi8(v, zero), _mm_unpacklo_epi8(w, sign));
  const __m128i high = _mm_madd_epi16(_mm_unpackhi_epi8(v, zero), _mm_unpackhi_epi8(w, sign));
  const __m128i even = (__m128i)_mm_shuffle_ps((__m128)low, (__m128)high, 0x88);
  const __m128i odd = (__m128i)_mm_shuffle_ps((__m128)low, (__m128)high, 0xDD);
  return acc + (Integers)even + (Integers)odd;
#else
  const auto *bytes = reinterpret_cast<const uint8_t *>(&x);
  for (size_t lane = 0; lane < kLanes; ++lane)
    for (size_t i = 0; i < 4; ++i) acc[lane] += bytes[i] * weights[4 * lane + i];
  return acc;
#endif
}

}  // namespace POTSTILL_ISA
}  // namespace potstill
