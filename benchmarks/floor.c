/* What every gradient pass has to do at least: read the rows once. With the widest loads that the processor has. */

#include <stddef.h>

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif
#define ABREAST 8 /* as many as hide the latency of a load, and fit into registers */

typedef long long vector __attribute__((vector_size(WIDTH), aligned(8), may_alias));

/* All bytes of x, in the order of memory, each fetched `ahead` bytes before; no prefetch if that is 0. `bytes` is a multiple of 8. */
long long read_once(const char *x, size_t bytes, size_t ahead)
{
    vector found[ABREAST] = {{0}};
    long long rest = 0;
    size_t i = 0;

    for (; i + ABREAST * WIDTH <= bytes; i += ABREAST * WIDTH) {
        if (ahead)
            for (size_t line = 0; line < ABREAST * WIDTH; line += 64)
                __builtin_prefetch(x + i + ahead + line, 0, 2);
        for (int k = 0; k < ABREAST; k++)
            found[k] ^= *(const vector *)(x + i + k * WIDTH);
    }
    for (; i + 8 <= bytes; i += 8)
        rest ^= *(const long long __attribute__((may_alias)) *)(x + i);
    for (int k = 1; k < ABREAST; k++)
        found[0] ^= found[k];
    for (int k = 0; k < WIDTH / 8; k++)
        rest ^= found[0][k];
    return rest;
}
