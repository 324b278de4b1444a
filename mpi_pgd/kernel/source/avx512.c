/* x86-64 with AVX-512: Skylake's servers, Zen 4 and later. */

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#endif
#define NAME avx512
#define WIDTH 8
#include "all.inc"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
