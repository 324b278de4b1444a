"""What a term of the penalty says of itself."""

from typing import NamedTuple, Protocol


class Strengths(NamedTuple):
    """What a term adds for each weight v: quadratic/2 v^2 + absolute |v|, or the latter for norms of weights."""

    quadratic: float = 0.0
    absolute: float = 0.0
    joint: bool = False  # absolute values are norms over the outputs


class Term(Protocol):
    """A term of the penalty. Its options are its own fields."""

    @property
    def strengths(self) -> Strengths:
        """As the options say."""
