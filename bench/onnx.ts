// SPDX-License-Identifier: Apache-2.0
// Builds ONNX graphs node by node, with weights from a seeded generator: the same bytes on every machine.
import { bytes, float, integer, type Message, nested, text } from './protobuf.js';

/** An axis of an input or output: its size, or the name of a free one. */
export type Axis = number | string;
type ElementName = 'float32' | 'int64';

// Field and type numbers of onnx.proto, which only ever grows.
const typeNumbers = { float32: 1, int64: 7 } as const;
const irVersion = 8;
const opsetVersion = 17;
const attribute = { float: 1, integer: 2, integers: 7 } as const;

/** Uniform numbers in [0, 1) from a 32-bit state. @source  Marsaglia, Xorshift RNGs (2003), the triple 13, 17, 5. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** An integer list is always an attribute of type INTS, a whole number INT, `{ float }` FLOAT. */
type AttributeValue = number | readonly number[] | { readonly float: number };

export interface Graph {
  input(name: string, type: ElementName, shape: readonly Axis[]): string;
  output(name: string, type: ElementName, shape: readonly Axis[]): void;
  /** Adds a node with one output and returns the output's name, `as` when given. */
  node(op: string, inputs: readonly string[], extra?: NodeExtra): string;
  /**
   * Random weights, uniform with the variance 2 / fanIn that keeps the scale of activations through ReLU layers.
   * @source  He et al., Delving Deep into Rectifiers (2015), section 2.2.
   */
  weights(shape: readonly number[], fanIn: number): string;
  /** The same number everywhere. */
  constant(shape: readonly number[], value: number): string;
  /** A constant list of int64, as Reshape takes it. */
  integers(values: readonly number[]): string;
  /** The chunks of the finished file. */
  finish(): Message;
}

export interface NodeExtra {
  readonly as?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

function encodeAttribute(name: string, value: AttributeValue): Message {
  if (typeof value === 'number') {
    return [...text(1, name), ...integer(3, value), ...integer(20, attribute.integer)];
  }
  if ('float' in value) {
    return [...text(1, name), ...float(2, value.float), ...integer(20, attribute.float)];
  }
  const list = value.flatMap(item => integer(8, item));
  return [...text(1, name), ...list, ...integer(20, attribute.integers)];
}

function encodeValue(name: string, type: ElementName, shape: readonly Axis[]): Message {
  const axes = shape.flatMap(axis =>
    nested(1, typeof axis === 'number' ? integer(1, axis) : text(2, axis)),
  );
  const tensor = [...integer(1, typeNumbers[type]), ...nested(2, axes)];
  return [...text(1, name), ...nested(2, nested(1, tensor))];
}

function encodeTensor(name: string, shape: readonly number[], data: ArrayBufferView): Message {
  const type = data instanceof Float32Array ? typeNumbers.float32 : typeNumbers.int64;
  const dims = shape.flatMap(size => integer(1, size));
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...dims, ...integer(2, type), ...text(8, name), ...bytes(9, raw)];
}

function encodeNode(
  op: string,
  inputs: readonly string[],
  output: string,
  extra: NodeExtra,
): Message {
  const attributes = Object.entries(extra.attributes ?? {}).flatMap(([name, value]) =>
    nested(5, encodeAttribute(name, value)),
  );
  const names = inputs.flatMap(name => text(1, name));
  return [...names, ...text(2, output), ...text(3, output), ...text(4, op), ...attributes];
}

/** The parts of a graph while it grows; each list holds encoded fields of GraphProto. */
interface Parts {
  readonly nodes: Uint8Array[];
  readonly initializers: Uint8Array[];
  readonly inputs: Uint8Array[];
  readonly outputs: Uint8Array[];
}

function encodeModel(name: string, parts: Parts): Message {
  const { nodes, initializers, inputs, outputs } = parts;
  const graph = [...nodes, ...text(2, name), ...initializers, ...inputs, ...outputs];
  const opset = nested(8, integer(2, opsetVersion));
  return [...integer(1, irVersion), ...text(2, 'inference-native'), ...nested(7, graph), ...opset];
}

/**
 * Starts a graph.
 * @param name  of the graph.
 * @param seed  of its weights.
 */
export function createGraph(name: string, seed: number): Graph {
  const parts: Parts = { nodes: [], initializers: [], inputs: [], outputs: [] };
  const random = seededRandom(seed);
  let names = 0;
  const initializer = (shape: readonly number[], data: ArrayBufferView): string => {
    const own = `w${names++}`;
    parts.initializers.push(...nested(5, encodeTensor(own, shape, data)));
    return own;
  };
  return {
    input: (own, type, shape) => {
      parts.inputs.push(...nested(11, encodeValue(own, type, shape)));
      return own;
    },
    output: (own, type, shape) => {
      parts.outputs.push(...nested(12, encodeValue(own, type, shape)));
    },
    node: (op, inputs, extra = {}) => {
      const output = extra.as ?? `n${names++}`;
      parts.nodes.push(...nested(1, encodeNode(op, inputs, output, extra)));
      return output;
    },
    weights: (shape, fanIn) => {
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      const bound = Math.sqrt(6 / fanIn);
      for (let at = 0; at < data.length; at++) data[at] = (2 * random() - 1) * bound;
      return initializer(shape, data);
    },
    constant: (shape, value) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return initializer(shape, new Float32Array(length).fill(value));
    },
    integers: values => initializer([values.length], BigInt64Array.from(values, BigInt)),
    finish: () => encodeModel(name, parts),
  };
}
