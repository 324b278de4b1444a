"""What setup.cfg can't say: the compiled kernel. Where there is no compiler, the package is installed without it."""

import ctypes
import os
import shutil
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path("mpi_pgd/kernel/source")


def fresh(made, depends):
    """Whether it is newer than all that it is made of, and for this machine: folders are shared by several."""
    with suppress(OSError):
        return made.stat().st_mtime > max(Path(name).stat().st_mtime for name in depends) and bool(ctypes.CDLL(made.absolute()))
    return False


class BuildAtOnce(build_ext):
    """Compiles files side by side: the three of the instruction sets take long."""

    def build_extension(self, extension):
        """For one more environment of this folder, what is there is taken."""
        there = Path(self.get_ext_filename(extension.name))
        if not (self.editable_mode and fresh(there, ["setup.py", *extension.depends])):
            return super().build_extension(extension)
        made = Path(self.get_ext_fullpath(extension.name))
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(there, made)

    def build_extensions(self):
        alone = self.compiler.compile

        def compile_all(sources, **options):
            *others, first = sources
            made = alone([first], **options)  # it makes the folder for all
            with ThreadPool(os.cpu_count()) as pool:
                return [*made, *(name for some in pool.map(lambda one: alone([one], **options), others, 1) for name in some)]

        self.compiler.compile = compile_all
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildAtOnce},
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
    ],
)
