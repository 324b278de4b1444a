"""What setup.cfg can't say: the compiled kernel. Where there is no compiler, the package is installed without it."""

from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("mpi_pgd/kernel/source")

setup(
    ext_modules=[
        Extension(
            "mpi_pgd.kernel.native",
            sorted(map(str, SOURCE.glob("*.c"))),
            depends=[str(path) for path in SOURCE.iterdir()],
            # No processor may fuse what another one can't; errors of elementary functions are told by their values.
            extra_compile_args=[
                "-std=c11",
                "-O3",
                "-ffp-contract=off",
                "-fno-math-errno",
                "-fvisibility=hidden",
                "-Wall",
                "-Wextra",
            ],
            extra_link_args=["-pthread"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
    ]
)
