// SPDX-License-Identifier: Apache-2.0
// Writes small ONNX graphs with as many bytes of weights as a test needs, field by field of onnx.proto.

/** @source  Protocol Buffers encoding: a number in groups of seven bits, lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytes(field: number, content: Uint8Array | string): Buffer {
  const buffer = Buffer.from(content);
  return Buffer.concat([varint(field * 8 + 2), varint(buffer.length), buffer]);
}

function message(field: number, ...parts: readonly Buffer[]): Buffer {
  return bytes(field, Buffer.concat(parts));
}

const float = 1; // TensorProto.DataType
const int64 = 7;

/** A name, or a fixed number of elements. */
type Axis = string | number;

/** @param field  11 for an input, 12 for an output. */
function port(field: 11 | 12, name: string, type: number, axes: readonly Axis[]): Buffer {
  const dimensions = axes.map(axis =>
    message(1, typeof axis === 'number' ? number(1, axis) : bytes(2, axis)),
  );
  const tensor = message(1, number(1, type), message(2, ...dimensions));
  return message(field, bytes(1, name), message(2, tensor));
}

function node(type: string, inputs: readonly string[], output: string): Buffer {
  return message(1, ...inputs.map(input => bytes(1, input)), bytes(2, output), bytes(4, type));
}

function model(...graph: readonly Buffer[]): Buffer {
  const opset = message(8, bytes(1, ''), number(2, 17));
  return Buffer.concat([number(1, 8), message(7, bytes(2, 'made'), ...graph), opset]);
}

/**
 * `index` int64 [batch] -> `value` float32 [batch]: reads a table of weights.
 * @param sizeBytes  of the table, a multiple of 4.
 * @param value      in every place of it.
 */
export function tableModel(sizeBytes: number, value: number): Buffer {
  const weights = new Float32Array(sizeBytes / 4).fill(value);
  const raw = bytes(9, new Uint8Array(weights.buffer));
  const table = message(5, number(1, weights.length), number(2, float), bytes(8, 'table'), raw);
  return model(
    node('Gather', ['table', 'index'], 'value'),
    table,
    port(11, 'index', int64, ['batch']),
    port(12, 'value', float, ['batch']),
  );
}

/** `count` int64 [1] -> `zeros` float32 [n]: as many as are asked for. */
export function zerosModel(): Buffer {
  return model(
    node('ConstantOfShape', ['count'], 'zeros'),
    port(11, 'count', int64, [1]),
    port(12, 'zeros', float, ['n']),
  );
}

/** `x` float32 [1] -> `y` float32 [n]: repeats it more often than any memory holds, whatever is asked. */
export function hungryModel(): Buffer {
  const axes = Buffer.alloc(8);
  axes.writeBigInt64LE(2n ** 44n);
  const count = message(5, number(1, 1), number(2, int64), bytes(8, 'count'), bytes(9, axes));
  return model(
    node('Expand', ['x', 'count'], 'y'),
    count,
    port(11, 'x', float, [1]),
    port(12, 'y', float, ['n']),
  );
}
