/* Python's calls of what is done with sums, and the arrays in which they lie. */

#include "glue.h"

void release(Py_buffer *views, int count) {
    for (int i = 0; i < count; i++) PyBuffer_Release(views + i);
}

int taken_lines(PyObject *array, Py_buffer *view, struct lines *found, int writable) {
    if (!lines(array, view, writable)) return 0;
    int last = view->ndim - 1;
    if ((last == 0 || last == 1) && (view->shape[last] <= 1 || view->strides[last] == sizeof(double)) &&
        (last == 0 || view->strides[0] % (Py_ssize_t)sizeof(double) == 0)) {
        found->at = view->buf;
        found->count = last ? (size_t)view->shape[0] : 1;
        found->length = (size_t)view->shape[last];
        found->line = last ? view->strides[0] / (Py_ssize_t)sizeof(double) : 0;
        return 1;
    }
    PyErr_SetString(PyExc_ValueError, "expected numbers in one line or in several, each of them contiguous");
    PyBuffer_Release(view);
    return 0;
}

int sums_of(PyObject *const *arrays, Py_buffer views[5], struct sums *sums) {
    double *at[5];
    size_t lengths[5];
    for (int i = 0; i < 5; i++) {
        if (!numbers(arrays[i], views + i, i < 3)) {
            release(views, i);
            return 0;
        }
        lengths[i] = (size_t)views[i].len / sizeof(double);
        at[i] = lengths[i] ? views[i].buf : NULL;
    }
    size_t width = lengths[0], lows = lengths[1];
    *sums = (struct sums){width, lows, at[0], at[1], at[2], at[3], at[4]};
    if (!lengths[3] && !lows) return 1;
    if (lengths[2] == width && lengths[3] >= width && lows <= width && (!lows || lengths[4] >= width)) return 1;
    PyErr_SetString(PyExc_ValueError, "the arrays of sums are not of one length");
    release(views, 5);
    return 0;
}

static CALL(call_fold) {
    (void)module;
    Py_buffer vectors, views[5];
    struct lines given;
    struct sums sums;
    if (!counted("fold", count, 6) || !taken_lines(arguments[0], &vectors, &given, 0)) return NULL;
    if (!sums_of(arguments + 1, views, &sums)) {
        PyBuffer_Release(&vectors);
        return NULL;
    }
    int fits = given.length >= sums.width;
    for (size_t i = 0; fits && i < given.count; i++) kernel->fold(&sums, given.at + (ptrdiff_t)i * given.line);
    release(views, 5);
    PyBuffer_Release(&vectors);
    if (fits) return Py_NewRef(Py_None);
    PyErr_SetString(PyExc_ValueError, "fold: vectors are shorter than the sums");
    return NULL;
}

static CALL(call_totals) {
    (void)module;
    Py_buffer views[3];
    struct lines given, out;
    if (!counted("totals", count, 3) || !taken_lines(arguments[0], views, &given, 0)) return NULL;
    if (!numbers(arguments[1], views + 1, 0)) {
        release(views, 1);
        return NULL;
    }
    if (!taken_lines(arguments[2], views + 2, &out, 1)) {
        release(views, 2);
        return NULL;
    }
    int fits = given.length * sizeof(double) == (size_t)views[1].len && out.count == 1 && out.length == given.count;
    for (size_t i = 0; fits && i < given.count; i++)
        out.at[i] = kernel->dot(given.at + (ptrdiff_t)i * given.line, views[1].buf, given.length);
    release(views, 3);
    if (fits) return Py_NewRef(Py_None);
    PyErr_SetString(PyExc_ValueError, "totals: the arrays do not fit each other");
    return NULL;
}

PyMethodDef sum_methods[] = {
    METHOD(fold, "Vectors, line by line, into high, low and peaks; first and second are what they are cut against."),
    METHOD(totals, "The product of each line with the same weights."),
    {NULL, NULL, 0, NULL},
};
