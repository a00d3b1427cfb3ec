// SPDX-License-Identifier: Apache-2.0
// The header `accept` of a prediction -> the format of its answer.
import type { AnswerFormat, ModelInfo, TensorSpec } from '../lib/index.js';
import { quote } from './decode/describe.js';
import type { HttpRequest } from './route.js';

export interface AnswerType {
  readonly to: AnswerFormat;
  readonly contentType: string;
}

interface Offer extends AnswerType {
  /** Whether the outputs of a model can be written like that, as far as its signature tells. */
  readonly holds: (outputs: readonly TensorSpec[]) => boolean;
}

const json: AnswerType = { to: 'json', contentType: 'application/json' };
const hasRows = (outputs: readonly TensorSpec[]) => outputs.every(({ shape }) => shape.length > 0);
const isTable = ([first]: readonly TensorSpec[]) => {
  return first !== undefined && (first.shape.length === 1 || first.shape.length === 2);
};
const isNumeric = ([first]: readonly TensorSpec[]) => first?.type !== 'string';
const areNumeric = (outputs: readonly TensorSpec[]) => {
  return outputs.every(({ type }) => type !== 'string');
};

/** Of two that a client likes equally the first is taken. */
const offers: readonly Offer[] = [
  { ...json, holds: () => true },
  { to: 'jsonlines', contentType: 'application/jsonlines', holds: hasRows },
  { to: 'csv', contentType: 'text/csv', holds: isTable },
  { to: 'npy', contentType: 'application/x-npy', holds: isNumeric },
  { to: 'npz', contentType: 'application/x-npz', holds: areNumeric },
  { to: 'jsonlines', contentType: 'application/x-jsonlines', holds: hasRows },
  { to: 'jsonlines', contentType: 'application/x-ndjson', holds: hasRows },
];

/**
 * @returns  undefined when the client takes nothing that the model can give.
 * @source   RFC 9110 section 12.5.1: weights, and the most specific range counts. Of equal weights the first in the header
 *           counts, as in SageMaker's inference toolkit.
 */
export function chooseAnswer(accept: string, { signature }: ModelInfo): AnswerType | undefined {
  // What nearly all clients send: nothing, anything, or JSON before all else.
  if (accept === '' || accept === '*/*' || /^application\/json(?:$|,)/.test(accept)) return json;
  const ranges = accept.split(',').map(parseRange);
  let best: AnswerType | undefined;
  let bestRange: Range = { type: '', weight: 0, place: 0 };
  for (const offer of offers) {
    const range = rangeFor(offer.contentType, ranges);
    if (range === undefined || !offer.holds(signature.outputs)) continue;
    const { weight, place } = range;
    if (weight > bestRange.weight || (weight === bestRange.weight && place < bestRange.place)) {
      best = offer;
      bestRange = range;
    }
  }
  return best;
}

/** Of all lines together; empty when there is none. */
export function acceptOf({ otherHeaders }: HttpRequest): string {
  let accept = '';
  for (let index = 0; index < otherHeaders.length; index += 2) {
    if (otherHeaders[index] !== 'accept') continue;
    const value = otherHeaders[index + 1] ?? '';
    accept = accept === '' ? value : `${accept},${value}`;
  }
  return accept;
}

/** What to answer when nothing fits. */
export function notAcceptable(accept: string, { name, signature }: ModelInfo): string {
  const given = offers.filter(({ holds }) => holds(signature.outputs));
  const types = given.map(({ contentType }) => contentType).join(', ');
  return `header accept: expected one of ${types} for model ${quote(name)}, got ${quote(accept)}`;
}

interface Range {
  /** In lower case, such as `text/csv` or `text/*`. */
  readonly type: string;
  readonly weight: number;
  /** In the header, from 0. */
  readonly place: number;
}

function parseRange(text: string, place: number): Range {
  const [type = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase());
  const weight = parameters.find(parameter => parameter.startsWith('q='))?.slice(2);
  const value = weight === undefined || weight === '' ? 1 : Number(weight);
  // Java's own client sends a bare `*`.
  return { type: type === '*' ? '*/*' : type, weight: value >= 0 && value <= 1 ? value : 1, place };
}

function rangeFor(contentType: string, ranges: readonly Range[]): Range | undefined {
  const family = `${contentType.slice(0, contentType.indexOf('/'))}/*`;
  for (const wanted of [contentType, family, '*/*']) {
    const range = ranges.find(({ type }) => type === wanted);
    if (range !== undefined) return range;
  }
  return undefined;
}
