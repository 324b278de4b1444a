/* The shortest decimals that are read back to the same float64; of those that are as short, the nearest to it.

Raffaello Giulietti, The Schubfach way to render doubles (2020), with the powers of ten to 128 bits, which are made when they are
first asked for. Whole numbers alone: nothing depends on the processor. */

#include "decimals.h"

#include <stdint.h>
#include <string.h>

#define LEAST (-292)
#define MOST 324
#define WORDS 20 /* of 64 bits: 10^324 takes 17 of them, and two are below it */

typedef unsigned __int128 wide;

/* 10^k as high 2^64 + low, times a power of two, rounded up: its first bit is one. */
static struct power {
    uint64_t high, low;
} powers[MOST - LEAST + 1];

/* The number is digits 10^exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* The first 128 bits of a number of whole words, the lowest first; the next larger ones, if it is `inexact` or others follow. */
static struct power first_bits(const uint64_t words[WORDS], int inexact) {
    int top = WORDS - 1;
    while (!words[top]) top--;
    int shift = __builtin_clzll(words[top]);
    wide bits = ((wide)words[top] << 64 | words[top - 1]) << shift;
    if (shift) bits |= words[top - 2] >> (64 - shift);
    inexact |= words[top - 2] << shift != 0;
    for (int i = 0; i < top - 2; i++) inexact |= words[i] != 0;
    bits += (wide)inexact;
    return (struct power){(uint64_t)(bits >> 64), (uint64_t)bits};
}

static void make_powers(void) {
    uint64_t up[WORDS] = {[2] = 1}, down[WORDS] = {[WORDS - 1] = UINT64_C(1) << 63};
    powers[-LEAST] = first_bits(up, 0);
    for (int k = 1; k <= MOST; k++) {
        wide carry = 0;
        for (int i = 0; i < WORDS; i++, carry >>= 64) up[i] = (uint64_t)(carry += (wide)up[i] * 10);
        powers[k - LEAST] = first_bits(up, 0);
    }
    for (int k = -1; k >= LEAST; k--) {
        wide rest = 0;
        for (int i = WORDS - 1; i >= 0; i--) {
            rest = rest << 64 | down[i];
            down[i] = (uint64_t)(rest / 10), rest %= 10;
        }
        powers[k - LEAST] = first_bits(down, 1);
    }
}

/* The whole part of the power times c, over 2^64; odd if anything was left, so that no rounding is lost. */
static uint64_t times(struct power power, uint64_t c) {
    wide low = (wide)power.low * c, high = (wide)power.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* Of a finite number above 0, by its fraction and exponent as they are stored. */
static struct decimal shortest(uint64_t fraction, int stored) {
    uint64_t c = stored ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (stored ? stored : 1) - 1075, narrow = fraction == 0 && stored > 1;
    if (q <= 0 && q > -53 && !(c & ((UINT64_C(1) << -q) - 1))) return (struct decimal){c >> -q, 0};
    int k = (q * 1262611 - (narrow ? 524031 : 0)) >> 22, odd = (int)(c & 1);
    int h = q + ((-k * 1741647) >> 19) + 1;
    struct power power = powers[-k - LEAST];
    /* Four times the number, and the ends of what is rounded to it, over 10^k; the ends belong to it if c is even. */
    uint64_t lower = times(power, (4 * c - 2 + (uint64_t)narrow) << h) + (uint64_t)odd;
    uint64_t value = times(power, 4 * c << h);
    uint64_t upper = times(power, (4 * c + 2) << h) - (uint64_t)odd;
    uint64_t s = value / 4, tens = s / 10;
    if (s >= 10) {
        int below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) return (struct decimal){tens + (uint64_t)above, k + 1};
    }
    int below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below == above) above = value > 4 * s + 2 || (value == 4 * s + 2 && s & 1);
    return (struct decimal){s + (uint64_t)above, k};
}

static char *put(char *out, const char *from, int count) {
    memcpy(out, from, (size_t)count);
    return out + count;
}

static char *zeros(char *out, int count) {
    memset(out, '0', (size_t)count);
    return out + count;
}

/* Digits, of which so many are before the point. */
static char *laid(char *out, const char *digits, int count, int point) {
    if (point > 16 || point <= -4) {
        *out++ = *digits;
        if (count > 1) *out++ = '.', out = put(out, digits + 1, count - 1);
        int size = point > 0 ? point - 1 : 1 - point;
        *out++ = 'e', *out++ = point > 0 ? '+' : '-';
        if (size > 99) *out++ = (char)('0' + size / 100);
        *out++ = (char)('0' + size / 10 % 10), *out++ = (char)('0' + size % 10);
        return out;
    }
    if (point <= 0) return put(zeros(put(out, "0.", 2), -point), digits, count);
    if (point >= count) return put(zeros(put(out, digits, count), point - count), ".0", 2);
    out = put(out, digits, point), *out++ = '.';
    return put(out, digits + point, count - point);
}

static char *spelled(char *out, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int stored = (int)(bits >> 52 & 0x7ff);
    if (stored == 0x7ff && fraction) return put(out, "nan", 3);
    if (bits >> 63) *out++ = '-';
    if (stored == 0x7ff) return put(out, "inf", 3);
    if (!stored && !fraction) return put(out, "0.0", 3);
    struct decimal found = shortest(fraction, stored);
    char room[20], *end = room + sizeof room, *first = end;
    do *--first = (char)('0' + found.digits % 10);
    while (found.digits /= 10);
    int point = (int)(end - first) + found.exponent;
    while (end[-1] == '0') end--;
    return laid(out, first, (int)(end - first), point);
}

size_t decimals(const double *x, size_t lines, size_t rows, char *out) {
    if (!powers[0].high) make_powers();
    char *start = out;
    for (size_t row = 0; row < rows; row++)
        for (size_t line = 0; line < lines; line++) {
            out = spelled(out, x[line * rows + row]);
            *out++ = line + 1 < lines ? ',' : '\n';
        }
    return (size_t)(out - start);
}
