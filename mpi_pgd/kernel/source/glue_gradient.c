/* The gradient at a point, of one block or of all that a rank holds. */

#include "glue.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1024 /* threads */

static Py_ssize_t threads = 1;

struct gradient {
    PyObject_HEAD
    struct descent descent;
    size_t features;
    Py_buffer point;
    double *room; /* of each thread */
    Py_ssize_t rooms;
};

static int loss_of(const char *name, enum loss *found) {
#define LOSS(loss)                    \
    if (strcmp(name, #loss) == 0) {   \
        *found = LOSS_##loss;         \
        return 1;                     \
    }
#include "losses.def"
#undef LOSS
    PyErr_Format(PyExc_ValueError, "there is no loss %s", name);
    return 0;
}

static int parameters_of(PyObject *given, double parameters[4]) {
    Py_ssize_t count = PyTuple_Size(given);
    if (count > 4) PyErr_SetString(PyExc_ValueError, "expected up to four parameters");
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++) parameters[i] = PyFloat_AsDouble(PyTuple_GetItem(given, i));
    return !PyErr_Occurred();
}

static PyObject *made(PyTypeObject *type, PyObject *arguments, PyObject *words) {
    const char *name;
    PyObject *parameters, *point;
    Py_ssize_t features, outputs;
    (void)words;
    if (!PyArg_ParseTuple(arguments, "sOnnO", &name, &parameters, &features, &outputs, &point)) return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct gradient *self = (struct gradient *)allocate(type, 0);
    if (!self) return NULL;
    struct descent *descent = &self->descent;
    if (!loss_of(name, &descent->loss) || !parameters_of(parameters, descent->parameters)) goto failed;
    if (features < 0 || outputs < 1 || outputs > 1 << 20) {
        PyErr_SetString(PyExc_ValueError, "expected some outputs");
        goto failed;
    }
    self->rooms = threads, self->features = (size_t)features, descent->outputs = (size_t)outputs;
    self->room = malloc((size_t)threads * ROOM(descent->outputs) * sizeof(double));
    if (!self->room) {
        PyErr_NoMemory();
        goto failed;
    }
    Py_buffer view;
    if (!numbers(point, &view, 0)) goto failed;
    self->point = view, descent->point = view.buf;
    if ((size_t)view.len / sizeof(double) >= (self->features + 1) * descent->outputs) return (PyObject *)self;
    PyErr_SetString(PyExc_ValueError, "the point has too few numbers");
failed:
    Py_DECREF(self);
    return NULL;
}

static void freed(PyObject *object) {
    struct gradient *self = (struct gradient *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->descent.point) PyBuffer_Release(&self->point);
    free(self->room);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);
    give_back(object);
    Py_DECREF(type);
}

/* The rows of a block, if they fit; NULL if it has no handle, or an exception is set. */
static const struct block *rows_of(const struct gradient *self, PyObject *block) {
    struct handle *handle = handle_of(block);
    if (!handle) return NULL;
    if (handle->rows.features == self->features && handle->rows.targets <= self->descent.outputs) return &handle->rows;
    PyErr_SetString(PyExc_ValueError, "the rows do not fit the point");
    return NULL;
}

static size_t width_of(const struct gradient *self) {
    return (self->features + 1) * self->descent.outputs + 1;
}

/* gradient(block, out) */
static PyObject *called(PyObject *object, PyObject *arguments, PyObject *words) {
    struct gradient *self = (struct gradient *)object;
    (void)words;
    if (!counted("a gradient", PyTuple_Size(arguments), 2)) return NULL;
    const struct block *rows = rows_of(self, PyTuple_GetItem(arguments, 0));
    Py_buffer out;
    if (!rows && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "the block has no handle");
    if (!rows || !numbers(PyTuple_GetItem(arguments, 1), &out, 1)) return NULL;
    int fits = (size_t)out.len == width_of(self) * sizeof(double);
    if (fits)
        kernel->gradient(rows, &self->descent, self->room, out.buf);
    else
        PyErr_SetString(PyExc_ValueError, "the vector is not of the gradient's length");
    PyBuffer_Release(&out);
    return fits ? Py_NewRef(Py_None) : NULL;
}

/* Blocks that several threads take, each the next one. They are folded in their order, so it shows nowhere who has taken which. */
struct crew {
    const struct gradient *self;
    const struct block *const *rows;
    Py_ssize_t count;
    const struct lines *vectors;
    struct sums *sums;
    atomic_ptrdiff_t hands, next, folded;
};

static void *worked(void *given) {
    struct crew *crew = given;
    ptrdiff_t hand = atomic_fetch_add(&crew->hands, 1);
    double *vector = crew->vectors->at + hand * crew->vectors->line;
    double *room = crew->self->room + (size_t)hand * ROOM(crew->self->descent.outputs);
    for (ptrdiff_t i; (i = atomic_fetch_add(&crew->next, 1)) < crew->count;) {
        kernel->gradient(crew->rows[i], &crew->self->descent, room, vector);
        while (atomic_load_explicit(&crew->folded, memory_order_acquire) != i) sched_yield();
        kernel->fold(crew->sums, vector);
        atomic_store_explicit(&crew->folded, i + 1, memory_order_release);
    }
    return NULL;
}

/* A thread that can't be started is one less: this one would take all blocks. */
static void taken(
    const struct gradient *self, const struct block *const *rows, Py_ssize_t count, const struct lines *vectors, struct sums *sums
) {
    struct crew crew = {self, rows, count, vectors, sums, 0, 0, 0};
    pthread_t others[MOST];
    Py_ssize_t wanted = self->rooms < count ? self->rooms : count, started = 0;
    if ((size_t)wanted > vectors->count) wanted = (Py_ssize_t)vectors->count;
    Py_BEGIN_ALLOW_THREADS
    while (started < wanted - 1 && !pthread_create(others + started, NULL, worked, &crew)) started++;
    worked(&crew);
    while (started) pthread_join(others[--started], NULL);
    Py_END_ALLOW_THREADS
}

/* Blocks that are all there. How many rows; -1 if an exception is set, or if some have no handle. */
static Py_ssize_t over_all(const struct gradient *self, PyObject *blocks, const struct lines *vectors, struct sums *sums) {
    Py_ssize_t count = PyTuple_Size(blocks), total = 0, found = 0;
    const struct block **rows = malloc((size_t)(count + 1) * sizeof *rows);
    if (!rows) {
        PyErr_NoMemory();
        return -1;
    }
    while (found < count && (rows[found] = rows_of(self, PyTuple_GetItem(blocks, found)))) total += (Py_ssize_t)rows[found++]->count;
    if (found == count) taken(self, rows, count, vectors, sums);
    free(rows);
    return found == count ? total : -1;
}

/* Blocks of which each is there until the next is asked for; those without a handle are otherwise taken. Likewise. */
static Py_ssize_t over_each(
    const struct gradient *self, PyObject *blocks, PyObject *otherwise, const struct lines *vectors, struct sums *sums
) {
    PyObject *each = PyObject_GetIter(blocks), *block;
    Py_ssize_t total = 0;
    while (each && !PyErr_Occurred() && (block = PyIter_Next(each))) {
        const struct block *rows = rows_of(self, block);
        if (rows) {
            taken(self, &rows, 1, vectors, sums);
            total += (Py_ssize_t)rows->count;
        } else if (!PyErr_Occurred())
            Py_XDECREF(PyObject_CallFunctionObjArgs(otherwise, block, NULL));
        Py_DECREF(block);
    }
    Py_XDECREF(each);
    return PyErr_Occurred() ? -1 : total;
}

/* gradient.over(blocks, otherwise, vectors, high, low, peaks, first, second), with room for a vector of each thread */
static PyObject *call_over(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct gradient *self = (struct gradient *)object;
    Py_buffer views[6];
    struct sums sums;
    struct lines vectors;
    if (!counted("over", count, 8) || !taken_lines(arguments[2], views, &vectors, 1)) return NULL;
    if (!sums_of(arguments + 3, views + 1, &sums)) {
        release(views, 1);
        return NULL;
    }
    Py_ssize_t total = -1;
    if (sums.width != width_of(self) || vectors.length < sums.width || !vectors.count)
        PyErr_SetString(PyExc_ValueError, "the sums are not of the gradient's length");
    else if (PyList_Check(arguments[0])) {
        PyObject *blocks = PyList_AsTuple(arguments[0]); /* the list may be another one while other threads run */
        if (blocks) total = over_all(self, blocks, &vectors, &sums);
        if (blocks && total < 0 && !PyErr_Occurred()) total = over_each(self, blocks, arguments[1], &vectors, &sums);
        Py_XDECREF(blocks);
    } else
        total = over_each(self, arguments[0], arguments[1], &vectors, &sums);
    release(views, 6);
    return total < 0 ? NULL : PyLong_FromSsize_t(total);
}

/* The point on some columns, all of which it has; NULL if an exception is set. */
static double *narrowed(const struct gradient *self, const uint32_t *columns, size_t count) {
    size_t k = self->descent.outputs;
    double *found = malloc((k * (count + 1)) * sizeof(double));
    int good = found != NULL;
    for (size_t i = 0; good && i < count; i++) good = columns[i] < self->features;
    if (!good) {
        free(found);
        return found ? PyErr_SetString(PyExc_ValueError, "the rows do not fit the point"), NULL : (double *)PyErr_NoMemory();
    }
    for (size_t o = 0; o < k; o++)
        for (size_t i = 0; i < count; i++) found[o * count + i] = self->descent.point[o * self->features + columns[i]];
    memcpy(found + k * count, self->descent.point + k * self->features, k * sizeof(double));
    return found;
}

/* gradient.sparse(values, indices, starts, columns, y, weights, offset, out) */
static PyObject *call_sparse(PyObject *object, PyObject *const *given, Py_ssize_t count) {
    struct gradient *self = (struct gradient *)object;
    struct handle handle = {.held = 0};
    struct block *rows = &handle.rows;
    Py_buffer views[5];
    if (!counted("sparse", count, 8)) return NULL;
    PyObject *listed[] = {given[0], given[1], given[2], given[3], given[7]};
    if (!arrays("sparse", listed, 5, 5, 4, views)) return NULL;
    size_t k = self->descent.outputs, size = length(views + 3);
    double *point = NULL;
    int good = sparse(views) && is(views + 3, "I") && is(views + 4, "d") && length(views + 4) == k * (size + 1) + 1;
    if (good) {
        rows->count = length(views + 2) - 1, rows->features = size;
        good = beside(&handle, given[4], given[5], given[6]) && rows->targets <= k && (point = narrowed(self, views[3].buf, size));
    }
    if (good) {
        struct descent descent = self->descent;
        descent.point = point;
        Py_BEGIN_ALLOW_THREADS
        kernel->sparse_gradient(
            kind(views), views[0].buf, is(views + 1, "H"), views[1].buf, views[2].buf, rows, &descent, self->room, views[4].buf
        );
        Py_END_ALLOW_THREADS
    }
    free(point);
    release(handle.views, handle.held);
    release(views, 5);
    if (good) return Py_NewRef(Py_None);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "sparse: the arrays are not of the types and lengths that are expected");
    return NULL;
}

static CALL(call_threads) {
    (void)module;
    if (!counted("threads", count, 1)) return NULL;
    Py_ssize_t asked = PyLong_AsSsize_t(arguments[0]);
    if (asked < 1 || asked > MOST)
        PyErr_SetString(PyExc_ValueError, "expected 1 to 1024 threads");
    else
        threads = asked;
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyMethodDef gradient_methods[] = {
    METHOD(threads, "So many threads take blocks that are all there, in gradients that are made from now on."),
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods[] = {
    METHOD(sparse, "The gradient of sparse rows, on the columns that they have."),
    METHOD(over, "The gradients of blocks, each folded into high, low and peaks; how many rows they have."),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Gradient(loss, parameters, features, outputs, point)(block, out): gradient, slopes and value."},
    {Py_tp_new, (void *)made},
    {Py_tp_dealloc, (void *)freed},
    {Py_tp_call, (void *)called},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"mpi_pgd.kernel.native.Gradient", sizeof(struct gradient), 0, Py_TPFLAGS_DEFAULT, slots};

int add_gradient(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    if (!type) return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}
