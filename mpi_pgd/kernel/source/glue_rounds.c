/* Python's calls of what a round does once. */

#include "glue.h"

#define MOST 8

/* Contiguous float64 arrays, the last of them to be written to, and how long they are; else an exception is set, and it is 0. */
static int given(PyObject *const *from, int count, int written, Py_buffer *views, size_t *lengths) {
    for (int i = 0; i < count; i++) {
        if (!numbers(from[i], views + i, i >= count - written)) {
            release(views, i);
            return 0;
        }
        lengths[i] = length(views + i);
    }
    return 1;
}

static PyObject *ended(const char *name, int good, PyObject *found, Py_buffer *views, int count) {
    release(views, count);
    if (!good) PyErr_Format(PyExc_ValueError, "%s: the arrays do not fit each other", name);
    return good ? found : NULL;
}

static CALL(call_votes) {
    (void)module;
    Py_buffer views[4];
    size_t lengths[4];
    if (!counted("votes", count, 5)) return NULL;
    double most = PyFloat_AsDouble(arguments[0]);
    if ((most == -1 && PyErr_Occurred()) || !given(arguments + 1, 4, 1, views, lengths)) return NULL;
    int good = lengths[0] == lengths[1] && lengths[0] == lengths[2] && lengths[3] == 3;
    if (good) kernel->votes(most, views[0].buf, views[1].buf, views[2].buf, lengths[0], views[3].buf);
    return ended("votes", good, good ? Py_NewRef(Py_None) : NULL, views, 4);
}

static CALL(call_descent) {
    (void)module;
    enum { MEAN, SCALE, CURVATURE, SUMS, SLOPES, UNKNOWNS, BENT, OUT };
    Py_buffer views[MOST];
    size_t lengths[MOST];
    if (!counted("descent", count, MOST + 1)) return NULL;
    double weight = PyFloat_AsDouble(arguments[0]);
    if ((weight == -1 && PyErr_Occurred()) || !given(arguments + 1, MOST, 2, views, lengths)) return NULL;
    size_t features = lengths[MEAN], outputs = lengths[SLOPES], size = features * outputs, free = lengths[OUT] - size;
    int good = lengths[SCALE] == features && lengths[CURVATURE] == size && lengths[SUMS] == size && lengths[UNKNOWNS] == size &&
               lengths[BENT] == size && (free == 0 || free == outputs);
    struct objective of = {features, outputs, free, views[MEAN].buf, views[SCALE].buf, views[CURVATURE].buf};
    double found = 0;
    if (good)
        found = kernel->descent(&of, views[SUMS].buf, views[SLOPES].buf, weight, views[UNKNOWNS].buf, views[BENT].buf, views[OUT].buf);
    return ended("descent", good, good ? PyFloat_FromDouble(found) : NULL, views, MOST);
}

static CALL(call_sizes) {
    (void)module;
    Py_buffer views[3];
    size_t lengths[3];
    double found[2] = {0};
    if (!counted("sizes", count, 3) || !given(arguments, 3, 1, views, lengths)) return NULL;
    int good = lengths[0] == lengths[1] && lengths[0] == lengths[2];
    if (good) kernel->sizes(views[0].buf, views[1].buf, lengths[0], views[2].buf, found);
    return ended("sizes", good, good ? Py_BuildValue("dd", found[0], found[1]) : NULL, views, 3);
}

static CALL(call_to_user) {
    (void)module;
    Py_buffer views[5];
    size_t lengths[5];
    if (!counted("to_user", count, 5) || !given(arguments, 5, 1, views, lengths)) return NULL;
    size_t features = lengths[1], outputs = lengths[3], size = features * outputs;
    int good = lengths[0] >= size && lengths[2] == features && lengths[4] >= size + outputs;
    if (good)
        kernel->to_user(views[0].buf, views[1].buf, views[2].buf, features, views[3].buf, outputs, views[4].buf);
    return ended("to_user", good, good ? Py_NewRef(Py_None) : NULL, views, 5);
}

static CALL(call_reach) {
    (void)module;
    Py_buffer views[3];
    size_t lengths[3];
    double found = 0;
    if (!counted("reach", count, 4)) return NULL;
    Py_ssize_t outputs = PyLong_AsSsize_t(arguments[0]);
    if (PyErr_Occurred() || !given(arguments + 1, 3, 1, views, lengths)) return NULL;
    size_t features = lengths[1];
    int good = outputs > 0 && lengths[0] / (features + 1) >= (size_t)outputs && lengths[2] >= features;
    if (good) found = kernel->reach(views[0].buf, views[1].buf, features, (size_t)outputs, views[2].buf);
    return ended("reach", good, good ? PyFloat_FromDouble(found) : NULL, views, 3);
}

static CALL(call_descend) {
    (void)module;
    Py_buffer views[3];
    size_t lengths[3];
    if (!counted("descend", count, 4)) return NULL;
    double size = PyFloat_AsDouble(arguments[0]);
    if ((size == -1 && PyErr_Occurred()) || !given(arguments + 1, 3, 2, views, lengths)) return NULL;
    int good = lengths[0] == lengths[1] && lengths[0] == lengths[2];
    if (good) kernel->descend(views[0].buf, size, lengths[0], views[1].buf, views[2].buf);
    return ended("descend", good, good ? Py_NewRef(Py_None) : NULL, views, 3);
}

static CALL(call_rounded) {
    (void)module;
    Py_buffer views[3];
    size_t lengths[3];
    if (!counted("rounded", count, 3) || !given(arguments, 3, 1, views, lengths)) return NULL;
    int good = lengths[1] <= lengths[0] && lengths[2] == lengths[0];
    if (good) kernel->rounded(views[0].buf, lengths[0], views[1].buf, lengths[1], views[2].buf);
    return ended("rounded", good, good ? Py_NewRef(Py_None) : NULL, views, 3);
}

static CALL(call_spans) {
    (void)module;
    Py_buffer views[4];
    size_t lengths[4];
    double found[4] = {0};
    if (!counted("spans", count, 4) || !given(arguments, 4, 4, views, lengths)) return NULL;
    int good = lengths[0] == lengths[1] && lengths[0] == lengths[2] && lengths[0] == lengths[3];
    if (good) kernel->spans(views[0].buf, views[1].buf, views[2].buf, views[3].buf, lengths[0], found);
    return ended("spans", good, good ? Py_BuildValue("dddd", found[0], found[1], found[2], found[3]) : NULL, views, 4);
}

static CALL(call_moves) {
    (void)module;
    Py_buffer views[6];
    size_t lengths[6];
    double found[4] = {0};
    if (!counted("moves", count, 6) || !given(arguments, 6, 4, views, lengths)) return NULL;
    int good = 1;
    for (int i = 1; i < 6; i++) good &= lengths[i] == lengths[0];
    if (good)
        kernel->moves(views[0].buf, views[1].buf, lengths[0], views[2].buf, views[3].buf, views[4].buf, views[5].buf, found);
    return ended("moves", good, good ? Py_BuildValue("dddd", found[0], found[1], found[2], found[3]) : NULL, views, 6);
}

PyMethodDef round_methods[] = {
    METHOD(votes, "Whether peaks are beyond bounds."),
    METHOD(descent, "The gradient of what is minimised, from sums over the rows."),
    METHOD(sizes, "Of a vector, and in other units."),
    METHOD(to_user, "Weights in the user's units, and the intercepts."),
    METHOD(reach, "How large a linear predictor may be."),
    METHOD(descend, "A step down a gradient."),
    METHOD(rounded, "Sums of two folds as one number each."),
    METHOD(spans, "Products of the last two moves."),
    METHOD(moves, "How far a point and its gradient have moved."),
    {NULL, NULL, 0, NULL},
};
