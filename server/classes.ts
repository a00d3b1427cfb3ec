// SPDX-License-Identifier: Apache-2.0
// Scores of one row -> the best classes with their names.
import type { ModelInfo, Tensor } from '../lib/index.js';
import { float32Text, numbersOf } from './numbers.js';

type Postprocess = NonNullable<ModelInfo['postprocess']>[string];

/** The output that holds the scores: the first that model.json says something about; else the first. */
export function scoresName({
  signature: { outputs },
  postprocess = {},
}: Pick<ModelInfo, 'signature' | 'postprocess'>): string {
  return (outputs.find(({ name }) => Object.hasOwn(postprocess, name)) ?? outputs[0])?.name ?? '';
}

/** What an output gets that model.json says nothing about. */
const plain: Postprocess = { topK: 5, softmax: false };

/**
 * The answer to an image: `[{"class": name, "probability": number}]`, best first.
 * @param scores  shape [1, classes] or [classes], further axes of size 1; of several rows the first counts.
 * @param post    from model.json: labels (else the numbers of the classes), topK, softmax.
 * @param form    `object` for `{name: number}`, as TorchServe answers.
 * @returns       JSON text. Equal scores keep the order of the classes; NaN comes last.
 */
export function topClassesText(
  scores: Tensor,
  post: Postprocess = plain,
  form: 'list' | 'object' = 'list',
): string {
  const rows = scores.shape.length > 1 ? Math.max(scores.shape[0] ?? 1, 1) : 1;
  const all = numbersOf(scores);
  const row = all.subarray(0, all.length / rows);
  const values = post.softmax ? softmax(row) : row;
  const best = [...values.keys()].sort((a, b) => compare(values, a, b)).slice(0, post.topK);
  const entries = best.map(index => {
    const name = JSON.stringify(post.labels?.[index] ?? String(index));
    const value = float32Text(Math.fround(values[index] ?? 0));
    return form === 'list' ? `{"class":${name},"probability":${value}}` : `${name}:${value}`;
  });
  return form === 'list' ? `[${entries.join(',')}]` : `{${entries.join(',')}}`;
}

function compare(values: Float64Array, a: number, b: number): number {
  const left = values[a] ?? Number.NaN;
  const right = values[b] ?? Number.NaN;
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  return right - left || a - b;
}

/** @source Goodfellow et al., Deep Learning (2016), section 4.1: subtract the maximum before exp. */
function softmax(scores: Float64Array): Float64Array {
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = scores.map(score => Math.exp(score - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map(power => power / sum);
}
