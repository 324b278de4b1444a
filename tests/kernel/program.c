/* The kernel's own test program: what each function makes of the same numbers, as a digest a line: "function size digest".

It is linked with the package's C files alone, so that it runs where no Python does: under an emulator of another processor, and
under the sanitizers. Given the name of an instruction set it takes that one. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimals.h"
#include "kernel.h"

extern const struct kernel kernel_baseline;
#ifdef __x86_64__
extern const struct kernel kernel_avx2, kernel_avx512;
#endif

const struct kernel *kernel = &kernel_baseline;

/* Numbers of both signs over some magnitudes, from a generator of whole numbers (Marsaglia's xorshift64). */
static uint64_t state;

static double number(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return ldexp((double)((int64_t)state >> 11) * 0x1p-53, (int)(state % 13) - 6);
}

static double *numbers(size_t count) {
    double *x = malloc(count * sizeof *x + 1); /* of exactly so many, so that a sanitizer sees who reads on */
    for (size_t i = 0; i < count; i++) x[i] = number();
    return x;
}

/* FNV-1a */
static void told(const char *function, size_t size, const void *bytes, size_t length) {
    uint64_t digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) digest = (digest ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    printf("%s %zu %016llx\n", function, size, (unsigned long long)digest);
}

/* What is not a number has a sign that depends on the processor. */
static void told_numbers(const char *function, size_t size, double *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] != x[i] ? (double)NAN : x[i];
    told(function, size, x, count * sizeof *x);
}

static void vectors(size_t size) {
    double *x = numbers(size), *y = numbers(size), found = kernel->dot(x, y, size);
    kernel->hypot_of(x, y, x, size);
    told("dot", size, &found, sizeof found);
    told("hypot", size, x, size * sizeof *x);
    double *sums = calloc(3 * size + 1, sizeof *sums), first = 0x1.8p70, second = 0x1.8p30;
    kernel->cut(y, 1, size, &first, &second, sums, sums + 1, sums + size + 1);
    told("cut", size, sums, (2 * size + 1) * sizeof *sums);
    free(sums);
    free(x), free(y);
}

static void rounds(size_t size) {
    double *x[6], found[4];
    for (int i = 0; i < 6; i++) x[i] = numbers(2 * size + 2);
    kernel->votes(1, x[0], x[1], x[2], size, found);
    told("votes", size, found, 3 * sizeof *found);
    struct objective of = {size, 2, 2, x[0], x[1], x[2]};
    found[0] = kernel->descent(&of, x[3], x[4], 3, x[2], x[4], x[5]);
    told_numbers("descent", size, found, 1);
    told_numbers("descent", size, x[5], 2 * size + 2);
    kernel->moves(x[0], x[1], size, x[2], x[3], x[4], x[5], found);
    told_numbers("moves", size, found, 4);
    told_numbers("moves", size, x[5], size);
    kernel->spans(x[2], x[3], x[4], x[5], size, found);
    told_numbers("spans", size, found, 4);
    kernel->rounded(x[0], size, x[1], size / 2, x[5]);
    told_numbers("rounded", size, x[5], size);
    kernel->descend(x[0], 0.25, size, x[4], x[5]);
    told_numbers("descend", size, x[5], size);
    kernel->sizes(x[0], x[2], size, x[5], found);
    told_numbers("sizes", size, found, 2);
    kernel->to_user(x[1], of.scale, of.mean, of.features, x[0], of.outputs, x[5]);
    told_numbers("to_user", size, x[5], (of.features + 1) * of.outputs);
    found[0] = kernel->reach(x[5], x[0], of.features, of.outputs, x[4]);
    told_numbers("reach", size, found, 1);
    for (int i = 0; i < 6; i++) free(x[i]);
}

static void elementary(const char *name, void (*function)(const double *, double *, size_t), size_t size) {
    double *x = numbers(size), *out = malloc(size * sizeof *out + 1);
    for (size_t i = 0; i < size; i++) x[i] *= i % 5 ? 1 : i % 3 ? 0x1p1000 : 0x1p-1040; /* some beyond the functions' limits */
    function(x, out, size);
    told(name, size, out, size * sizeof *out);
    free(x), free(out);
}

/* Products of columns of the rows, some of them and the ones. */
static void products(size_t size) {
    size_t rows = 2 * size + 1, all = size + 1, upper = all * (all + 1) / 2;
    double *x = numbers(rows * size), *mean = numbers(size), *inverse = numbers(size), *h = numbers(2 * rows);
    double *out = malloc(2 * upper * sizeof *out);
    int64_t *places = malloc(all * sizeof *places);
    for (size_t i = 0; i < all; i++) places[i] = (int64_t)((size_t)7 * i % all);
    struct block taken = {.stored = STORED_float64, .count = rows, .features = size, .x = (char *)x};
    taken.stride = (ptrdiff_t)(size * sizeof *x);
    struct columns some = {places, all, size, mean, inverse}, plain = {NULL, size, size, mean, inverse};
    for (size_t lines = 1; lines <= 2; lines++) {
        if (!kernel->gram(&taken, &some, h, (ptrdiff_t)rows, lines, out)) exit(3);
        told("gram", size, out, lines * upper * sizeof *out);
    }
    if (!kernel->cross(&taken, &some, &plain, h, out)) exit(3);
    told("cross", size, out, all * size * sizeof *out);
    free(x), free(mean), free(inverse), free(h), free(out), free(places);
}

/* Of a matrix that is positive definite: squares of the diagonal are added. */
static void squares(size_t size) {
    double *a = numbers(size * size), *b = numbers(2 * size), *lines = numbers(2 * size), value = 0;
    double *out = malloc(size * size * sizeof *out + 1);
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < i; j++) a[i * size + j] = a[j * size + i];
        a[i * (size + 1)] = 64.0 * (double)size;
    }
    if (kernel->largest(a, (ptrdiff_t)size, size, &value) != 1) exit(3);
    told("largest", size, &value, sizeof value);
    if (kernel->cholesky(a, (ptrdiff_t)size, size, out) != 1) exit(3);
    told("cholesky", size, out, size * size * sizeof *out);
    if (kernel->inverse(out, (ptrdiff_t)size, size, a) != 1) exit(3);
    told("inverse", size, a, size * size * sizeof *a);
    kernel->matvec(out, (ptrdiff_t)size, size, size, b, 2, lines);
    told("matvec", size, lines, 2 * size * sizeof *lines);
    kernel->vecmat(b, 2, out, (ptrdiff_t)size, size, size, lines);
    told("vecmat", size, lines, 2 * size * sizeof *lines);
    free(a), free(b), free(lines), free(out);
}

/* Products with rows of a kind, and a gradient, folded; the last rows end where their memory does. */
static void dense(const char *name, enum stored stored, char letter, size_t element, size_t features) {
    enum { ROWS = 13 };
    char *x = malloc(ROWS * features * element + 1);
    for (size_t i = 0; i < ROWS * features * element; i++) x[i] = (char)(i * 37 % 61); /* a number in any type */
    double *y = numbers(2 * ROWS), *weights = numbers(ROWS), *offset = numbers(ROWS), *w = numbers(2 * (features + 1));
    struct block rows = {stored, ROWS, features, x, (ptrdiff_t)(features * element), y, 2, ROWS, weights, offset};
    double *eta = numbers(2 * ROWS), *back = numbers(2 * features), *room = malloc(ROOM(2) * sizeof *room);
    struct lines in = {w, 2, features, (ptrdiff_t)features}, out = {eta, 2, ROWS, ROWS}, turned = {back, 2, features, (ptrdiff_t)features};
    kernel->dots(&rows, &in, &out);
    told_numbers(name, features, eta, 2 * ROWS);
    kernel->tdots(&rows, &out, &turned);
    told_numbers(name, features, back, 2 * features);
    double *peaks = calloc(features + 1, sizeof *peaks);
    kernel->moments(&rows, w, w + features + 1, back, back + features, peaks);
    told_numbers(name, features, back, 2 * features);
    told_numbers(name, features, peaks, features);
    free(peaks);
    memset(back, 0, 2 * features * sizeof *back);
    if (letter && !kernel->peaks(letter, x, ROWS, features, back)) exit(3);
    told_numbers(name, features, back, features);
    for (int loss = 0; loss < LOSSES; loss++) {
        struct descent descent = {(enum loss)loss, {1.5, 0.5}, loss == LOSS_squared || loss == LOSS_softmax ? 2 : 1, w};
        size_t width = (features + 1) * descent.outputs + 1;
        double *vector = malloc(width * sizeof *vector), *sums = calloc(5 * width, sizeof *sums);
        rows.targets = loss == LOSS_squared ? 2 : 1;
        for (size_t i = 3 * width; i < 5 * width; i++) sums[i] = i < 4 * width ? 0x1.8p70 : 0x1.8p30;
        struct sums to = {width, width, sums, sums + width, sums + 2 * width, sums + 3 * width, sums + 4 * width};
        kernel->gradient(&rows, &descent, room, vector);
        kernel->fold(&to, vector);
        told_numbers(name, features, vector, width);
        told_numbers(name, features, sums, 3 * width);
        free(vector), free(sums);
    }
    free(x), free(y), free(weights), free(offset), free(w), free(eta), free(back), free(room);
}

/* Sparse rows of 0 to 12 numbers of a kind, on every other one of 24 features: products, gradients, and sums of its columns. */
static void sparse(const char *name, char kind, size_t element, int narrow) {
    enum { ROWS = 81, COLUMNS = 12, FEATURES = 24, NUMBERS = 6 * 78 + 3, PAIRS = FEATURES * (FEATURES + 1) / 2 };
    char *x = malloc(NUMBERS * element), *at = malloc(NUMBERS * (narrow ? 2 : 4));
    int64_t *starts = malloc((ROWS + 1) * sizeof *starts);
    uint32_t *columns = malloc(COLUMNS * sizeof *columns);
    for (size_t i = 0; i < NUMBERS * element; i++) x[i] = (char)(i * 37 % 61); /* a number in any type */
    for (uint32_t i = 0; i < COLUMNS; i++) columns[i] = 2 * i;
    for (int64_t row = starts[0] = 0; row < ROWS; row++) starts[row + 1] = starts[row] + row % 13;
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t i = starts[row]; i < starts[row + 1]; i++) {
            uint32_t place = (uint32_t)((i - starts[row]) * 5 % COLUMNS);
            if (narrow)
                ((uint16_t *)(void *)at)[i] = (uint16_t)place;
            else
                ((uint32_t *)(void *)at)[i] = place;
        }
    double *w = numbers(3 * COLUMNS + 3), *eta = numbers(ROWS), *back = numbers(COLUMNS), *room = malloc(ROOM(3) * sizeof *room);
    kernel->sparse_dot(kind, x, narrow, at, starts, ROWS, w, eta);
    told_numbers(name, ROWS, eta, ROWS);
    kernel->sparse_tdot(kind, x, narrow, at, starts, ROWS, eta, back);
    told_numbers(name, COLUMNS, back, COLUMNS);
    double *y = numbers(ROWS), *weights = numbers(ROWS), *offset = numbers(ROWS), *vector = numbers(3 * COLUMNS + 4);
    struct block rows = {.count = ROWS, .features = COLUMNS, .y = y, .targets = 1, .weights = weights, .offset = offset};
    struct descent descent = {LOSS_logistic, {0}, 1, w};
    kernel->sparse_gradient(kind, x, narrow, at, starts, &rows, &descent, room, vector);
    told_numbers(name, COLUMNS, vector, COLUMNS + 2);
    struct descent several = {LOSS_softmax, {0}, 3, w};
    kernel->sparse_gradient(kind, x, narrow, at, starts, &rows, &several, room, vector);
    told_numbers(name, COLUMNS, vector, 3 * COLUMNS + 4);
    double *first = numbers(FEATURES), *sums = calloc(3 * FEATURES, sizeof *sums), *triangle = calloc(PAIRS, sizeof *triangle);
    for (size_t i = 0; i < FEATURES; i++) first[i] = 0x1.8p70;
    kernel->fold_at(vector, columns, COLUMNS, 0, 8, 0, 0, 0x1p-40, first, sums, sums + FEATURES, sums + 2 * FEATURES);
    kernel->fold_at(vector, columns, COLUMNS, 0, 8, 16, 16, 0x1p-40, first, sums, sums + FEATURES, sums + 2 * FEATURES);
    told_numbers(name, FEATURES, sums, 3 * FEATURES);
    memset(sums, 0, FEATURES * sizeof *sums);
    kernel->sparse_gram(kind, x, narrow, at, starts, ROWS, columns, FEATURES, weights, sums, triangle);
    double *mean = numbers(FEATURES);
    kernel->centre_gram(mean, first, sums, 1.5, FEATURES, triangle);
    told_numbers(name, PAIRS, triangle, PAIRS);
    free(x), free(at), free(starts), free(columns), free(w), free(eta), free(back), free(room), free(y), free(weights), free(offset);
    free(vector), free(first), free(sums), free(triangle), free(mean);
}

/* Of any bits. */
static void text(size_t rows) {
    double *x = malloc(2 * rows * sizeof *x + 1);
    for (size_t i = 0; i < 2 * rows; i++) number(), memcpy(x + i, &state, sizeof state);
    char *out = malloc(2 * rows * (LONGEST + 1) + 1);
    told("decimals", rows, out, decimals(x, 2, rows, out));
    free(x), free(out);
}

int main(int count, char **words) {
    if (count > 1) {
        const struct kernel *chosen = strcmp(words[1], "baseline") ? NULL : &kernel_baseline;
#ifdef __x86_64__
        if (!strcmp(words[1], "avx2")) chosen = &kernel_avx2;
        if (!strcmp(words[1], "avx512")) chosen = &kernel_avx512;
#endif
        if (!chosen) return 2;
        kernel = chosen;
    }
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 16, 23, 64, 200, 203};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        state = 88172645463325252u + i;
        vectors(sizes[i]);
        rounds(sizes[i]);
        products(sizes[i]);
        squares(sizes[i]);
        text(100 * sizes[i]);
        elementary("exp", kernel->exp_of, sizes[i]);
        elementary("expm1", kernel->expm1_of, sizes[i]);
        elementary("log", kernel->log_of, sizes[i]);
        elementary("log1p", kernel->log1p_of, sizes[i]);
#define KIND(name, element, letter) dense(#name, STORED_##name, letter, sizeof(element), sizes[i]);
        STORED(KIND)
#undef KIND
    }
    sparse("sparse float64", 'd', 8, 1), sparse("sparse float32", 'f', 4, 0), sparse("sparse int8", 'b', 1, 1);
    sparse("sparse uint32", 'I', 4, 0), sparse("sparse int64", 'l', 8, 1);
    return 0;
}
