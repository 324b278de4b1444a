/* Python's call of peaks. */

#include "glue.h"

static int raised(const Py_buffer *x, const Py_buffer *out) {
    const char *letter = x->format ? x->format : "B";
    size_t columns = x->ndim == 2 ? (size_t)x->shape[1] : 0, least = (size_t)x->itemsize;
    if (!columns || (size_t)out->len != columns * sizeof(double) || (size_t)x->buf % least) {
        PyErr_SetString(PyExc_ValueError, "peaks: expected aligned rows of some columns, and a number for each of these");
        return 0;
    }
    int known = letter[1] == 0;
    Py_BEGIN_ALLOW_THREADS
    known = known && kernel->peaks(letter[0], x->buf, (size_t)x->shape[0], columns, out->buf);
    Py_END_ALLOW_THREADS
    if (!known) PyErr_Format(PyExc_TypeError, "an array of %s: expected real numbers", letter);
    return known;
}

static CALL(call_peaks) {
    (void)module;
    Py_buffer x, out;
    if (!counted("peaks", count, 2) || PyObject_GetBuffer(arguments[0], &x, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS)) return NULL;
    if (!numbers(arguments[1], &out, 1)) {
        PyBuffer_Release(&x);
        return NULL;
    }
    int done = raised(&x, &out);
    PyBuffer_Release(&x);
    PyBuffer_Release(&out);
    return done ? Py_NewRef(Py_None) : NULL;
}

PyMethodDef peak_methods[] = {METHOD(peaks, "Raise numbers to the largest magnitudes in columns."), {NULL, NULL, 0, NULL}};
