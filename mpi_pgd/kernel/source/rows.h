/* Rows as the kernel sees them, what is asked of them, and where their sums go. No memory is owned here. */

#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>
#include <stdint.h>

/* The kinds of numbers that X may be stored in, each with its letter in Python's buffers; bfloat16 has none. */
#define STORED(kind)       \
    kind(float64, double, 'd') \
    kind(float32, float, 'f')  \
    kind(float16, uint16_t, 'e') \
    kind(bfloat16, uint16_t, 0) \
    kind(int8, int8_t, 'b')    \
    kind(uint8, uint8_t, 'B')  \
    kind(int16, int16_t, 'h')  \
    kind(uint16, uint16_t, 'H') \
    kind(int32, int32_t, 'i')  \
    kind(uint32, uint32_t, 'I') \
    kind(int64, int64_t, 'l')  \
    kind(uint64, uint64_t, 'L')

enum stored {
#define KIND(name, element, letter) STORED_##name,
    STORED(KIND)
#undef KIND
    STORED_KINDS
};

/* The losses: each is a function of that name in losses.inc. */
enum loss {
#define LOSS(name) LOSS_##name,
#include "losses.def"
#undef LOSS
    LOSSES
};

struct block {
    enum stored stored;
    size_t count, features;
    const char *x;
    ptrdiff_t stride; /* bytes from one row to the next */
    const double *y;
    size_t targets; /* lines of y, so many doubles apart */
    ptrdiff_t line;
    const double *weights, *offset; /* or NULL */
};

/* A gradient: point is the weights of each output, (outputs, features), and their intercepts. */
struct descent {
    enum loss loss;
    double parameters[4];
    size_t outputs;
    const double *point;
};

#define TOGETHER 64 /* sparse rows, whose products are all made before the losses, so that the processor has enough to do at once */

/* Doubles of room that a gradient wants. */
#define ROOM(outputs) ((TOGETHER + 16) * (outputs))

/* Lines of numbers that lie so many doubles apart. */
struct lines {
    double *at;
    size_t count, length;
    ptrdiff_t line;
};

/* The sums of blocks' vectors: see mpi_pgd/engine/partial.py. Without first they are just added; the last lows numbers have a low. */
struct sums {
    size_t width, lows;
    double *high, *low, *peaks;
    const double *first, *second;
};

#endif
