/* Python's call of what is made into text. */

#include "glue.h"

#include "decimals.h"

static CALL(call_decimals) {
    (void)module;
    Py_buffer x;
    if (!counted("decimals", count, 1) || !numbers(arguments[0], &x, 0)) return NULL;
    PyObject *text = NULL;
    char *room = PyMem_Malloc((size_t)(x.len / x.itemsize) * (LONGEST + 1));
    if (x.ndim != 2)
        PyErr_SetString(PyExc_ValueError, "decimals: expected lines of numbers");
    else if (!room)
        PyErr_NoMemory();
    else
        text = PyBytes_FromStringAndSize(room, (Py_ssize_t)decimals(x.buf, (size_t)x.shape[0], (size_t)x.shape[1], room));
    PyMem_Free(room);
    PyBuffer_Release(&x);
    return text;
}

PyMethodDef text_methods[] = {
    METHOD(decimals, "Numbers (lines, rows) as bytes: a line of text for each row."),
    {NULL, NULL, 0, NULL},
};
