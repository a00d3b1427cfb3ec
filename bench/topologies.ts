// SPDX-License-Identifier: Apache-2.0
// The models of the benchmarks: two perceptrons, SqueezeNet 1.1, a transformer encoder, and one for packing.
import { createGraph, type Graph } from './onnx.js';
import type { Message } from './protobuf.js';

function dense(graph: Graph, from: string, sizes: readonly [number, number], as?: string): string {
  const [inputs, outputs] = sizes;
  const operands = [from, graph.weights([inputs, outputs], inputs), graph.constant([outputs], 0)];
  return graph.node('Gemm', operands, as === undefined ? {} : { as });
}

/** A perceptron of these layer sizes with ReLU between layers and softmax at the end; float32 [batch, n]. */
export function perceptron(name: string, sizes: readonly number[]): Message {
  const graph = createGraph(name, 1);
  let value = graph.input('x', 'float32', ['batch', sizes[0] ?? 1]);
  for (let layer = 1; layer < sizes.length; layer++) {
    value = dense(graph, value, [sizes[layer - 1] ?? 1, sizes[layer] ?? 1]);
    if (layer < sizes.length - 1) value = graph.node('Relu', [value]);
  }
  graph.node('Softmax', [value], { as: 'y', attributes: { axis: 1 } });
  graph.output('y', 'float32', ['batch', sizes.at(-1) ?? 1]);
  return graph.finish();
}

interface Convolution {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: number;
  readonly stride?: number;
  readonly pad?: number;
}

function convolve(graph: Graph, from: string, shape: Convolution): string {
  const { kernel, stride = 1, pad = 0 } = shape;
  const [inputs, outputs] = shape.channels;
  const weights = graph.weights([outputs, inputs, kernel, kernel], inputs * kernel * kernel);
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  };
  const sum = graph.node('Conv', [from, weights, graph.constant([outputs], 0)], { attributes });
  return graph.node('Relu', [sum]);
}

/** A fire module: squeeze with 1x1, expand with 1x1 and 3x3 side by side. */
function fire(graph: Graph, from: string, sizes: readonly [number, number, number]): string {
  const [inputs, squeezed, expanded] = sizes;
  const narrow = convolve(graph, from, { channels: [inputs, squeezed], kernel: 1 });
  const channels = [squeezed, expanded] as const;
  const left = convolve(graph, narrow, { channels, kernel: 1 });
  const right = convolve(graph, narrow, { channels, kernel: 3, pad: 1 });
  return graph.node('Concat', [left, right], { attributes: { axis: 1 } });
}

function maxPool(graph: Graph, from: string): string {
  const attributes = { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 };
  return graph.node('MaxPool', [from], { attributes });
}

/**
 * SqueezeNet 1.1 with random weights, float32 [batch, 3, 224, 224] to [batch, 1000].
 * @source  Iandola et al., SqueezeNet (2016), and the authors' version 1.1 (conv1 of 64 3x3, pools after 1, 3, 5).
 */
export function squeezeNet(): Message {
  const graph = createGraph('squeezenet-1.1', 2);
  const x = graph.input('x', 'float32', ['batch', 3, 224, 224]);
  let value = convolve(graph, x, { channels: [3, 64], kernel: 3, stride: 2 });
  value = maxPool(graph, value);
  value = fire(graph, value, [64, 16, 64]);
  value = fire(graph, value, [128, 16, 64]);
  value = maxPool(graph, value);
  value = fire(graph, value, [128, 32, 128]);
  value = fire(graph, value, [256, 32, 128]);
  value = maxPool(graph, value);
  value = fire(graph, value, [256, 48, 192]);
  value = fire(graph, value, [384, 48, 192]);
  value = fire(graph, value, [384, 64, 256]);
  value = fire(graph, value, [512, 64, 256]);
  value = convolve(graph, value, { channels: [512, 1000], kernel: 1 });
  value = graph.node('GlobalAveragePool', [value]);
  value = graph.node('Flatten', [value], { attributes: { axis: 1 } });
  graph.node('Softmax', [value], { as: 'y', attributes: { axis: 1 } });
  graph.output('y', 'float32', ['batch', 1000]);
  return graph.finish();
}

const width = 256;
const heads = 4;
const vocabulary = 1000;

function project(graph: Graph, from: string, sizes: readonly [number, number]): string {
  const product = graph.node('MatMul', [from, graph.weights(sizes, sizes[0])]);
  return graph.node('Add', [product, graph.constant([sizes[1]], 0)]);
}

function normalize(graph: Graph, value: string): string {
  const operands = [value, graph.constant([width], 1), graph.constant([width], 0)];
  const attributes = { axis: -1, epsilon: { float: 1e-5 } };
  return graph.node('LayerNormalization', operands, { attributes });
}

/** [batch, sequence, width] to [batch, heads, sequence, width / heads], or with the last two axes swapped. */
function splitHeads(graph: Graph, value: string, swapped: boolean): string {
  const parts = graph.node('Reshape', [value, graph.integers([0, 0, heads, width / heads])]);
  const perm = swapped ? [0, 2, 3, 1] : [0, 2, 1, 3];
  return graph.node('Transpose', [parts], { attributes: { perm } });
}

function attend(graph: Graph, value: string): string {
  const square = [width, width] as const;
  const query = splitHeads(graph, project(graph, value, square), false);
  const key = splitHeads(graph, project(graph, value, square), true);
  const content = splitHeads(graph, project(graph, value, square), false);
  const products = graph.node('MatMul', [query, key]);
  const scale = graph.constant([], 1 / Math.sqrt(width / heads));
  const scaled = graph.node('Mul', [products, scale]);
  const shares = graph.node('Softmax', [scaled], { attributes: { axis: -1 } });
  const mixed = graph.node('MatMul', [shares, content]);
  const joined = graph.node('Transpose', [mixed], { attributes: { perm: [0, 2, 1, 3] } });
  const merged = graph.node('Reshape', [joined, graph.integers([0, 0, width])]);
  return project(graph, merged, square);
}

function encoderLayer(graph: Graph, value: string): string {
  const attended = normalize(graph, graph.node('Add', [value, attend(graph, value)]));
  const inner = graph.node('Relu', [project(graph, attended, [width, 4 * width])]);
  const outer = project(graph, inner, [4 * width, width]);
  return normalize(graph, graph.node('Add', [attended, outer]));
}

/**
 * A transformer encoder of 4 layers, width 256, 4 heads: int64 ids [batch, sequence] to float32 [batch, 256].
 * @source  Vaswani et al., Attention Is All You Need (2017), section 3.1; without positions, mean over the sequence.
 */
export function encoder(): Message {
  const graph = createGraph('encoder', 3);
  const ids = graph.input('ids', 'int64', ['batch', 'sequence']);
  let value = graph.node('Gather', [graph.weights([vocabulary, width], 6), ids]);
  for (let layer = 0; layer < 4; layer++) value = encoderLayer(graph, value);
  graph.node('ReduceMean', [value], { as: 'y', attributes: { axes: [1], keepdims: 0 } });
  graph.output('y', 'float32', ['batch', width]);
  return graph.finish();
}

/**
 * Eight convolutions on a small map, float32 [batch, 16, 32, 32] to [batch, 10]: weights and activations of one model
 * take some 200 kB, so that a hundred models differ from one in scheduling more than in memory traffic.
 */
export function packingNet(): Message {
  const graph = createGraph('packing', 4);
  let value = graph.input('x', 'float32', ['batch', 16, 32, 32]);
  for (let layer = 0; layer < 8; layer++) {
    value = convolve(graph, value, { channels: [16, 16], kernel: 3, pad: 1 });
  }
  value = graph.node('GlobalAveragePool', [value]);
  value = graph.node('Flatten', [value], { attributes: { axis: 1 } });
  dense(graph, value, [16, 10], 'y');
  graph.output('y', 'float32', ['batch', 10]);
  return graph.finish();
}
