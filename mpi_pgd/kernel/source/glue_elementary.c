/* Python's calls of the elementary functions. */

#include "glue.h"

typedef void Function(const double *x, double *out, size_t count);

/* Each line of x into that of out: of one shape, contiguous, or in two dimensions with contiguous lines. */
static int mapped(Function *function, const Py_buffer *x, const Py_buffer *out) {
    int alike = x->ndim == out->ndim;
    for (int i = 0; alike && i < x->ndim; i++) alike = x->shape[i] == out->shape[i];
    if (alike && PyBuffer_IsContiguous(x, 'C') && PyBuffer_IsContiguous(out, 'C')) {
        function(x->buf, out->buf, (size_t)x->len / sizeof(double));
        return 1;
    }
    if (alike && x->ndim == 2 && x->strides[1] == sizeof(double) && out->strides[1] == sizeof(double)) {
        for (Py_ssize_t i = 0; i < x->shape[0]; i++)
            function((const double *)((const char *)x->buf + i * x->strides[0]), (double *)((char *)out->buf + i * out->strides[0]),
                     (size_t)x->shape[1]);
        return 1;
    }
    PyErr_SetString(PyExc_ValueError, "expected two arrays of one shape, each with contiguous lines");
    return 0;
}

static PyObject *called(const char *name, Function *function, PyObject *const *arguments, Py_ssize_t count) {
    Py_buffer x, out;
    if (!counted(name, count, 2) || !lines(arguments[0], &x, 0)) return NULL;
    if (!lines(arguments[1], &out, 1)) {
        PyBuffer_Release(&x);
        return NULL;
    }
    int done = mapped(function, &x, &out);
    PyBuffer_Release(&x);
    PyBuffer_Release(&out);
    return done ? Py_NewRef(Py_None) : NULL;
}

#define ELEMENTARY(name) \
    static CALL(call_##name) { \
        (void)module; \
        return called(#name, kernel->name##_of, arguments, count); \
    }

ELEMENTARY(exp)
ELEMENTARY(expm1)
ELEMENTARY(log)
ELEMENTARY(log1p)

PyMethodDef elementary_methods[] = {
    METHOD(exp, "e^x of each number of x, into out."),
    METHOD(expm1, "e^x - 1 of each number of x, into out."),
    METHOD(log, "log x of each number of x, into out."),
    METHOD(log1p, "log(1 + x) of each number of x, into out."),
    {NULL, NULL, 0, NULL},
};
