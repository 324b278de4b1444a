"""Numbers as a person reads them: three digits that mean something, and a unit that fits."""

import math
import re
from collections.abc import Iterable

Scale = tuple[float, str]  # how much one unit is, and its name

TIME: tuple[Scale, ...] = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"))
SIZE: tuple[Scale, ...] = ((1.0, "B"), (1e3, "KB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))
RATE: tuple[Scale, ...] = tuple((factor, f"{unit}/s") for factor, unit in SIZE)
NONE = "–"  # where there is no value


def scale(value: float, units: tuple[Scale, ...]) -> Scale:
    """The largest unit of which ``value`` is at least one; of minutes and hours, at least two."""
    size = float(f"{abs(value):.2e}")  # as it will be rounded
    fitting = [unit for unit in units if size >= unit[0] * (2 if unit[1] in ("min", "h") else 1)]
    return fitting[-1] if fitting else units[0] if value else next(unit for unit in units if unit[0] == 1)


def digits(value: float, most: int = 3) -> str:
    """Without an exponent from 0.001 up to a million; ``most`` significant digits before rounding to whole numbers."""
    if not value:
        return "0"
    if not 1e-3 <= abs(value) < 1e6:
        return power(value, most)
    return f"{value:,.{decimals(value, most)}f}".replace("-", "\N{MINUS SIGN}")


def decimals(value: float, most: int = 3) -> int:
    """How many decimals show ``most`` significant digits of a value."""
    if not value:
        return 0
    exponent = math.floor(math.log10(float(f"{abs(value):.{most - 1}e}")))
    return max(0, most - 1 - exponent)


def power(value: float, most: int = 3) -> str:
    """Such as 1.54·10⁻¹²."""
    mantissa, exponent = f"{value:.{most - 1}e}".split("e")
    return f"{mantissa}·10{superscript(int(exponent))}".replace("-", "\N{MINUS SIGN}")


def power_of_ten(value: float) -> str:
    """A tick of an axis over many sizes: 10⁻³, and 3·10⁻³ between two of them."""
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{'' if mantissa == '1' else mantissa + '·'}10{superscript(int(exponent))}"


def superscript(exponent: int) -> str:
    """An exponent in small raised digits."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _with(value: float | None, units: tuple[Scale, ...], most: int = 3) -> str:
    if value is None:
        return NONE
    factor, unit = scale(value, units)
    # Whole bytes stay whole, and a value under the smallest unit keeps its digits.
    return f"{digits(value / factor, most)} {unit}" if unit != "B" else f"{value:,.0f} B"


def seconds(value: float | None, most: int = 3) -> str:
    """1.54e-5 is "15.4 µs"; with ``most`` significant digits, or all of a whole number."""
    return _with(value, TIME, most)


def size(value: float | None) -> str:
    """Bytes in powers of ten: 2_400_000 is "2.40 MB"."""
    return _with(value, SIZE)


def rate(value: float | None) -> str:
    """Bytes a second: 1.2e10 is "12.0 GB/s"."""
    return _with(value, RATE)


def percent(value: float | None, sign: bool = False) -> str:
    """0.0523 is "5.2 %"."""
    if value is None:
        return NONE
    return f"{value * 100:{'+' if sign else ''},.1f} %".replace("-", "\N{MINUS SIGN}")


def tick(value: float, units: tuple[Scale, ...]) -> str:
    """A round number on an axis: "5 ms", "100 KB"."""
    factor, unit = scale(value, units)
    if units is TIME and factor > 1.0 and value % factor:  # 1000 s are no round number of minutes
        factor, unit = 1.0, "s"
    return f"{value / factor:,.6g} {unit}"


def shortened(text: str, most: int) -> str:
    """Text that has room in a picture."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def count(number: int, word: str) -> str:
    """``1 rank``, ``2 ranks``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def ticks(low: float, high: float, most: int, base: int = 10) -> list[float]:
    """Places for labels on a logarithmic axis, both ends included, no more than ``most``."""
    first, last = math.floor(math.log(low, base) + 1e-9), math.ceil(math.log(high, base) - 1e-9)
    steps: Iterable[tuple[float, ...]] = ((1, 2, 5), (1, 3), (1,)) if base == 10 else ((1,),)
    inside: list[float] = []
    for step in steps:
        every = [part * float(base) ** place for place in range(first, last + 1) for part in step]
        inside = [value for value in every if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= most:
            break
    if base == 10 and len(inside) < 2:  # one place tells no scale
        every = [part * 10.0**place for place in range(first - 1, last + 1) for part in range(1, 10)]
        return [value for value in every if low <= value <= high]
    return inside[:: max(1, math.ceil(len(inside) / most))]


def unbroken(text: str) -> str:
    """No line ends between a number and its unit."""
    return re.sub(r"(?<=\d) (?=(?:[nµm]?s|min|h|[KMGT]?B(?:/s)?|%)(?!\w))", "\N{NO-BREAK SPACE}", text)
