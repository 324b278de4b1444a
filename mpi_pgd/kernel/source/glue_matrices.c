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

/* Of float64, its lines so many numbers apart. */
struct matrix {
    const double *numbers;
    size_t count;
    ptrdiff_t stride;
};

/* The next argument: an array of one of these types (NULL: of any), of so many dimensions (0: one or two), whose lines have no gaps; else an exception is set. */
static Py_buffer *next(struct given *given, const char *types, int dimensions, int flags) {
    Py_buffer *view = given->views + given->count;
    if (PyObject_GetBuffer(given->arguments[given->count], view, PyBUF_FORMAT | flags)) return NULL;
    given->count++;
    const char *type = view->format ? view->format : "B";
    if (types && (strlen(type) != 1 || !strchr(types, *type)))
        PyErr_Format(PyExc_TypeError, "%s: argument %d is an array of %s", given->name, given->count, type);
    else if (dimensions ? view->ndim != dimensions : view->ndim < 1 || view->ndim > 2)
        PyErr_Format(PyExc_ValueError, "%s: argument %d has %d dimensions", given->name, given->count, view->ndim);
    else if (view->ndim == 2 && view->shape[1] > 1 && view->strides && view->strides[1] != view->itemsize)
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

static int taken_matrix(struct given *given, struct matrix *matrix) {
    Py_buffer *x = next(given, "d", 2, PyBUF_STRIDES);
    if (!x) return 0;
    *matrix = (struct matrix){x->buf, (size_t)x->shape[0], x->strides[0] / (Py_ssize_t)sizeof(double)};
    return 1;
}

static int taken_rows(struct given *given, struct block *rows) {
    Py_buffer *x = next(given, NULL, 2, PyBUF_STRIDES);
    return x && rows_in(x, "", rows);
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
    struct block x = {0};
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
    struct block x = {0};
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

static int taken_square(struct given *given, struct matrix *rows) {
    return taken_matrix(given, rows) && fits(given, (size_t)given->views[given->count - 1].shape[1] == rows->count);
}

/* Whether what a function did could be done: 1, 0, or -1 where there was no memory. */
static PyObject *told(struct given *given, int done) {
    PyObject *none = ended(given, done >= 0);
    if (!none) return NULL;
    Py_DECREF(none);
    return PyBool_FromLong(done);
}

static size_t lines_of(const Py_buffer *view) {
    return view->ndim == 2 ? (size_t)view->shape[0] : 1;
}

/* Whether one array has lines so long, and the other one as many, of their length. */
static int as_lines(const Py_buffer *x, size_t length, const Py_buffer *out, size_t other) {
    return x->ndim == out->ndim && lines_of(x) == lines_of(out) && (size_t)x->shape[x->ndim - 1] == length &&
           (size_t)out->shape[out->ndim - 1] == other;
}

static CALL(call_matvec) {
    (void)module;
    if (!counted("matvec", count, 3)) return NULL;
    struct given given = {.name = "matvec", .arguments = arguments};
    struct matrix a;
    if (!taken_matrix(&given, &a)) return ended(&given, 0);
    size_t columns = (size_t)given.views[0].shape[1];
    Py_buffer *x = next(&given, "d", 0, PyBUF_C_CONTIGUOUS), *out = x ? next(&given, "d", 0, WRITTEN) : NULL;
    if (!out || !fits(&given, as_lines(x, columns, out, a.count))) return ended(&given, 0);
    kernel->matvec(a.numbers, a.stride, a.count, columns, x->buf, lines_of(x), out->buf);
    return ended(&given, 1);
}

static CALL(call_vecmat) {
    (void)module;
    if (!counted("vecmat", count, 3)) return NULL;
    struct given given = {.name = "vecmat", .arguments = arguments};
    struct matrix a;
    Py_buffer *x = next(&given, "d", 0, PyBUF_C_CONTIGUOUS);
    if (!x || !taken_matrix(&given, &a)) return ended(&given, 0);
    size_t columns = (size_t)given.views[1].shape[1];
    Py_buffer *out = next(&given, "d", 0, WRITTEN);
    if (!out || !fits(&given, as_lines(x, a.count, out, columns))) return ended(&given, 0);
    kernel->vecmat(x->buf, lines_of(x), a.numbers, a.stride, a.count, columns, out->buf);
    return ended(&given, 1);
}

static PyObject *squared(const char *name, PyObject *const *arguments, Py_ssize_t count,
                         int (*function)(const double *, ptrdiff_t, size_t, double *)) {
    if (!counted(name, count, 2)) return NULL;
    struct given given = {.name = name, .arguments = arguments};
    struct matrix a;
    if (!taken_square(&given, &a)) return ended(&given, 0);
    Py_buffer *out = next(&given, "d", 2, WRITTEN);
    if (!out || !fits(&given, (size_t)out->shape[0] == a.count && (size_t)out->shape[1] == a.count)) return ended(&given, 0);
    int done;
    Py_BEGIN_ALLOW_THREADS;
    done = function(a.numbers, a.stride, a.count, out->buf);
    Py_END_ALLOW_THREADS;
    return told(&given, done);
}

static CALL(call_cholesky) {
    (void)module;
    return squared("cholesky", arguments, count, kernel->cholesky);
}

static CALL(call_inverse) {
    (void)module;
    return squared("inverse", arguments, count, kernel->inverse);
}

static CALL(call_solve) {
    (void)module;
    if (!counted("solve", count, 3)) return NULL;
    struct given given = {.name = "solve", .arguments = arguments};
    struct matrix a;
    if (!taken_square(&given, &a)) return ended(&given, 0);
    Py_buffer *b = next(&given, "d", 1, PyBUF_C_CONTIGUOUS), *out = b ? next(&given, "d", 1, WRITTEN) : NULL;
    if (!out || !fits(&given, (size_t)b->shape[0] == a.count && (size_t)out->shape[0] == a.count)) return ended(&given, 0);
    return told(&given, kernel->solve(a.numbers, a.stride, a.count, b->buf, out->buf));
}

static CALL(call_largest) {
    (void)module;
    if (!counted("largest", count, 1)) return NULL;
    struct given given = {.name = "largest", .arguments = arguments};
    struct matrix a;
    double found;
    if (!taken_square(&given, &a)) return ended(&given, 0);
    PyObject *none = ended(&given, kernel->largest(a.numbers, a.stride, a.count, &found) == 1);
    if (!none) return NULL;
    Py_DECREF(none);
    return PyFloat_FromDouble(found);
}

PyMethodDef matrix_methods[] = {
    METHOD(gram, "The upper triangles of Z'hZ, Z scaled columns of rows."),
    METHOD(cross, "L'hR, L and R scaled columns of rows."),
    METHOD(matvec, "Each line of x times a transposed."),
    METHOD(vecmat, "Each line of x times a."),
    METHOD(cholesky, "The lower triangle of a symmetric matrix; whether it is positive definite."),
    METHOD(inverse, "Of a lower triangle."),
    METHOD(solve, "a x = b, a symmetric; whether it is positive definite."),
    METHOD(largest, "The largest eigenvalue of a symmetric matrix."),
    {NULL, NULL, 0, NULL},
};
