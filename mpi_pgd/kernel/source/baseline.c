/* What every processor of the architecture has: SSE2 of x86-64, NEON of aarch64. */

#define NAME baseline
#define WIDTH 2
#include "all.inc"
