# SPDX-License-Identifier: Apache-2.0
"""Train models/digits on scikit-learn's bundled digits; write the model, ten samples and the held-out reference.

    python3 tools/train_digits.py              trains on the training part and writes every file
    python3 tools/train_digits.py --validate   trains on four fifths of the training part, reports on the other fifth

The recipe was chosen with --validate, which never looks at the held-out part.
"""

import math
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import model_files

SEED = 0
HELD_OUT = 360  # a fifth of 1797, rounded up
ZOOM = 8  # an 8x8 digit is shown to people, and given to the model, as 64x64
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 80, 32, 3e-3, 1e-3
TURN, SHIFT, SCALE = math.radians(10), 0.75, 0.1  # augmentation: radians, pixels of the 8x8 image, fraction
NAMES = ("image", "probabilities")
FOLDER = model_files.ROOT / "models" / "digits"
REFERENCE = model_files.ROOT / "test" / "fixtures" / "digits_heldout.json"


class Digits(nn.Module):
    """image [n,1,64,64], values 0..1 -> probabilities [n,10] (class scores while training)."""

    def __init__(self) -> None:
        super().__init__()
        self.shrink = nn.AvgPool2d(ZOOM, count_include_pad=False)  # else the export begins with an empty Pad
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.classify = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 4 * 4, 10))

    def scores(self, small: torch.Tensor) -> torch.Tensor:
        """Class scores of images already at 8x8."""
        return self.classify(self.features(small))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.scores(self.shrink(image)), dim=1)


def pixels_of(images: np.ndarray) -> np.ndarray:
    """0..16 as scikit-learn has it -> 0..255 as a PNG carries it."""
    return np.round(images * 255.0 / 16.0).astype(np.uint8)


def to_input(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [n,h,w] -> float32 [n,1,h,w] in 0..1, with the arithmetic of model.json's `scale`."""
    return torch.from_numpy(pixels.astype(np.float32) * np.float32(1 / 255))[:, None]


def zoom(pixels: np.ndarray) -> np.ndarray:
    """Each pixel becomes a ZOOM x ZOOM square."""
    return pixels.repeat(ZOOM, axis=-2).repeat(ZOOM, axis=-1)


def augment(small: torch.Tensor) -> torch.Tensor:
    """Turn, shift and scale each image a little."""
    count = len(small)
    turn = (torch.rand(count) * 2 - 1) * TURN
    scale = 1 + (torch.rand(count) * 2 - 1) * SCALE
    shift = (torch.rand(count, 2) * 2 - 1) * SHIFT * 2 / small.shape[-1]  # the grid spans -1..1
    cos, sin = torch.cos(turn) * scale, torch.sin(turn) * scale
    rows = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(rows, list(small.shape), align_corners=False)
    return functional.grid_sample(small, grid, align_corners=False)


def train(small: torch.Tensor, labels: torch.Tensor) -> Digits:
    model_files.make_repeatable(SEED)
    network = Digits()
    steps = EPOCHS * math.ceil(len(small) / BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(small)).split(BATCH):
            loss = functional.cross_entropy(network.scores(augment(small[rows])), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def predict(network: Digits, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(to_input(zoom(pixels_of(images)))).numpy()


def write_samples(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """For each digit the first held-out image that the model is sure of and right about."""
    for digit in range(10):
        sure = np.flatnonzero((labels == digit) & (probabilities[:, digit] > 0.99))
        path = FOLDER / "samples" / f"{digit}.png"
        model_files.write_gray_png(path, zoom(pixels_of(images[sure[0]])))
        model_files.report(path)


def main() -> None:
    data = load_digits()
    images, held_images, labels, held_labels = train_test_split(
        data.images, data.target, test_size=HELD_OUT, stratify=data.target, random_state=SEED
    )
    if "--validate" in sys.argv[1:]:
        images, held_images, labels, held_labels = train_test_split(
            images, labels, test_size=0.2, stratify=labels, random_state=SEED
        )
    network = train(to_input(pixels_of(images)), torch.from_numpy(labels))
    probabilities = predict(network, held_images)
    correct, total = int((probabilities.argmax(1) == held_labels).sum()), len(held_labels)
    if "--validate" in sys.argv[1:]:
        print(f"validation accuracy: {correct / total:.3f} ({correct} of {total})")
        return
    if correct / total < 0.98:
        raise SystemExit(f"held-out accuracy {correct / total:.3f} is below 0.98: nothing written")
    path = FOLDER / "model.onnx"
    model_files.export(network, to_input(zoom(pixels_of(held_images[:2]))), NAMES, path)
    write_samples(held_images, held_labels, probabilities)
    model_files.write_json(
        REFERENCE,
        {
            "source": "tools/train_digits.py: torch on the held-out part of scikit-learn's load_digits (UCI, CC BY 4.0)",
            "tolerance": 1e-5,
            "accuracy": correct / total,
            "images": model_files.to_base64(held_images.astype(np.uint8)),
            "labels": held_labels.tolist(),
            "probabilities": model_files.to_base64(probabilities),
        },
    )
    model_files.report(path, REFERENCE)
    model_files.write_accuracy(FOLDER / "README.md", correct, total)


if __name__ == "__main__":
    main()
