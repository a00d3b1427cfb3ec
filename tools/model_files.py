# SPDX-License-Identifier: Apache-2.0
"""What both training scripts share: repeatable torch, the ONNX export, the card's result line, PNG and JSON files."""

import base64
import json
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import onnx
import torch

ROOT = Path(__file__).resolve().parent.parent
OPSET = 17  # the newest that Debian 12's torch writes
IR_VERSION = 8  # what belongs to opset 17; runtimes from 2022 on read it


def make_repeatable(seed: int) -> None:
    """Same bytes on every run of one machine: one thread, fixed seed, no order-dependent sums."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def export(network: torch.nn.Module, example: torch.Tensor, names: tuple[str, str], path: Path) -> None:
    """Write `network` with axis 0 of its one input and one output free and named "batch"."""
    source, target = names
    torch.onnx.export(
        network.eval(),
        (example,),
        str(path),
        opset_version=OPSET,
        input_names=[source],
        output_names=[target],
        dynamic_axes={source: {0: "batch"}, target: {0: "batch"}},
    )
    model = onnx.load(str(path))
    model.ir_version = IR_VERSION
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def to_base64(array: np.ndarray) -> str:
    """Raw little-endian bytes, rows in order."""
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def write_json(path: Path, fields: dict[str, object]) -> None:
    """One line per field, so that a difference names what changed."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_gray_png(path: Path, pixels: np.ndarray) -> None:
    """8-bit grey PNG of uint8 [height, width]. Source of the layout: PNG specification, sections 5 and 11.2."""
    height, width = pixels.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(np.uint8))  # 0: no row filter
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def write_accuracy(card: Path, correct: int, total: int) -> None:
    """Put the measured figure into the card's one line for it, so that card and file cannot disagree."""
    line = f"Held-out accuracy: {correct / total:.3f} ({correct} of {total})"
    text, count = re.subn(r"^Held-out accuracy: .*$", line, card.read_text(encoding="utf-8"), flags=re.M)
    if count != 1:
        raise SystemExit(f"{card.name} must have exactly one line 'Held-out accuracy: ...', found {count}")
    card.write_text(text, encoding="utf-8")
    print(line)


def report(*paths: Path) -> None:
    for path in paths:
        print(f"wrote {path.relative_to(ROOT)}  {path.stat().st_size} bytes")
