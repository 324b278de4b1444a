/* The extension mpi_pgd.kernel.native: which instruction set is used, and the functions of the other files. */

#include "glue.h"

#include <string.h>

extern const struct kernel kernel_baseline;
#ifdef __x86_64__
extern const struct kernel kernel_avx2, kernel_avx512;
#endif

const struct kernel *kernel = &kernel_baseline;

struct set {
    const char *name;
    const struct kernel *kernel;
};

/* Those that this processor has, the best one first; how many. */
static int sets(struct set found[3]) {
    int count = 0;
#ifdef __x86_64__
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        found[count++] = (struct set){"avx512", &kernel_avx512};
    if (avx2) found[count++] = (struct set){"avx2", &kernel_avx2};
#endif
    found[count++] = (struct set){"baseline", &kernel_baseline};
    return count;
}

int counted(const char *name, Py_ssize_t count, Py_ssize_t expected) {
    if (count != expected) PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, expected, count);
    return count == expected;
}

static int float64(PyObject *array, Py_buffer *view, int flags) {
    if (PyObject_GetBuffer(array, view, PyBUF_FORMAT | flags)) return 0;
    if (view->format && strcmp(view->format, "d") == 0) return 1;
    PyErr_Format(PyExc_TypeError, "an array of %s: expected float64", view->format ? view->format : "bytes");
    PyBuffer_Release(view);
    return 0;
}

int numbers(PyObject *array, Py_buffer *view, int writable) {
    return float64(array, view, PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0));
}

int lines(PyObject *array, Py_buffer *view, int writable) {
    return float64(array, view, PyBUF_STRIDES | (writable ? PyBUF_WRITABLE : 0));
}

static CALL(call_names) {
    (void)module, (void)arguments;
    if (!counted("names", count, 0)) return NULL;
    struct set found[3];
    int known = sets(found);
    PyObject *names = PyTuple_New(known);
    for (int i = 0; names && i < known; i++) {
        PyObject *name = PyUnicode_FromString(found[i].name);
        if (!name || PyTuple_SetItem(names, i, name)) {
            Py_DECREF(names);
            return NULL;
        }
    }
    return names;
}

static CALL(call_use) {
    (void)module;
    if (!counted("use", count, 1)) return NULL;
    PyObject *encoded = PyUnicode_AsUTF8String(arguments[0]);
    const char *name = encoded ? PyBytes_AsString(encoded) : NULL;
    struct set found[3];
    int known = sets(found), place = 0;
    while (name && place < known && strcmp(name, found[place].name)) place++;
    if (name && place < known)
        kernel = found[place].kernel;
    else if (name)
        PyErr_Format(PyExc_ValueError, "this processor has no %s", name);
    Py_XDECREF(encoded);
    if (PyErr_Occurred()) return NULL;
    return Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    METHOD(names, "The instruction sets that this processor has, the best one first."),
    METHOD(use, "Take this instruction set from now on."),
    {NULL, NULL, 0, NULL},
};

static int filled(PyObject *module) {
    PyMethodDef *files[] = {cut_methods,  elementary_methods, gradient_methods, matrix_methods,
                            peak_methods, round_methods,      sparse_methods,   sum_methods,
                            text_methods, vector_methods};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (PyModule_AddFunctions(module, files[i])) return -1;
    if (add_rows(module) || add_gradient(module)) return -1;
    struct set found[3];
    sets(found);
    kernel = found[0].kernel;
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)filled}, {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "native", "The compiled kernel.", 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_native(void) {
    return PyModuleDef_Init(&definition);
}
