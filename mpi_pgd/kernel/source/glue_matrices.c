/* Python's calls of what is done with matrices. */

#include "glue.h"

#include <string.h>

/* The arrays that a call was given, to be released together. */
struct given {
    const char *name;
    PyObject *const *arguments;
    Py_buffer views[7];
    int count;
};

static PyObject *ended(struct given *given, int done) {
    for (int i = 0; i < given->count; i++) PyBuffer_Release(given->views + i);
    if (!done && !PyErr_Occurred()) PyErr_NoMemory();
    return done ? Py_NewRef(Py_None) : NULL;
}

/* The next argument: an array of a type, of so many dimensions, whose lines have no gaps; else an exception is set. */
static Py_buffer *next(struct given *given, const char *types, int dimensions, int flags) {
    Py_buffer *view = given->views + given->count;
    if (PyObject_GetBuffer(given->arguments[given->count], view, PyBUF_FORMAT | flags)) return NULL;
    given->count++;
    const char *type = view->format ? view->format : "B";
    if (strlen(type) != 1 || !strchr(types, *type))
        PyErr_Format(PyExc_TypeError, "%s: argument %d is an array of %s", given->name, given->count, type);
    else if (view->ndim != dimensions)
        PyErr_Format(PyExc_ValueError, "%s: argument %d has %d dimensions", given->name, given->count, view->ndim);
    else if (dimensions == 2 && view->shape[1] > 1 && view->strides && view->strides[1] != view->itemsize)
        PyErr_Format(PyExc_ValueError, "%s: the lines of argument %d have gaps", given->name, given->count);
    else
        return view;
    return NULL;
}

#define WRITTEN (PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
#define INTEGERS "lq"

static int fits(const struct given *given, int right) {
    if (!right) PyErr_Format(PyExc_ValueError, "%s: the shapes of the arrays don't go together", given->name);
    return right;
}

static int taken_rows(struct given *given, struct rows *rows) {
    Py_buffer *x = next(given, "d", 2, PyBUF_STRIDES);
    if (!x) return 0;
    *rows = (struct rows){x->buf, (size_t)x->shape[0], x->strides[0] / (Py_ssize_t)sizeof(double)};
    return 1;
}

/* Places of columns, each of them there, or None: all. How many there are is not known then. */
static int taken_places(struct given *given, struct columns *columns, size_t features) {
    columns->features = features;
    if (given->arguments[given->count] == Py_None) {
        memset(given->views + given->count++, 0, sizeof(Py_buffer));
        columns->places = NULL;
        return 1;
    }
    Py_buffer *places = next(given, INTEGERS, 1, PyBUF_C_CONTIGUOUS);
    if (!places || !fits(given, places->itemsize == sizeof(int64_t))) return 0;
    columns->places = places->buf;
    columns->count = (size_t)places->shape[0];
    for (size_t i = 0; i < columns->count; i++)
        if (columns->places[i] < 0 || (size_t)columns->places[i] > features) return fits(given, 0);
    return 1;
}

/* Means and inverses of the scales: of each feature, and perhaps those of the ones. */
static int taken_scales(struct given *given, struct columns *columns) {
    Py_buffer *mean = next(given, "d", 1, PyBUF_C_CONTIGUOUS), *inverse = mean ? next(given, "d", 1, PyBUF_C_CONTIGUOUS) : NULL;
    if (!inverse) return 0;
    size_t known = (size_t)mean->shape[0];
    columns->mean = mean->buf;
    columns->inverse = inverse->buf;
    if (!columns->places) columns->count = known;
    return fits(given, inverse->shape[0] == mean->shape[0] && known >= columns->features && known <= columns->features + 1);
}

static CALL(call_gram) {
    (void)module;
    if (!counted("gram", count, 6)) return NULL;
    struct given given = {.name = "gram", .arguments = arguments};
    struct rows x;
    struct columns of;
    if (!taken_rows(&given, &x) || !taken_places(&given, &of, (size_t)given.views[0].shape[1]) || !taken_scales(&given, &of))
        return ended(&given, 0);
    Py_buffer *h = next(&given, "d", 2, PyBUF_STRIDES), *out = h ? next(&given, "d", 2, WRITTEN) : NULL;
    if (!out || !fits(&given, (size_t)h->shape[1] == x.count && out->shape[0] == h->shape[0] &&
                                  (size_t)out->shape[1] == of.count * (of.count + 1) / 2))
        return ended(&given, 0);
    int done;
    Py_BEGIN_ALLOW_THREADS;
    done = kernel->gram(&x, &of, h->buf, h->strides[0] / (Py_ssize_t)sizeof(double), (size_t)h->shape[0], out->buf);
    Py_END_ALLOW_THREADS;
    return ended(&given, done);
}

static CALL(call_cross) {
    (void)module;
    if (!counted("cross", count, 7)) return NULL;
    struct given given = {.name = "cross", .arguments = arguments};
    struct rows x;
    struct columns left, right;
    if (!taken_rows(&given, &x) || !taken_places(&given, &left, (size_t)given.views[0].shape[1]) ||
        !taken_places(&given, &right, (size_t)given.views[0].shape[1]) || !taken_scales(&given, &right))
        return ended(&given, 0);
    left.mean = right.mean;
    left.inverse = right.inverse;
    if (!left.places) left.count = (size_t)given.views[3].shape[0];
    Py_buffer *h = next(&given, "d", 1, PyBUF_C_CONTIGUOUS), *out = h ? next(&given, "d", 2, WRITTEN) : NULL;
    if (!out || !fits(&given, (size_t)h->shape[0] == x.count && (size_t)out->shape[0] == left.count &&
                                  (size_t)out->shape[1] == right.count))
        return ended(&given, 0);
    int done;
    Py_BEGIN_ALLOW_THREADS;
    done = kernel->cross(&x, &left, &right, h->buf, out->buf);
    Py_END_ALLOW_THREADS;
    return ended(&given, done);
}

PyMethodDef matrix_methods[] = {
    METHOD(gram, "The upper triangles of Z'hZ, Z scaled columns of rows."),
    METHOD(cross, "L'hR, L and R scaled columns of rows."),
    {NULL, NULL, 0, NULL},
};
