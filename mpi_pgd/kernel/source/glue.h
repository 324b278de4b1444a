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

/* The functions of each file of glue, ended by a NULL. */
extern PyMethodDef cut_methods[], elementary_methods[], matrix_methods[], peak_methods[], sparse_methods[], vector_methods[];

#endif
