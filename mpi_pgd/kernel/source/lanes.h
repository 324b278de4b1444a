/* Eight lanes, which are what the order of all additions is written in: one register, two or four, by the processor.

Bits come from this source alone. Whatever the registers' width, lane i of one step meets lane i of the next, and no two operations are
fused: -ffp-contract=off. */

#ifndef LANES_H
#define LANES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if !defined(__GNUC__) || !(defined(__x86_64__) || defined(__aarch64__))
#error "the kernel is written for GCC or Clang on x86-64 or aarch64"
#endif
#if defined(__FAST_MATH__)
#error "the order of additions must be kept: no -ffast-math"
#endif

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define JOINED_(a, b) a##_##b
#define JOINED(a, b) JOINED_(a, b)

#endif

/* From here on once for each instruction set, which has said its WIDTH, the doubles in a register. */

#define PARTS (8 / WIDTH)

#if WIDTH > 2
#include <immintrin.h>
#endif

/* Loads from any address of a double, and from memory of any declared type. */
typedef double Part __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef struct {
    Part part[PARTS];
} Lanes;

#define EACH for (int i = 0; i < PARTS; i++)

INLINE Lanes zeros(void) {
    Lanes out;
    EACH out.part[i] = (Part){0};
    return out;
}

/* x - {0} broadcasts; GCC 12 makes a masked move a lane of a loop that fills a vector. */
INLINE Lanes all(double x) {
    Lanes out;
    EACH out.part[i] = x - (Part){0};
    return out;
}

INLINE Lanes load(const double *x) {
    Lanes out;
    EACH out.part[i] = *(const Part *)(x + WIDTH * i);
    return out;
}

INLINE void store(double *x, Lanes a) {
    EACH *(Part *)(x + WIDTH * i) = a.part[i];
}

INLINE Lanes add(Lanes a, Lanes b) {
    EACH a.part[i] += b.part[i];
    return a;
}

INLINE Lanes subtract(Lanes a, Lanes b) {
    EACH a.part[i] -= b.part[i];
    return a;
}

INLINE Lanes multiply(Lanes a, Lanes b) {
    EACH a.part[i] *= b.part[i];
    return a;
}

INLINE Lanes divide(Lanes a, Lanes b) {
    EACH a.part[i] /= b.part[i];
    return a;
}

/* What is true of a lane has all its bits set, else none. */
typedef int64_t Mask __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef uint64_t Bits __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef struct {
    Mask part[PARTS];
} Masks;

INLINE Part select_part(Mask where, Part a, Part b) {
    return (Part)((where & (Mask)a) | (~where & (Mask)b));
}

/* Lanes of a where it is true, of b elsewhere. */
INLINE Lanes select(Masks where, Lanes a, Lanes b) {
    EACH a.part[i] = select_part(where.part[i], a.part[i], b.part[i]);
    return a;
}

/* a < b: false of what is not a number, as are all but unequal. */
INLINE Masks less(Lanes a, Lanes b) {
    Masks out;
    EACH out.part[i] = a.part[i] < b.part[i];
    return out;
}

INLINE Masks less_equal(Lanes a, Lanes b) {
    Masks out;
    EACH out.part[i] = a.part[i] <= b.part[i];
    return out;
}

INLINE Masks equal(Lanes a, Lanes b) {
    Masks out;
    EACH out.part[i] = a.part[i] == b.part[i];
    return out;
}

/* As numpy's: what is not a number in either stays so. Of 0 and -0 it is b, where numpy's depends on the processor. */
INLINE Lanes maximum(Lanes a, Lanes b) {
    EACH a.part[i] = select_part((a.part[i] > b.part[i]) | (a.part[i] != a.part[i]), a.part[i], b.part[i]);
    return a;
}

INLINE Lanes minimum(Lanes a, Lanes b) {
    EACH a.part[i] = select_part((a.part[i] < b.part[i]) | (a.part[i] != a.part[i]), a.part[i], b.part[i]);
    return a;
}

INLINE Part abs_part(Part a) {
    return (Part)((Bits)a & UINT64_C(0x7fffffffffffffff));
}

INLINE Lanes abs_lanes(Lanes a) {
    EACH a.part[i] = abs_part(a.part[i]);
    return a;
}

/* The size of a where it is larger than b, which has no sign; what is not a number stays. Without signs, bits are ordered as numbers. */
INLINE Lanes larger(Lanes a, Lanes b) {
    a = abs_lanes(a);
#if WIDTH == 8
    a.part[0] = (Part)_mm512_max_epi64((__m512i)a.part[0], (__m512i)b.part[0]);
#elif WIDTH == 4 /* where whole numbers of 64 bits are slower to compare */
    a = maximum(a, b);
#else
    EACH a.part[i] = select_part((Mask)a.part[i] > (Mask)b.part[i], a.part[i], b.part[i]);
#endif
    return a;
}

/* The size of a, the sign of b. */
INLINE Lanes copysign_lanes(Lanes a, Lanes b) {
    EACH a.part[i] = (Part)(((Bits)a.part[i] & UINT64_C(0x7fffffffffffffff)) | ((Bits)b.part[i] & UINT64_C(0x8000000000000000)));
    return a;
}

#if WIDTH == 4
/* Of part i those lanes that are among the first count. */
INLINE __m256i among(size_t count, int i) {
    return (__m256i)((Mask){0, 1, 2, 3} < (int64_t)count - 4 * i - (Mask){0});
}
#endif

/* The first count (0 to 8) of them; the others are 0. */
INLINE Lanes load_some(const double *x, size_t count) {
    if (LIKELY(count == 8)) return load(x);
#if WIDTH == 8
    return (Lanes){{(Part)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), x)}};
#elif WIDTH == 4
    Lanes out;
    EACH out.part[i] = (Part)_mm256_maskload_pd(x + 4 * i, among(count, i));
    return out;
#else
    double some[8] = {0};
    for (size_t i = 0; i < count; i++) some[i] = x[i];
    return load(some);
#endif
}

/* The first count (0 to 8) of them. */
INLINE void store_some(double *x, Lanes a, size_t count) {
    if (LIKELY(count == 8)) {
        store(x, a);
        return;
    }
#if WIDTH == 8
    _mm512_mask_storeu_pd(x, (__mmask8)((1u << count) - 1), (__m512d)a.part[0]);
#elif WIDTH == 4
    EACH _mm256_maskstore_pd(x + 4 * i, among(count, i), (__m256d)a.part[i]);
#else
    double some[8];
    store(some, a);
    for (size_t i = 0; i < count; i++) x[i] = some[i];
#endif
}

/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)): halves are added until one number is left. */
INLINE double total(Lanes a) {
#if WIDTH == 8
    __m512d all = (__m512d)a.part[0];
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(all), _mm512_extractf64x4_pd(all, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
#elif WIDTH == 4
    __m256d four = (__m256d)(a.part[0] + a.part[1]);
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
#else
    Part two = (a.part[0] + a.part[2]) + (a.part[1] + a.part[3]);
#endif
    return two[0] + two[1];
}

/* The totals of eight, in their order, of the same additions; together they take half the steps. */
INLINE Lanes totals(const Lanes *a) {
    Lanes out;
#if WIDTH == 8
    __m512d half[4], quarter[2];
    for (int i = 0; i < 4; i++) { /* of 0 and 2, 4 and 6, 1 and 3, 5 and 7 */
        __m512d one = (__m512d)a[i % 2 * 4 + i / 2].part[0], other = (__m512d)a[i % 2 * 4 + i / 2 + 2].part[0];
        half[i] = _mm512_add_pd(_mm512_shuffle_f64x2(one, other, 0x44), _mm512_shuffle_f64x2(one, other, 0xee));
    }
    for (int i = 0; i < 2; i++)
        quarter[i] = _mm512_add_pd(
            _mm512_shuffle_f64x2(half[2 * i], half[2 * i + 1], 0x88), _mm512_shuffle_f64x2(half[2 * i], half[2 * i + 1], 0xdd)
        );
    out.part[0] = (Part)_mm512_add_pd(_mm512_unpacklo_pd(quarter[0], quarter[1]), _mm512_unpackhi_pd(quarter[0], quarter[1]));
#elif WIDTH == 4
    for (int i = 0; i < 2; i++) {
        __m256d four[4], two[2];
        for (int r = 0; r < 4; r++) four[r] = (__m256d)(a[4 * i + r].part[0] + a[4 * i + r].part[1]);
        for (int r = 0; r < 2; r++) /* of 0 and 2, of 1 and 3 */
            two[r] = _mm256_add_pd(_mm256_permute2f128_pd(four[r], four[r + 2], 0x20), _mm256_permute2f128_pd(four[r], four[r + 2], 0x31));
        out.part[i] = (Part)_mm256_add_pd(_mm256_unpacklo_pd(two[0], two[1]), _mm256_unpackhi_pd(two[0], two[1]));
    }
#else
    for (int i = 0; i < 4; i++) {
        Part two[2];
        for (int r = 0; r < 2; r++) {
            const Part *part = a[2 * i + r].part;
            two[r] = (part[0] + part[2]) + (part[1] + part[3]);
        }
        out.part[i] = (Part){two[0][0], two[1][0]} + (Part){two[0][1], two[1][1]};
    }
#endif
    return out;
}
