"""Parts of the doctor that crash."""

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.study.doctor.crashes import SHOWN, Crash, Crashes, told


def test_a_crash_leaves_its_checks_without_an_answer_and_says_where() -> None:
    crashes = Crashes()
    with crashes.part("cores", "pinning"):
        raise ValueError("line one\n  line two " + 400 * "x")
    with crashes.part("memory"):
        raise KeyError
    with crashes.part("data"):
        pass
    assert [crash.check for crash in crashes.found] == ["cores", "pinning", "memory"]
    exception = crashes.found[0].exception
    assert exception.startswith("ValueError: line one line two xxx")
    assert len(exception) == len("ValueError: ") + SHOWN
    assert crashes.found[2].exception == "KeyError"
    assert all(crash.place.startswith("test_crashes.py, line ") for crash in crashes.found)


def test_what_the_user_can_mend_is_no_crash() -> None:
    crashes = Crashes()
    with pytest.raises(InputError, match="no file"), crashes.part("data"):
        raise InputError("no file")
    assert crashes.found == []


def test_ranks_that_crash_alike_are_one_finding_and_a_check_has_one() -> None:
    alike, other = Crash("cores", "OSError: no", "facts.py, line 3"), Crash("cores", "OSError: nor", "facts.py, line 4")
    memory = Crash("memory", "OSError: no", "facts.py, line 5")
    found = told([[], [alike], [alike, memory], [alike], [other]], ["a", "b", "b", "c", "c"])
    assert [finding.check for finding in found] == ["cores", "memory"]
    assert "crashed on ranks 1-3 (node b): OSError: no (facts.py, line 3)" in found[0].finding
    assert "crashed on rank 2 (node b)" in found[1].finding
