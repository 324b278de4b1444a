/* What the functions that Python calls share: the stable ABI of 3.11, arrays by the buffer protocol. */

#ifndef GLUE_H
#define GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernel.h"

#define CALL(name) PyObject *name(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
#define METHOD(name, text) {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, text}

/* Whether so many arguments were given; else an exception is set. */
int counted(const char *name, Py_ssize_t count, Py_ssize_t expected);

/* A contiguous array of float64, of any shape; else an exception is set, and it is 0. To be released. */
int numbers(PyObject *array, Py_buffer *view, int writable);

/* As numbers, but strides may be any. */
int lines(PyObject *array, Py_buffer *view, int writable);

/* Contiguous numbers in one line, or in several that lie apart alike; else an exception is set, and it is 0. To be released. */
int taken_lines(PyObject *array, Py_buffer *view, struct lines *found, int writable);

/* Where sums go, from five arrays: high, low, peaks, first, second, see engine/partial.py; else an exception is set, and it is 0. */
int sums_of(PyObject *const *arrays, Py_buffer views[5], struct sums *sums);
void release(Py_buffer *views, int count);

/* Rows, of whatever kind: what Python holds. The arrays are released with it. */
#define ARRAYS 8
struct handle {
    PyObject_HEAD
    struct block rows;
    Py_buffer views[ARRAYS];
    int held;
};

/* The rows of a matrix whose numbers are of the kind that its buffer or the name says; else an exception is set, and it is 0. */
int rows_in(const Py_buffer *view, const char *name, struct block *rows);

/* The handle of a block, which holds it; NULL if it has none, or an exception is set. */
struct handle *handle_of(PyObject *block);

/* What belongs to rows, of which so many are expected, into a handle; arrays may be None. */
int beside(struct handle *handle, PyObject *y, PyObject *weights, PyObject *offset);

/* So many contiguous arrays, of which the ones from `writable` on are written to; else an exception is set, and it is 0. */
int arrays(const char *name, PyObject *const *given, Py_ssize_t count, Py_ssize_t expected, Py_ssize_t writable, Py_buffer *views);
int is(const Py_buffer *view, const char *format);
size_t length(const Py_buffer *view);

/* Of values, indices and starts of sparse rows: whether they are of types that are known, and of one length; the values' kind. */
int sparse(const Py_buffer views[3]);
char kind(const Py_buffer *values);

/* The types, into the module; -1 if that fails. */
int add_rows(PyObject *module);
int add_gradient(PyObject *module);

/* The functions of each file of glue, ended by a NULL. */
extern PyMethodDef cut_methods[], elementary_methods[], gradient_methods[], matrix_methods[], peak_methods[], round_methods[], sparse_methods[],
    sum_methods[], text_methods[], vector_methods[];

#endif
