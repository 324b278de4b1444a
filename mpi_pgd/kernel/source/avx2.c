/* x86-64 with AVX2: Haswell, Zen and later. */

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif
#define NAME avx2
#define WIDTH 4
#include "all.inc"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
