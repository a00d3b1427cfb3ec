// SPDX-License-Identifier: Apache-2.0
// gzip and deflate, both ways, in Node's pool of threads, with limits on what a body may grow to.
import { promisify } from 'node:util';
import { constants, deflate, gzip, unzip } from 'node:zlib';
import { InferenceError } from '../lib/index.js';
import { createBudget } from './body.js';
import { badInput } from './decode/describe.js';
import { createLine } from './line.js';

const inflateBytes = promisify<Buffer, { maxOutputLength: number }, Buffer>(unzip);

/** As sent by clients of Triton: one coding or none. */
const codings = new Set(['gzip', 'x-gzip', 'deflate']);

/** @returns  whether a body of that `Content-Encoding` can be inflated; undefined when there is nothing to do. */
export function isInflatable(contentEncoding: string): boolean | undefined {
  const coding = contentEncoding.trim().toLowerCase();
  return coding === '' || coding === 'identity' ? undefined : codings.has(coding);
}

export interface InflateLimits {
  /** Of one inflated body. */
  readonly maxRequestBytes: number;
  /** Of all that are there at a time. */
  readonly maxBufferedBytes: number;
}

/** A body as it was before it was compressed. */
export interface Inflated {
  readonly bytes: Buffer;
  /** To be called once, when it is needed no longer. */
  readonly release: () => void;
}

/** @throws  INFER_BAD_INPUT, INFER_QUEUE_FULL when other inflated bodies fill the memory, INFER_CANCELLED. */
export type Inflate = (body: Buffer, signal: AbortSignal) => Promise<Inflated>;

/** As many bodies grow at a time as the pool has threads by default: what they grow to is known afterwards only. */
const atOnce = 4;

export function createInflate({ maxRequestBytes, maxBufferedBytes }: InflateLimits): Inflate {
  const budget = createBudget(maxBufferedBytes);
  const line = createLine();
  let turn = 0;
  const grow = async (body: Buffer, signal: AbortSignal): Promise<Inflated> => {
    if (signal.aborted) throw new InferenceError('INFER_CANCELLED', 'body: nobody waits for it');
    const bytes = await inflateBytes(body, { maxOutputLength: maxRequestBytes }).catch(error => {
      throw mistake(error, maxRequestBytes);
    });
    if (!budget.take(bytes.length)) {
      const message =
        'body: no memory left to inflate it (maxBufferedBytes); other requests fill it now';
      throw new InferenceError('INFER_QUEUE_FULL', message);
    }
    return { bytes, release: () => budget.give(bytes.length) };
  };
  return (body, signal) => {
    turn = (turn + 1) % atOnce;
    return line(String(turn), () => grow(body, signal));
  };
}

function mistake(error: NodeJS.ErrnoException, maxBytes: number): InferenceError {
  const tooLarge = error.code === 'ERR_BUFFER_TOO_LARGE';
  const got = tooLarge ? 'one that inflates to more' : `${error.message} (${error.code})`;
  const expected = tooLarge
    ? `at most ${maxBytes} bytes once inflated (maxRequestBytes)`
    : 'what gzip or zlib has compressed, because of content-encoding';
  return badInput('body', expected, got);
}

/** Below it compressing text saves less than it costs. */
const smallBytes = 1024;

type Coding = 'gzip' | 'deflate';

/**
 * What the client wants its answer compressed with: what it alone names; of several the one it likes most, for text that
 * is worth it, because a client that names all it knows most often did not think about it.
 * @param acceptEncoding  the header; empty when it did not come.
 * @source                RFC 9110, 12.5.3; `deflate` is zlib's format, RFC 1950.
 */
export function codingFor(
  acceptEncoding: string,
  isText: boolean,
  bytes: number,
): Coding | undefined {
  if (acceptEncoding === '') return undefined;
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [, name, weight = '1'] = /^\s*([^\s;]+)\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(part) ?? [];
    if (name !== undefined) weights.set(name, Number(weight));
  }
  const wanted = (['gzip', 'deflate'] as const).filter(name => (weights.get(name) ?? 0) > 0);
  const [first, second] = wanted;
  if (first === undefined) return undefined;
  const best =
    second !== undefined && (weights.get(second) ?? 0) > (weights.get(first) ?? 0) ? second : first;
  if ((weights.get('identity') ?? 0) > (weights.get(best) ?? 0)) return undefined;
  if (second === undefined) return best;
  return isText && bytes >= smallBytes ? best : undefined;
}

const compressors = {
  gzip: promisify<Uint8Array, object, Buffer>(gzip),
  deflate: promisify<Uint8Array, object, Buffer>(deflate),
};

/** Fast rather than small: the answer waits for it. */
export function compress(body: string | Uint8Array, coding: Coding): Promise<Buffer> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return compressors[coding](bytes, { level: constants.Z_BEST_SPEED });
}
