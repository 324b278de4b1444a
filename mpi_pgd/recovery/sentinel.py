"""A process that outlives a job which is killed, and says how to go on.

Where MPI can't go on without a lost rank, the launcher kills all the others with SIGKILL: none of them can say a word.
"""

import contextlib
import shlex
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

from mpi_pgd.errors import InputError

PATIENCE = 5.0  # seconds for a shell to end that was told to
# Deaf to what the launcher sends to the job. Its input ends when the process that started it does, however that ends.
SCRIPT = r"""
trap "" TERM INT HUP USR1
last=
while IFS= read -r line; do
    case $line in
    done) exit 0 ;;
    *) last=$line ;;
    esac
done
head="mpi_pgd: the job ended before it was done (a rank died, or was killed)"
if [ -n "$last" ]; then
    printf '%s; the checkpoint %s, of round %s, goes on with --resume %s\n' "$head" "$1" "$last" "$1" >&2
else
    printf '%s; no checkpoint had been written yet\n' "$head" >&2
fi
"""


class Sentinel:
    """Says on stderr that the job ended too early, unless it was dismissed. Held by rank 0.

    As a context manager, it is dismissed by a normal end, by ``SystemExit`` and by an ``InputError``, which has its own sentence.

    Args:
        path: the checkpoint file.
    """

    def __init__(self, path: str) -> None:
        command = ["/bin/sh", "-c", SCRIPT, "sentinel", shlex.quote(path)]
        # A session of its own: the launchers kill process groups.
        self._shell = Popen(command, bufsize=0, stdin=PIPE, stdout=DEVNULL, start_new_session=True, cwd="/")
        assert self._shell.stdin
        self._input = self._shell.stdin

    def __enter__(self) -> "Sentinel":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, InputError | SystemExit):
            self.dismiss()
        else:
            self._end()

    def note(self, round: int) -> None:
        """A checkpoint of this round is in the file."""
        self._tell(str(round))

    def dismiss(self) -> None:
        """All is well, or has been said: end it silently."""
        self._tell("done")
        self._end()

    def _tell(self, word: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed it, which is no reason to end the run
            if not self._input.closed:
                self._input.write(f"{word}\n".encode())

    def _end(self) -> None:
        self._input.close()
        try:
            self._shell.wait(PATIENCE)
        except TimeoutExpired:  # somebody stopped it
            self._shell.kill()
            self._shell.wait()
