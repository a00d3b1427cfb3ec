// SPDX-License-Identifier: Apache-2.0
// Image classifiers of MMS 0.x and TorchServe: what their stock handlers did before and after the model.
import type { LoadOptions, ModelInfo } from '../../lib/index.js';
import { invalid } from './archive.js';
import { objectOf, type PackageFiles, readObject, textOf } from './files.js';
import type { PackageManifest } from './manifest.js';

type Image = NonNullable<NonNullable<LoadOptions['preprocess']>[string]['image']>;
type Classes = NonNullable<LoadOptions['postprocess']>[string];

/** Names are those of the tensors where they are known, else ''. */
export interface Classifier {
  readonly input: string;
  readonly image: Image;
  readonly output: string;
  readonly classes: Classes;
}

const handlerOfTorchServe = 'image_classifier';
const labelsOfTorchServe = 'index_to_name.json';
const labelsOfMms = 'synset.txt';
const signatureName = 'signature.json';

/** Whether TorchServe brought this handler, so that there is no file of it. */
export function isKnownHandler(handler: string): boolean {
  return handler === handlerOfTorchServe;
}

/** undefined for a package that is no image classifier of these kinds. @throws  INFER_MODEL_INVALID */
export async function readClassifier(
  files: PackageFiles,
  { handler }: PackageManifest,
): Promise<Classifier | undefined> {
  if (isKnownHandler(handler)) {
    return { input: '', image: torchServeImage, output: '', classes: torchServeClasses(files) };
  }
  return files.names.includes(signatureName) ? readSignature(files) : undefined;
}

/** @source TorchServe, handler `image_classifier`: ImageNet's statistics, shorter side 256, bilinear, centre 224, softmax, five classes. */
const torchServeImage: Image = {
  size: [224, 224],
  resize: 'shorter',
  shorter: 256,
  filter: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

function torchServeClasses({ names }: PackageFiles): Classes {
  const labels = names.includes(labelsOfTorchServe) ? { labels: labelsOfTorchServe } : {};
  return { ...labels, softmax: true };
}

/** @source MMS: `image/jpeg` with the shape [N, C, H, W], scaled by area, pixels and output as they are, labels in synset.txt. */
async function readSignature(files: PackageFiles): Promise<Classifier | undefined> {
  const where = `${files.label}: ${signatureName}`;
  const signature = await readObject(files, signatureName);
  if (textOf(signature, 'input_type', where) !== 'image/jpeg') return undefined;
  const input = firstOf(signature['inputs'], `${where}: inputs`);
  const output = firstOf(signature['outputs'], `${where}: outputs`);
  const labels = files.names.includes(labelsOfMms) ? { labels: labelsOfMms } : {};
  return {
    input: textOf(input, 'data_name', `${where}: inputs`) ?? '',
    image: imageOf(input['data_shape'], `${where}: inputs`),
    output: textOf(output, 'data_name', `${where}: outputs`) ?? '',
    classes: labels,
  };
}

function firstOf(list: unknown, where: string) {
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid(where, 'expected an array of one or more objects');
  }
  return objectOf(list[0], where);
}

function imageOf(shape: unknown, where: string): Image {
  const sizes: readonly unknown[] = Array.isArray(shape) ? shape : [];
  const [, channels, height, width] = sizes;
  const isSize = (size: unknown): size is number => Number.isInteger(size) && Number(size) > 0;
  if (
    sizes.length !== 4 ||
    (channels !== 1 && channels !== 3) ||
    !isSize(height) ||
    !isSize(width)
  ) {
    throw invalid(`${where}: data_shape`, 'expected [N, C, H, W] with C 1 or 3, H and W above 0');
  }
  const colour = channels === 1 ? 'gray' : 'rgb';
  return { size: [width, height], filter: 'area', scale: 1, colour };
}

/**
 * The options that make a loaded model the classifier. Tensors are found by name; a converted model may have named them
 * otherwise, so the first ones are taken where there is no such name.
 */
export function classifierOptions(
  { input, image, output, classes }: Classifier,
  { signature: { inputs, outputs } }: Pick<ModelInfo, 'signature'>,
): Pick<LoadOptions, 'preprocess' | 'postprocess'> {
  const into = inputs.find(({ name }) => name === input) ?? inputs[0];
  const from = outputs.find(({ name }) => name === output) ?? outputs[0];
  return {
    preprocess: { [into?.name ?? '']: { image } },
    postprocess: { [from?.name ?? '']: classes },
  };
}
