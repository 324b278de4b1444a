/* Rows as Python holds them: the arrays that they lie in, and their products. */

#include "glue.h"

#include <string.h>

static PyTypeObject *rows_type;
static PyObject *handle_name;

struct handle *handle_of(PyObject *block) {
    PyObject *found = PyObject_GetAttr(block, handle_name);
    if (!found) return NULL;
    int has = PyObject_TypeCheck(found, rows_type);
    if (!has && found != Py_None) PyErr_SetString(PyExc_TypeError, "the block has a handle of another kernel");
    Py_DECREF(found); /* the block holds it */
    return has ? (struct handle *)found : NULL;
}

/* The next array of a handle; a line of so many numbers at least. */
static const double *line_of(struct handle *handle, PyObject *array, const char *what) {
    Py_buffer *view = handle->views + handle->held;
    if (!numbers(array, view, 0)) return NULL;
    handle->held++;
    if ((size_t)view->len == handle->rows.count * sizeof(double)) return view->buf;
    PyErr_Format(PyExc_ValueError, "%s: expected one number a row", what);
    return NULL;
}

int beside(struct handle *handle, PyObject *y, PyObject *weights, PyObject *offset) {
    struct block *rows = &handle->rows;
    struct lines targets;
    if (!taken_lines(y, handle->views + handle->held, &targets, 0)) return 0;
    handle->held++;
    rows->y = targets.at, rows->targets = targets.count, rows->line = targets.line;
    if (targets.length != rows->count) {
        PyErr_SetString(PyExc_ValueError, "y: expected one number a row");
        return 0;
    }
    if (weights != Py_None && !(rows->weights = line_of(handle, weights, "weights"))) return 0;
    return offset == Py_None || (rows->offset = line_of(handle, offset, "offset"));
}

/* The kind of numbers of an array whose buffer says so. */
static int stored_as(const Py_buffer *view, const char *name, enum stored *found) {
    const char *letter = view->format ? view->format : "B";
    if (strcmp(letter, "?") == 0) letter = "B";
    if (strcmp(letter, "q") == 0) letter = "l";
    if (strcmp(letter, "Q") == 0) letter = "L";
#define KIND(kind, element, code)                                                                                   \
    if (*name ? strcmp(name, #kind) == 0 && view->itemsize == sizeof(element) : letter[0] == code && !letter[1]) { \
        *found = STORED_##kind;                                                                                     \
        return 1;                                                                                                   \
    }
    STORED(KIND)
#undef KIND
    PyErr_Format(PyExc_TypeError, "rows of %s numbers: expected real ones of 1 to 8 bytes", *name ? name : letter);
    return 0;
}

int rows_in(const Py_buffer *view, const char *name, struct block *rows) {
    if (view->ndim != 2 || (view->shape[1] > 1 && view->strides[1] != view->itemsize)) {
        PyErr_SetString(PyExc_ValueError, "rows: expected a matrix whose rows are contiguous");
        return 0;
    }
    rows->x = view->buf, rows->stride = view->strides[0];
    rows->count = (size_t)view->shape[0], rows->features = (size_t)view->shape[1];
    return stored_as(view, name, &rows->stored);
}

static int dense(struct handle *handle, PyObject *x, const char *name) {
    if (PyObject_GetBuffer(x, handle->views, PyBUF_FORMAT | PyBUF_STRIDES)) return 0;
    handle->held = 1;
    return rows_in(handle->views, name, &handle->rows);
}

static PyObject *made(PyTypeObject *type, PyObject *arguments, PyObject *words) {
    PyObject *x, *y, *weights, *offset;
    const char *name = "";
    if (words && PyDict_Size(words)) {
        PyErr_SetString(PyExc_TypeError, "Handle takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOO|s", &x, &y, &weights, &offset, &name)) return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct handle *handle = (struct handle *)allocate(type, 0);
    if (handle && dense(handle, x, name) && beside(handle, y, weights, offset)) return (PyObject *)handle;
    Py_XDECREF((PyObject *)handle);
    return NULL;
}

static void freed(PyObject *self) {
    struct handle *handle = (struct handle *)self;
    PyTypeObject *type = Py_TYPE(self);
    release(handle->views, handle->held);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);
    give_back(self);
    Py_DECREF(type);
}

typedef void Product(const struct block *rows, const struct lines *given, const struct lines *out);

static PyObject *product(Product *function, PyObject *self, PyObject *const *arguments, Py_ssize_t count, int turned) {
    const struct block *rows = &((struct handle *)self)->rows;
    Py_buffer views[2];
    struct lines given, out;
    if (!counted("a product", count, 2) || !taken_lines(arguments[0], views, &given, 0)) return NULL;
    if (!taken_lines(arguments[1], views + 1, &out, 1)) {
        release(views, 1);
        return NULL;
    }
    size_t wanted = turned ? rows->count : rows->features, found = turned ? rows->features : rows->count;
    int fits = given.count == out.count && given.length == wanted && out.length == found;
    if (fits) function(rows, &given, &out);
    release(views, 2);
    if (fits) return Py_NewRef(Py_None);
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit the rows");
    return NULL;
}

static PyObject *call_dot(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    return product(kernel->dots, self, arguments, count, 0);
}

static PyObject *call_tdot(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    return product(kernel->tdots, self, arguments, count, 1);
}

static PyObject *call_moments(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    const struct block *rows = &((struct handle *)self)->rows;
    Py_buffer views[5];
    int fits = 1;
    if (!counted("moments", count, 5)) return NULL;
    for (int i = 0; i < 5; i++) {
        if (!numbers(arguments[i], views + i, i > 1)) {
            release(views, i);
            return NULL;
        }
        fits &= length(views + i) == rows->features;
    }
    if (fits) kernel->moments(rows, views[0].buf, views[1].buf, views[2].buf, views[3].buf, views[4].buf);
    release(views, 5);
    if (fits) return Py_NewRef(Py_None);
    PyErr_SetString(PyExc_ValueError, "the arrays do not fit the rows");
    return NULL;
}

#define call_dots call_dot
#define call_tdots call_tdot

static PyMethodDef methods[] = {
    METHOD(dot, "X w, into out."),
    METHOD(tdot, "X'slopes, into out."),
    METHOD(moments, "Sums of columns in a unit about a point, and of their squares; raise the peaks."),
    METHOD(dots, "X w for each w, into the lines of out."),
    METHOD(tdots, "X'slopes for each line of slopes, into the lines of out."),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Handle(x, y, weights, offset, stored=''): what is in these arrays, not copied."},
    {Py_tp_new, (void *)made},
    {Py_tp_dealloc, (void *)freed},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"mpi_pgd.kernel.native.Handle", sizeof(struct handle), 0, Py_TPFLAGS_DEFAULT, slots};

int add_rows(PyObject *module) {
    handle_name = PyUnicode_InternFromString("handle");
    PyObject *type = handle_name ? PyType_FromSpec(&spec) : NULL;
    rows_type = (PyTypeObject *)type;
    return type ? PyModule_AddType(module, rows_type) : -1;
}
