/* Python's calls of what is done with vectors. */

#include "glue.h"

static CALL(call_dot) {
    (void)module;
    Py_buffer x, y;
    if (!counted("dot", count, 2) || !numbers(arguments[0], &x, 0)) return NULL;
    if (!numbers(arguments[1], &y, 0)) {
        PyBuffer_Release(&x);
        return NULL;
    }
    PyObject *found = NULL;
    if (x.len == y.len)
        found = PyFloat_FromDouble(kernel->dot(x.buf, y.buf, (size_t)x.len / sizeof(double)));
    else
        PyErr_SetString(PyExc_ValueError, "dot: the arrays are not of one length");
    PyBuffer_Release(&x);
    PyBuffer_Release(&y);
    return found;
}

PyMethodDef vector_methods[] = {METHOD(dot, "x'y of two arrays of float64."), {NULL, NULL, 0, NULL}};
