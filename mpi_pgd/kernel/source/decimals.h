/* Numbers as text. */

#ifndef DECIMALS_H
#define DECIMALS_H

#include <stddef.h>

#define LONGEST 24 /* characters of a number, as in -2.2250738585072014e-308 */

/* Numbers x (lines, rows) into out, as Python spells them: a line of text for each row, ended by \n, with commas between its numbers.
Returns how many characters that are; there has to be room for LONGEST + 1 of each number. One caller at a time. */
size_t decimals(const double *x, size_t lines, size_t rows, char *out);

#endif
