// SPDX-License-Identifier: Apache-2.0
// Writes the benchmark models into build/bench-models, and with --check runs each in onnxruntime-node.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Message } from './protobuf.js';
import { sizeOf } from './protobuf.js';
import { encoder, packingNet, perceptron, squeezeNet } from './topologies.js';

/** The root of the repository; this file runs from dist/bench. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const modelFolder = join(root, 'build', 'bench-models');

/** One benchmark model: how it is built, and one row of its input. */
export interface BenchModel {
  readonly name: string;
  readonly build: () => Message;
  readonly input: string;
  readonly type: 'float32' | 'int64';
  /** Axes after the batch axis; -1 is a free one. */
  readonly row: readonly number[];
  readonly says: string;
}

const micro = { name: 'micro', input: 'x', type: 'float32', row: [4] } as const;
const wide = { name: 'wide', input: 'x', type: 'float32', row: [1024] } as const;
const squeeze = { name: 'squeezenet', input: 'x', type: 'float32', row: [3, 224, 224] } as const;
const encode = { name: 'encoder', input: 'ids', type: 'int64', row: [-1] } as const;
const packing = { name: 'packing', input: 'x', type: 'float32', row: [16, 32, 32] } as const;

/** The models by name. */
export const models = {
  micro: {
    ...micro,
    build: () => perceptron('micro', [4, 16, 3]),
    says: 'perceptron 4-16-3 with softmax: nothing but overhead',
  },
  wide: {
    ...wide,
    build: () => perceptron('wide', [1024, 4096, 4096, 1000]),
    says: 'perceptron 1024-4096-4096-1000, 100 MB of weights: bound by memory unless batched',
  },
  squeezenet: { ...squeeze, build: squeezeNet, says: 'SqueezeNet 1.1, 224x224: bound by compute' },
  encoder: {
    ...encode,
    build: encoder,
    says: 'transformer encoder, 4 layers, width 256, 4 heads, free sequence length',
  },
  packing: {
    ...packing,
    build: packingNet,
    says: 'eight small convolutions, 75 kB of weights, for many models on one lane',
  },
} as const satisfies Record<string, BenchModel>;

export type ModelName = keyof typeof models;

/** Absolute path of a model's file. */
export function modelPath(name: ModelName): string {
  return join(modelFolder, `${name}.onnx`);
}

/** Numbers for `rows` rows of a model, the same on every call; ids for an int64 one. */
export function sampleInput(
  model: BenchModel,
  rows: number,
  free = 1,
): Float32Array | BigInt64Array {
  const perRow = model.row.reduce((product, size) => product * (size < 0 ? free : size), 1);
  const length = rows * perRow;
  if (model.type === 'int64') return BigInt64Array.from({ length }, (_, at) => BigInt(at % 1000));
  return Float32Array.from({ length }, (_, at) => Math.fround(((at * 37) % 101) / 101));
}

/** Writes the models that are not there yet; an interrupted write leaves none half done. */
export function buildModels(
  names: readonly ModelName[] = Object.keys(models) as ModelName[],
): void {
  mkdirSync(modelFolder, { recursive: true });
  for (const name of names) {
    const path = modelPath(name);
    if (existsSync(path)) continue;
    const message = models[name].build();
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, Buffer.concat(message, sizeOf(message)));
    renameSync(temporary, path);
  }
}

async function check(name: ModelName): Promise<void> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const model: BenchModel = models[name];
  const session = await InferenceSession.create(modelPath(name));
  for (const rows of [1, 3]) {
    const shape = [rows, ...model.row.map(size => (size < 0 ? 16 : size))];
    const tensor = new Tensor(model.type, sampleInput(model, rows, 16) as Float32Array, shape);
    const { y } = await session.run({ [model.input]: tensor });
    const values = y?.data as Float32Array;
    if (y?.dims[0] !== rows || !values.every(Number.isFinite)) {
      throw new Error(`${name}: expected ${rows} rows of finite numbers, got ${y?.dims}`);
    }
    if (Math.max(...values) === Math.min(...values)) throw new Error(`${name}: all outputs agree`);
  }
  await session.release();
}

async function main(): Promise<void> {
  buildModels();
  for (const name of Object.keys(models) as ModelName[]) {
    if (process.argv.includes('--check')) await check(name);
    const file = modelPath(name);
    const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
    console.log(`${name}: ${statSync(file).size} bytes, sha256 ${digest}, ${models[name].says}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
