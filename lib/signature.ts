// SPDX-License-Identifier: Apache-2.0
// Joins what model.json says about inputs and outputs with the signature that the engine read from the file.
import { InferenceError, quote, quoteAll } from './errors.js';
import type { Settings } from './manifest.js';
import type { ImageSpec } from './option_types.js';
import { type Signature, specText, type TensorSpec } from './tensor.js';

/**
 * The signature that a model is served with.
 * @param settings  `inputs`, `outputs`, `preprocess` and `postprocess` are checked against the file.
 * @param file      the signature of the model file.
 * @returns         the file's, with the axes fixed that `inputs` fixes.
 * @throws          INFER_MODEL_INVALID naming the key, what the file has and what was declared.
 */
export function joinSignature(settings: Settings, file: Signature): Signature {
  const { inputs, outputs, preprocess, postprocess } = settings;
  const signature = {
    inputs: joinSpecs('inputs', inputs, file.inputs),
    outputs: joinSpecs('outputs', outputs, file.outputs),
  };
  for (const [name, { image }] of Object.entries(preprocess ?? {})) {
    checkImageInput(find('preprocess', name, signature.inputs), image);
  }
  for (const [name, { labels }] of Object.entries(postprocess ?? {})) {
    checkLabels(find('postprocess', name, signature.outputs), labels);
  }
  return signature;
}

function invalid(text: string): InferenceError {
  return new InferenceError('INFER_MODEL_INVALID', text);
}

function namesOf(specs: readonly TensorSpec[]): string {
  return quoteAll(specs.map(spec => spec.name));
}

/** Each declared entry has to fit the one of the same name in the file, and none may be left out. */
function joinSpecs(
  key: 'inputs' | 'outputs',
  declared: readonly TensorSpec[] | undefined,
  file: readonly TensorSpec[],
): readonly TensorSpec[] {
  if (declared === undefined) return file;
  const byName = new Map(declared.map(spec => [spec.name, spec]));
  if (byName.size !== declared.length) {
    throw invalid(`"${key}": expected each name once, got ${namesOf(declared)}`);
  }
  const unknown = declared.find(spec => !file.some(own => own.name === spec.name));
  if (unknown !== undefined) {
    throw invalid(`"${key}": the file has no ${quote(unknown.name)}; it has ${namesOf(file)}`);
  }
  return file.map(own => {
    const wanted = byName.get(own.name);
    if (wanted === undefined) {
      throw invalid(
        `"${key}": ${quote(own.name)} of the file is missing; got ${namesOf(declared)}`,
      );
    }
    if (!fits(key, wanted, own)) {
      const got = specText(wanted);
      throw invalid(`"${key}": the file has ${quote(own.name)} as ${specText(own)}, got ${got}`);
    }
    return { ...own, shape: [...wanted.shape] };
  });
}

function fits(key: 'inputs' | 'outputs', wanted: TensorSpec, own: TensorSpec): boolean {
  if (wanted.type !== own.type || wanted.shape.length !== own.shape.length) return false;
  return own.shape.every((size, axis) => {
    if (wanted.shape[axis] === size) return true;
    return size < 0 && key === 'inputs'; // an input's free axis may be narrowed, because predict() enforces it
  });
}

function find(key: string, name: string, specs: readonly TensorSpec[]): TensorSpec {
  const spec = specs.find(candidate => candidate.name === name);
  if (spec === undefined) {
    throw invalid(`"${key}": the model has no ${quote(name)}; it has ${namesOf(specs)}`);
  }
  return spec;
}

function checkImageInput(spec: TensorSpec, image: ImageSpec): void {
  const [width, height] = image.size;
  const channels = image.colour === 'gray' ? 1 : 3;
  const pixels = image.layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const axesFit = pixels.every((size, axis) => {
    const own = spec.shape[axis + 1];
    return own === -1 || own === size;
  });
  const [images] = spec.shape; // a request has one, and more only where the axis is free
  const oneFits = images === -1 || images === 1;
  if (spec.type !== 'float32' || spec.shape.length !== 4 || !axesFit || !oneFits) {
    const wanted = specText({ type: 'float32', shape: [-1, ...pixels] });
    throw invalid(
      `"preprocess.${spec.name}.image": makes ${wanted}, but the input is ${specText(spec)}`,
    );
  }
}

function checkLabels(spec: TensorSpec, labels: readonly string[] | undefined): void {
  const classes = spec.shape.at(-1);
  if (classes === undefined) {
    throw invalid(`"postprocess.${spec.name}": expected an output with a class axis, got a scalar`);
  }
  if (labels === undefined || classes < 0 || labels.length === classes) return;
  throw invalid(
    `"postprocess.${spec.name}.labels": expected ${classes} lines for ${specText(spec)}, got ${labels.length}`,
  );
}
