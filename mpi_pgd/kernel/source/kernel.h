/* What is compiled for each instruction set: the functions of functions.def, in one table a set. */

#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "rows.h"

/* Which columns of rows of so many features, and by what they are centred and scaled: (x - mean) inverse. The place after the last
feature is that of a column of ones. Without places: the first ones. */
struct columns {
    const int64_t *places;
    size_t count, features;
    const double *mean, *inverse;
};

struct kernel {
#define FUNCTION(type, name, arguments) type(*name) arguments;
#include "functions.def"
#undef FUNCTION
};

/* The table in use. */
extern const struct kernel *kernel;

#endif
