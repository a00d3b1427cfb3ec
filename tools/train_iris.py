# SPDX-License-Identifier: Apache-2.0
"""Train models/iris on scikit-learn's bundled iris data; write the model and the held-out reference.

python3 tools/train_iris.py
"""

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import model_files

SEED = 0
HELD_OUT = 30  # a fifth of 150
STEPS, LEARNING_RATE, WEIGHT_DECAY = 400, 1e-2, 1e-2
NAMES = ("features", "probabilities")
FOLDER = model_files.ROOT / "models" / "iris"
REFERENCE = model_files.ROOT / "test" / "fixtures" / "iris_heldout.json"


class Iris(nn.Module):
    """features [n,4] in cm -> probabilities [n,3]; the training part's mean and spread travel with the model."""

    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))

    def scores(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers((features - self.mean) / self.std)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.scores(features), dim=1)


def train(features: torch.Tensor, labels: torch.Tensor) -> Iris:
    model_files.make_repeatable(SEED)
    network = Iris(features.mean(0), features.std(0))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):  # the whole training part in each step
        loss = functional.cross_entropy(network.scores(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def main() -> None:
    data = load_iris()
    features, held_features, labels, held_labels = train_test_split(
        data.data.astype(np.float32), data.target, test_size=HELD_OUT, stratify=data.target, random_state=SEED
    )
    network = train(torch.from_numpy(features), torch.from_numpy(labels))
    with torch.no_grad():
        probabilities = network(torch.from_numpy(held_features)).numpy()
    correct, total = int((probabilities.argmax(1) == held_labels).sum()), len(held_labels)
    path = FOLDER / "model.onnx"
    model_files.export(network, torch.from_numpy(held_features[:2]), NAMES, path)
    model_files.write_json(
        REFERENCE,
        {
            "source": "tools/train_iris.py: torch on the held-out part of scikit-learn's load_iris (UCI, CC BY 4.0)",
            "tolerance": 1e-5,
            "accuracy": correct / total,
            "features": [[round(float(value), 1) for value in row] for row in held_features],
            "labels": held_labels.tolist(),
            "probabilities": probabilities.astype(float).tolist(),
        },
    )
    model_files.report(path, REFERENCE)
    model_files.write_accuracy(FOLDER / "README.md", correct, total)


if __name__ == "__main__":
    main()
