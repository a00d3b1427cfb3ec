// SPDX-License-Identifier: Apache-2.0
// The types of the options in lib/options.ts: as callers give them, and as they are in effect.
import type { TensorSpec } from './tensor.js';

/** How the pixels of an image become an input of shape [N, C, H, W] or [N, H, W, C]. */
export interface ImageSpec {
  /** Width and height in pixels that the model wants. */
  readonly size: readonly [width: number, height: number];
  /** How an image of another size is fitted. */
  readonly resize: 'stretch' | 'cover' | 'contain' | 'shorter';
  /** For resize `shorter`: what the shorter side is scaled to before the centre is cut out. */
  readonly shorter: number;
  /** How pixels of another size are made: from which of the old ones, and with which weights. */
  readonly filter: 'lanczos' | 'bilinear' | 'area';
  readonly layout: 'NCHW' | 'NHWC';
  readonly colour: 'rgb' | 'bgr' | 'gray';
  /** value = (pixel * scale - mean[channel]) / std[channel], in float32. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Any value of T left out or undefined. */
type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** How requests queue and batch. Units and ranges: docs/options.md. */
export interface Batching {
  readonly maxBatch: number;
  readonly maxDelayUs: number;
  readonly mode: 'adaptive' | 'fixed' | 'triton';
  readonly maxQueue: number;
  readonly maxQueueRows: number;
  readonly maxQueueBytes: number;
  readonly buckets?: readonly number[];
  readonly preferred?: readonly number[];
  readonly padding?: Readonly<Record<string, Padding>>;
}

/** What fills an input up to the length of others in its run. */
export interface Padding {
  readonly value: number;
  /** The input that says which elements are real. */
  readonly mask?: string;
}

/** Options of how requests queue and batch. */
export type BatchingOptions = Optional<Omit<Batching, 'padding'>> & {
  readonly padding?: Readonly<Record<string, Optional<Padding>>> | undefined;
};

/** Where a model runs. */
export interface Placement {
  readonly device: string;
  readonly lanes: number;
  readonly cores: readonly number[];
  readonly threadsPerRun: number;
}

/** What one request may ask for; a key that is absent sets no limit. */
export interface Limits {
  readonly timeoutMs?: number;
  readonly maxRows?: number;
}

/** Options of loadModel(): any key of model.json, which it overrides, and `enginePath`. */
export interface LoadOptions {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly engine?: 'onnxruntime' | undefined;
  readonly file?: string | undefined;
  readonly inputs?: readonly TensorSpec[] | undefined;
  readonly outputs?: readonly TensorSpec[] | undefined;
  readonly preprocess?: Readonly<Record<string, PreprocessOptions>> | undefined;
  readonly postprocess?: Readonly<Record<string, PostprocessOptions>> | undefined;
  readonly batching?: BatchingOptions | undefined;
  readonly placement?: Optional<Placement> | undefined;
  readonly limits?: Optional<Limits> | undefined;
  readonly warmup?: 'none' | 'random' | undefined;
  readonly enginePath?: string | undefined;
}

/** Options for making an input from encoded media; `size` has to come from here or from model.json. */
export type PreprocessOptions = Optional<{ image: Optional<ImageSpec> }>;

/** Options for turning scores into named classes. */
export type PostprocessOptions = Optional<{ labels: string; topK: number; softmax: boolean }>;

/** T without undefined at any depth: what is left of options once they are checked. */
type Defined<T> = T extends string | number | boolean | readonly unknown[]
  ? T
  : { readonly [K in keyof T]: Defined<Exclude<T[K], undefined>> };

/** Options of any origin after the check. */
export type CheckedOptions = Defined<LoadOptions>;
