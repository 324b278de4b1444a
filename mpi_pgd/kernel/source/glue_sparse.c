/* Python's calls of what is done with sparse rows. */

#include "glue.h"

#include <string.h>

#define MOST 8

int arrays(const char *name, PyObject *const *given, Py_ssize_t count, Py_ssize_t expected, Py_ssize_t writable, Py_buffer *views) {
    if (!counted(name, count, expected)) return 0;
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyObject_GetBuffer(given[i], &views[i], PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (i >= writable ? PyBUF_WRITABLE : 0))) {
            while (i--) PyBuffer_Release(&views[i]);
            return 0;
        }
    return 1;
}

int is(const Py_buffer *view, const char *format) {
    return view->format && strcmp(view->format, format) == 0;
}

size_t length(const Py_buffer *view) {
    return view->itemsize ? (size_t)(view->len / view->itemsize) : 0;
}

int sparse(const Py_buffer views[3]) {
    const char *format = views[0].format;
    int real = format && strlen(format) == 1 && strchr("dfbBhHiIlLqQ?", format[0]);
    int whole = (is(&views[1], "H") || is(&views[1], "I")) && (is(&views[2], "l") || is(&views[2], "q"));
    size_t rows = length(&views[2]);
    return real && whole && rows && length(&views[0]) == length(&views[1]) &&
           ((const int64_t *)views[2].buf)[rows - 1] == (int64_t)length(&views[0]);
}

char kind(const Py_buffer *values) {
    char format = values->format[0];
    return format == 'q' ? 'l' : format == 'Q' ? 'L' : format == '?' ? 'B' : format;
}

static PyObject *done(const char *name, int good, Py_buffer views[MOST], Py_ssize_t count) {
    release(views, (int)count);
    if (good) return Py_NewRef(Py_None);
    if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "%s: the arrays are not of the types and lengths that are expected", name);
    return NULL;
}

static CALL(call_sparse_dot) {
    (void)module;
    Py_buffer views[MOST];
    if (!arrays("sparse_dot", arguments, count, 6, 5, views)) return NULL;
    size_t rows = length(&views[2]) - 1, size = length(&views[3]);
    int good = sparse(views) && is(&views[3], "I") && is(&views[4], "d") && is(&views[5], "d") && length(&views[5]) == rows;
    double *local = good ? PyMem_Malloc((size + 1) * sizeof(double)) : NULL;
    if (good && !local) PyErr_NoMemory();
    if (good && local) {
        const uint32_t *columns = views[3].buf;
        const double *w = views[4].buf;
        for (size_t i = 0; i < size; i++) local[i] = w[columns[i]];
        kernel->sparse_dot(kind(&views[0]), views[0].buf, is(&views[1], "H"), views[1].buf, views[2].buf, rows, local, views[5].buf);
    }
    PyMem_Free(local);
    return done("sparse_dot", good && local, views, count);
}

static CALL(call_sparse_tdot) {
    (void)module;
    Py_buffer views[MOST];
    if (!arrays("sparse_tdot", arguments, count, 5, 4, views)) return NULL;
    size_t rows = length(&views[2]) - 1;
    int good = sparse(views) && is(&views[3], "d") && is(&views[4], "d") && length(&views[3]) == rows;
    if (good) {
        memset(views[4].buf, 0, (size_t)views[4].len);
        kernel->sparse_tdot(kind(&views[0]), views[0].buf, is(&views[1], "H"), views[1].buf, views[2].buf, rows, views[3].buf,
                            views[4].buf);
    }
    return done("sparse_tdot", good, views, count);
}

static CALL(call_sparse_gram) {
    (void)module;
    Py_buffer views[MOST];
    PyObject *given[MOST];
    if (!counted("sparse_gram", count, 9)) return NULL;
    size_t features = PyLong_AsSize_t(arguments[4]);
    if (PyErr_Occurred()) return NULL;
    for (int i = 0; i < MOST; i++) given[i] = arguments[i + (i >= 4)];
    if (!arrays("sparse_gram", given, MOST, MOST, 7, views)) return NULL;
    size_t rows = length(&views[2]) - 1, size = length(&views[4]);
    int good = sparse(views) && is(&views[3], "I") && (size == features || size == features + 1);
    for (int i = 4; i < MOST; i++) good = good && is(&views[i], "d");
    good = good && length(&views[5]) == size && length(&views[6]) == rows && length(&views[7]) == size * (size + 1) / 2;
    double *sums = good ? PyMem_Calloc(size + 1, sizeof(double)) : NULL;
    if (good && !sums) PyErr_NoMemory();
    if (good && sums) {
        const double *h = views[6].buf;
        double *out = views[7].buf, whole = 0;
        for (size_t row = 0; row < rows; row++) whole += h[row];
        memset(out, 0, (size_t)views[7].len);
        kernel->sparse_gram(kind(&views[0]), views[0].buf, is(&views[1], "H"), views[1].buf, views[2].buf, rows, views[3].buf, size,
                            h, sums, out);
        if (size > features) { /* the column of ones */
            sums[features] = whole;
            for (size_t i = 0; i < size; i++) out[i * (2 * size - i - 1) / 2 + features] = sums[i];
        }
        kernel->centre_gram(views[4].buf, views[5].buf, sums, whole, size, out);
    }
    PyMem_Free(sums);
    return done("sparse_gram", good && sums, views, MOST);
}

static CALL(call_fold_at) {
    (void)module;
    Py_buffer views[MOST];
    PyObject *given[MOST];
    if (!counted("fold_at", count, 10)) return NULL;
    size_t start = PyLong_AsSize_t(arguments[2]), run = PyErr_Occurred() ? 0 : PyLong_AsSize_t(arguments[3]);
    size_t head = PyErr_Occurred() ? 0 : PyLong_AsSize_t(arguments[4]);
    double ratio = PyErr_Occurred() ? 0 : PyFloat_AsDouble(arguments[5]);
    if (PyErr_Occurred()) return NULL;
    for (int i = 0; i < 6; i++) given[i] = arguments[i < 2 ? i : i + 4];
    if (!arrays("fold_at", given, 6, 6, 3, views)) return NULL;
    size_t size = length(&views[0]), width = length(&views[4]), lows = length(&views[5]);
    int good = is(&views[1], "I") && length(&views[1]) == size && run && head % run == 0 && head <= width && lows <= width;
    for (int i = 0; i < 6; i++) good = good && (i == 1 || is(&views[i], "d"));
    for (int i = 2; i < 4; i++) good = good && length(&views[i]) == head / run + width - head;
    if (good)
        kernel->fold_at(views[0].buf, views[1].buf, size, start, run, head, width - lows, ratio, views[2].buf, views[3].buf,
                        views[4].buf, views[5].buf);
    return done("fold_at", good, views, 6);
}

PyMethodDef sparse_methods[] = {
    METHOD(sparse_dot, "X w of sparse rows."),
    METHOD(sparse_tdot, "X'slopes of sparse rows."),
    METHOD(sparse_gram, "Z'hZ of sparse rows."),
    METHOD(fold_at, "Numbers cut in two and added where they belong."),
    {NULL, NULL, 0, NULL},
};
