/* Python's call that cuts long vectors. */

#include "glue.h"

enum { X, FIRST, SECOND, PEAKS, HIGH, LOW, TAKEN };

static CALL(call_cut) {
    (void)module;
    Py_buffer view[TAKEN];
    size_t length[TAKEN];
    int taken = 0;
    if (counted("cut", count, TAKEN))
        while (taken < TAKEN && numbers(arguments[taken], view + taken, taken != FIRST && taken != SECOND)) taken++;
    for (int i = 0; i < taken; i++) length[i] = (size_t)view[i].len / sizeof(double);
    if (taken == TAKEN) {
        size_t runs = length[FIRST], run = runs ? length[X] / runs : 0, lows = length[SECOND] ? length[X] : 0;
        if (length[X] != runs * run || length[PEAKS] != runs || length[HIGH] != length[X] || length[LOW] != lows ||
            (lows && length[SECOND] != runs))
            PyErr_SetString(PyExc_ValueError, "cut: the arrays are not of as many runs, and as long");
        else
            kernel->cut(view[X].buf, runs, run, view[FIRST].buf, lows ? view[SECOND].buf : NULL, view[PEAKS].buf, view[HIGH].buf,
                        view[LOW].buf);
    }
    while (taken) PyBuffer_Release(view + --taken);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyMethodDef cut_methods[] = {
    METHOD(cut, "Runs of numbers, cut into parts whose sums are exact."),
    {NULL, NULL, 0, NULL},
};
