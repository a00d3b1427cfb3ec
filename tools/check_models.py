# SPDX-License-Identifier: Apache-2.0
"""Run the shipped models and the test fixtures with onnxruntime and compare with the recorded numbers.

    python3 tools/check_models.py

Needs `onnxruntime` and `numpy`, nothing that trained or made the files.
"""

import base64
import ctypes
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "test" / "fixtures"
TOLERANCE = 1e-6  # absolute, between onnxruntime and torch; the recorded 1e-5 leaves room for other machines
NUMPY = {"float16": "uint16", "bfloat16": "uint16", "string": "object"}  # the others are numpy's own names
ONNX_CODE = {"float16": 10, "bfloat16": 16}  # onnx.proto: TensorProto.DataType

passed, failed = 0, 0


def check(name: str, good: bool, note: str = "") -> None:
    global passed, failed
    passed, failed = passed + good, failed + (not good)
    if note or not good:
        print(f"{'ok' if good else 'NOT OK'}  {name}  {note}")


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def failure(action) -> str:
    """The first line of what the runtime says, or "" when it does not complain."""
    try:
        action()
    except Exception as error:  # onnxruntime raises many types, without a common base of its own
        return str(error).splitlines()[0][:160]
    return ""


def from_base64(text: str, kind: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(-1, *shape)


def gray_png(path: Path) -> np.ndarray:
    """Pixels of a grey PNG as tools/train_digits.py writes them: one IDAT, no row filter."""
    content, at, pixels = path.read_bytes(), 8, np.empty(0)
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind == b"IDAT":
            rows = np.frombuffer(zlib.decompress(content[at + 8 : at + 8 + size]), np.uint8).reshape(64, 65)
            pixels = rows[:, 1:]
        at += size + 12
    return pixels


def digits_input(pixels: np.ndarray) -> np.ndarray:
    return (pixels.astype(np.float32) * np.float32(1 / 255))[:, None]


def check_shipped(name: str, inputs: np.ndarray, expected: np.ndarray, reference: dict) -> None:
    """All held-out rows at once and one by one; the accuracy in the reference and in the card."""
    model = session(ROOT / "models" / name / "model.onnx")
    port = model.get_inputs()[0].name
    together = model.run(None, {port: inputs})[0]
    alone = np.concatenate([model.run(None, {port: row[None]})[0] for row in inputs])
    difference = max(np.abs(together - expected).max(), np.abs(alone - expected).max())
    check(
        f"{name}: as torch",
        difference < TOLERANCE,
        f"{len(inputs)} rows, largest difference {difference:.1e}",
    )
    accuracy = float((together.argmax(1) == np.array(reference["labels"])).mean())
    check(f"{name}: accuracy", abs(accuracy - reference["accuracy"]) < 1e-9, f"{accuracy:.3f}")
    card = (ROOT / "models" / name / "README.md").read_text(encoding="utf-8")
    check(f"{name}: card", f"\nHeld-out accuracy: {accuracy:.3f} " in card)
    check(f"{name}: no rows", model.run(None, {port: inputs[:0]})[0].shape == (0, expected.shape[1]))


def check_digits() -> None:
    reference = json.loads((FIXTURES / "digits_heldout.json").read_text(encoding="utf-8"))
    small = from_base64(reference["images"], "uint8", 8, 8).astype(np.float64)
    pixels = np.round(small * 255 / 16).astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    expected = from_base64(reference["probabilities"], "<f4", 10)
    check_shipped("digits", digits_input(pixels), expected, reference)
    model = session(ROOT / "models" / "digits" / "model.onnx")
    for digit in range(10):
        sample = gray_png(ROOT / "models" / "digits" / "samples" / f"{digit}.png")
        row = model.run(None, {"image": digits_input(sample[None])})[0][0]
        check(f"digits: sample {digit}", row.argmax() == digit and row[digit] > 0.9)
        check(f"digits: sample {digit} is held out", any((sample == image).all() for image in pixels))


def check_iris() -> None:
    reference = json.loads((FIXTURES / "iris_heldout.json").read_text(encoding="utf-8"))
    features = np.array(reference["features"], np.float32)
    check_shipped("iris", features, np.array(reference["probabilities"], np.float32), reference)


def read_tensor(written: dict) -> np.ndarray:
    """A tensor of expected.json; float16 and bfloat16 stay bits."""
    kind = np.dtype(NUMPY.get(written["type"], written["type"]))
    if "everyValueOfRow" in written:
        return np.repeat(np.array(written["everyValueOfRow"], kind), written["shape"][1]).reshape(
            written["shape"]
        )
    items = [int(item) if kind.kind in "iu" else item for item in written["data"]]
    return np.array(items, kind).reshape(written["shape"])


def run_case(model: onnxruntime.InferenceSession, inputs: dict) -> dict[str, np.ndarray]:
    names = [port.name for port in model.get_outputs()]
    arrays = {name: read_tensor(written) for name, written in inputs.items()}
    codes = {
        name: ONNX_CODE[written["type"]] for name, written in inputs.items() if written["type"] in ONNX_CODE
    }
    if not codes:
        return dict(zip(names, model.run(names, arrays)))
    make = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
    values = {name: make(arrays[name], code) for name, code in codes.items()}
    return {name: bits(value) for name, value in zip(names, model.run_with_ort_values(names, values))}


def bits(value: onnxruntime.OrtValue) -> np.ndarray:
    """An output as read_tensor gives it; numpy has no bfloat16, so that one is read from its address."""
    if value.data_type() != "tensor(bfloat16)":
        array = value.numpy()
        return array.view(np.uint16) if array.dtype == np.float16 else array
    shape = value.shape()
    raw = ctypes.string_at(value.data_ptr(), 2 * int(np.prod(shape)))
    return np.frombuffer(raw, np.uint16).reshape(shape)


def same(name: str, got: np.ndarray, written: dict, tolerance: float) -> bool:
    """Equal shape and values; identities bit for bit."""
    expected = read_tensor(written)
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return False
    if name.startswith("identity_") and got.dtype != object:
        return got.tobytes() == expected.tobytes()
    if got.dtype.kind == "f":
        return bool(np.allclose(got, expected, rtol=0, atol=tolerance))
    return bool((got == expected).all())


def check_case(name: str, number: int, case: dict, tolerance: float) -> None:
    label, path = f"{name}[{number}]", FIXTURES / f"{name}.onnx"
    if case.get("fails") == "load":
        said = failure(lambda: session(path))
        check(f"{label} does not load", said != "", said)
    elif "notTensors" in case:
        ports = [port for port in session(path).get_outputs() if not port.type.startswith("tensor(")]
        check(
            f"{label} has other outputs", [port.name for port in ports] == case["notTensors"], ports[0].type
        )
    elif case.get("fails") == "run":
        model = session(path)
        said = failure(lambda: run_case(model, case["inputs"]))
        check(f"{label} fails at run time", said != "", said)
    else:
        outputs = run_case(session(path), case["inputs"])
        check(f"{label} names", set(outputs) == set(case["outputs"]))
        for port, written in case["outputs"].items():
            check(f"{label} {port}", same(name, outputs[port], written, tolerance))


def main() -> None:
    print(f"onnxruntime {onnxruntime.__version__}")
    onnxruntime.set_default_logger_severity(4)
    check_digits()
    check_iris()
    expected = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))
    for name, cases in expected["models"].items():
        for number, case in enumerate(cases):
            check_case(name, number, case, expected["tolerance"])
    files = {path.stem for path in FIXTURES.glob("*.onnx")}
    check("every .onnx file has a case", files == set(expected["models"]), f"{len(files)} files")
    print(f"{passed} passed, {failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
