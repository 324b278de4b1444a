/* What is compiled for each instruction set: the functions of functions.def, in one table a set. */

#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

struct kernel {
#define FUNCTION(type, name, arguments) type(*name) arguments;
#include "functions.def"
#undef FUNCTION
};

/* The table in use. */
extern const struct kernel *kernel;

#endif
