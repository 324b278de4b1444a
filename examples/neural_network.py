"""A neural network of two layers, as a model of one's own: handwritten digits from their 64 pixels.

python examples/neural_network.py digits.h5        # the rows; this needs scikit-learn
mpirun -n 4 python -m mpi_pgd digits.h5 --model examples/neural_network.py:network --solver lbfgs --l2 1e-3 --rounds 100
"""

import sys

import numpy as np

HIDDEN = 30


def network_init(features, targets):
    draw, classes = np.random.default_rng(0), int(targets.most) + 1
    into, out = draw.normal(size=(features, HIDDEN)), draw.normal(size=(HIDDEN, classes))
    return {"into": into / features**0.5, "bend": np.zeros(HIDDEN), "out": out / HIDDEN**0.5, "shift": np.zeros(classes)}


def scores(weights, X):
    hidden = np.tanh(X @ weights["into"] + weights["bend"])
    return hidden, hidden @ weights["out"] + weights["shift"]


def network(weights, X, y):
    """The cross entropy of some rows, and its gradient."""
    hidden, score = scores(weights, X)
    share = np.exp(score - score.max(axis=1, keepdims=True))
    total = share.sum(axis=1)
    right = np.arange(len(y)), y.astype(int)
    loss = np.sum(np.log(total) - np.log(share[right]))
    slope = share / total[:, None]
    slope[right] -= 1
    back = (slope @ weights["out"].T) * (1 - hidden**2)
    return loss, {"into": X.T @ back, "bend": back.sum(axis=0), "out": hidden.T @ slope, "shift": slope.sum(axis=0)}


def classify(weights, X):
    return scores(weights, X)[1].argmax(axis=1)


if __name__ == "__main__":
    import h5py
    from sklearn.datasets import load_digits

    digits = load_digits()
    with h5py.File(sys.argv[1] if sys.argv[1:] else "digits.h5", "w") as file:
        file["X"], file["y"] = digits.data / 16, digits.target
