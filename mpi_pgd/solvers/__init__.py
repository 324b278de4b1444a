"""How a gradient becomes the next weights. A solver is ``init(weights) -> state`` and ``update(state, gradient) -> state``."""
