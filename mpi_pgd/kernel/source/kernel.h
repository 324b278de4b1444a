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

/* What is minimised over the unknowns: features are centred by their mean and divided by their scale; so many intercepts are free. */
struct objective {
    size_t features, outputs, free;
    const double *mean, *scale, *curvature;
};

struct kernel {
#define FUNCTION(type, name, arguments) type(*name) arguments;
#include "functions.def"
#undef FUNCTION
};

/* The table in use. */
extern const struct kernel *kernel;

#endif
