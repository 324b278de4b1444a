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

/* x, y and out, to be released if it is 1. */
static int three(const char *name, PyObject *const *arguments, Py_ssize_t count, Py_buffer view[3]) {
    int taken = 0;
    if (counted(name, count, 3))
        while (taken < 3 && numbers(arguments[taken], view + taken, taken == 2)) taken++;
    if (taken == 3) return 1;
    while (taken) PyBuffer_Release(view + --taken);
    return 0;
}

static PyObject *ended(int alike, const char *message, Py_buffer view[3]) {
    for (int i = 0; i < 3; i++) PyBuffer_Release(view + i);
    if (alike) return Py_NewRef(Py_None);
    PyErr_SetString(PyExc_ValueError, message);
    return NULL;
}

static CALL(call_dots) {
    (void)module;
    Py_buffer view[3];
    if (!three("dots", arguments, count, view)) return NULL;
    const double *x = view[0].buf, *y = view[1].buf;
    double *out = view[2].buf;
    size_t lines = (size_t)view[2].len / sizeof(double), size = lines ? (size_t)view[0].len / sizeof(double) / lines : 0;
    int alike = view[0].len == view[1].len && (size_t)view[0].len == lines * size * sizeof(double);
    for (size_t i = 0; alike && i < lines; i++) out[i] = kernel->dot(x + i * size, y + i * size, size);
    return ended(alike, "dots: expected two arrays of as many lines as the third has numbers", view);
}

static CALL(call_hypot) {
    (void)module;
    Py_buffer view[3];
    if (!three("hypot", arguments, count, view)) return NULL;
    int alike = view[0].len == view[1].len && view[0].len == view[2].len;
    if (alike) kernel->hypot_of(view[0].buf, view[1].buf, view[2].buf, (size_t)view[0].len / sizeof(double));
    return ended(alike, "hypot: the arrays are not of one length", view);
}

PyMethodDef vector_methods[] = {
    METHOD(dot, "x'y of two arrays of float64."),
    METHOD(dots, "x'y of each two lines of two arrays of float64, into a third one."),
    METHOD(hypot, "(x^2 + y^2)^(1/2) of each two numbers, into out."),
    {NULL, NULL, 0, NULL},
};
