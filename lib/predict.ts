// SPDX-License-Identifier: Apache-2.0
// predict(), predictJson(), predictBytes() and predictV2() of one model: what they take, and how it becomes a request.
import { type Handle, submit } from './environment.js';
import { atCallerOf, describe, InferenceError, quote, toInferenceError } from './errors.js';
import { writeRequest } from './flat.js';
import { type Inputs, type InputsPlan, type NativeData, readInputs } from './inputs.js';
import { maxTimeoutMs } from './options.js';
import {
  answerFormats,
  type BytesOptions,
  bodyFormats,
  bodyForms,
  type JsonAnswer,
  jsonForms,
  type PredictOptions,
  type V2Answer,
  type V2Options,
} from './predict_types.js';
import { arrayTag, type Tensor } from './tensor.js';

export type Predict = (inputs: Inputs, options?: PredictOptions) => Promise<Record<string, Tensor>>;
export type PredictBytes = (
  input: Uint8Array | Inputs,
  options?: BytesOptions,
) => Promise<JsonAnswer>;
export type PredictV2 = (body: Uint8Array, options?: V2Options) => Promise<V2Answer>;

/** A model as its predictions see it. */
export interface PredictContext {
  readonly handle: Handle;
  readonly plan: InputsPlan;
  readonly name: string;
  /** 0 for none. */
  readonly usualTimeoutMs: number;
  readonly isClosed: () => boolean;
}

/** Makes predict() of one model. */
export function predictor(context: PredictContext): Predict {
  const { handle, plan, name, usualTimeoutMs, isClosed } = context;
  const predict: Predict = (inputs, options) =>
    new Promise<Record<string, Tensor>>((resolve, reject) => {
      try {
        if (isClosed()) throw closedError(name, 'predict');
        let timeoutMs = usualTimeoutMs;
        let signal: AbortSignal | undefined;
        if (options !== undefined) {
          checkOptions<PredictOptions>(options, predictKeys);
          timeoutMs = options.timeoutMs ?? usualTimeoutMs;
          signal = options.signal;
        }
        const data: NativeData[] = [];
        const shapes: number[] = [];
        readInputs(plan, inputs, data, shapes);
        if (signal?.aborted) throw abortedError(signal); // by a getter of the inputs
        const entry = {
          kind: 'tensors',
          handle,
          resolve,
          reject,
          signal,
          timer: undefined,
        } as const;
        submit(entry, timeoutMs, ({ native, number: model }, id, flat) => {
          const request = { id, model, inputs: plan.inputs };
          // A flat request has no deadline: it is read later, and a deadline counts from the call.
          if (timeoutMs > 0 || !writeRequest(flat, request, data, shapes)) {
            native.submit(id, data, shapes, timeoutMs);
          }
          return undefined;
        });
      } catch (error) {
        reject(atCallerOf(predict, toInferenceError(error, 'INFER_BAD_INPUT')));
      }
    }).then(undefined, rethrow);
  return predict;
}

/** Makes predictBytes() of one model, or predictJson(), which takes a body of JSON only and answers in kind. */
export function bytesPredictor(
  context: PredictContext,
  call: 'predictBytes' | 'predictJson',
): PredictBytes {
  const { handle, name, usualTimeoutMs, isClosed } = context;
  const keys = call === 'predictJson' ? jsonKeys : bytesKeys;
  const predictBytes: PredictBytes = (input, options = {}) =>
    new Promise<JsonAnswer>((resolve, reject) => {
      try {
        if (isClosed()) throw closedError(name, call);
        checkOptions<BytesOptions>(options, keys);
        const { signal, timeoutMs = usualTimeoutMs, timing: timed = false } = options;
        const maxBytes = readMaxBytes(options);
        const form = readForm(options);
        const isBody = arrayTag(input) === 'Uint8Array';
        if (!isBody && call === 'predictJson')
          throw badOption('body: expected a Uint8Array', input);
        const entry = {
          kind: 'json',
          timed,
          handle,
          resolve,
          reject,
          signal,
          timer: undefined,
        } as const;
        if (isBody) {
          submit(entry, timeoutMs, ({ native }, id) =>
            native.submitJson(id, input as Uint8Array, timeoutMs, maxBytes, form, timed),
          );
          return;
        }
        const { data, shapes } = readTensors(context, input as Inputs, options);
        if (signal?.aborted) throw abortedError(signal); // by a getter of the inputs
        submit(entry, timeoutMs, ({ native }, id) =>
          native.submit(id, data, shapes, timeoutMs, maxBytes, form, timed),
        );
      } catch (error) {
        reject(atCallerOf(predictBytes, toInferenceError(error, 'INFER_BAD_INPUT')));
      }
    }).then(undefined, rethrow);
  return predictBytes;
}

/** Makes predictV2() of one model. */
export function v2Predictor(context: PredictContext): PredictV2 {
  const { handle, name, usualTimeoutMs, isClosed } = context;
  const predictV2: PredictV2 = (body, options = {}) =>
    new Promise<V2Answer>((resolve, reject) => {
      try {
        if (isClosed()) throw closedError(name, 'predictV2');
        checkOptions<V2Options>(options, v2Keys);
        const { signal, timeoutMs = usualTimeoutMs, timing: timed = false, headerBytes } = options;
        const maxBytes = readMaxBytes(options);
        if (arrayTag(body) !== 'Uint8Array') throw badOption('body: expected a Uint8Array', body);
        checkHeaderBytes(headerBytes, body.length);
        const entry = {
          kind: 'json',
          timed,
          handle,
          resolve,
          reject,
          signal,
          timer: undefined,
        } as const;
        submit(entry, timeoutMs, ({ native }, id) =>
          native.submitV2(id, body, timeoutMs, maxBytes, headerBytes, timed),
        );
      } catch (error) {
        reject(atCallerOf(predictV2, toInferenceError(error, 'INFER_BAD_INPUT')));
      }
    }).then(undefined, rethrow);
  return predictV2;
}

/**
 * Turns what the addon reported into an InferenceError. Making it here, in a reaction to the promise that the
 * caller awaits, lets V8 add the caller's frames ("at async ..."); a stack taken in every predict() would cost
 * several microseconds each, also when nothing fails.
 */
function rethrow(reason: unknown): never {
  if (reason instanceof InferenceError) throw reason;
  throw atCallerOf(rethrow, toInferenceError(reason));
}

/** Of a call that came after close(). */
export function closedError(name: string, call: string): InferenceError {
  return new InferenceError(
    'INFER_CLOSED',
    `model ${quote(name)}: closed before this call of ${call}()`,
  );
}

function abortedError(signal: AbortSignal): InferenceError {
  const extra = { cause: signal.reason as unknown };
  return new InferenceError('INFER_CANCELLED', 'option "signal": aborted before the call', extra);
}

const predictKeys = ['signal', 'timeoutMs'];
const jsonKeys = [...predictKeys, 'forms', 'maxResponseBytes', 'timing'];
const bytesKeys = [...jsonKeys, 'from', 'to'];

/** What both calls take, and that there is nothing else; a signal that is aborted already is thrown. */
function checkOptions<T extends PredictOptions>(
  options: unknown,
  keys: readonly string[],
): asserts options is T {
  const list = () => keys.map(quote).join(', ');
  if (typeof options !== 'object' || options === null) {
    throw badOption(`options: expected an object with ${list()}`, options);
  }
  for (const key of Object.keys(options)) {
    if (!keys.includes(key)) throw badOption(`options: expected only ${list()}`, key);
  }
  const { signal, timeoutMs } = options as { signal?: unknown; timeoutMs?: unknown };
  if (
    timeoutMs !== undefined &&
    !(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= maxTimeoutMs)
  ) {
    throw badOption(
      `option "timeoutMs": expected a number of milliseconds above 0 up to ${maxTimeoutMs}`,
      timeoutMs,
    );
  }
  if (signal === undefined) return;
  if (!isAbortSignal(signal)) throw badOption('option "signal": expected an AbortSignal', signal);
  if (signal.aborted) throw abortedError(signal);
}

const v2Keys = [...predictKeys, 'headerBytes', 'maxResponseBytes', 'timing'];

function checkHeaderBytes(headerBytes: unknown, bodyBytes: number): void {
  if (headerBytes === undefined) return;
  const fits =
    Number.isSafeInteger(headerBytes) &&
    (headerBytes as number) >= 0 &&
    (headerBytes as number) <= bodyBytes;
  if (fits) return;
  const expected = `an integer from 0 to ${bodyBytes}, the bytes of the body`;
  throw badOption(`option "headerBytes": expected ${expected}`, headerBytes);
}

/** Tensors instead of a body. */
function readTensors({ plan }: PredictContext, inputs: Inputs, { from }: BytesOptions) {
  if (from !== undefined) throw badOption('option "from": expected none beside tensors', from);
  const data: NativeData[] = [];
  const shapes: number[] = [];
  readInputs(plan, inputs, data, shapes);
  return { data, shapes };
}

/** A number rather than an object with more: V8 would make that for every request. */
function readMaxBytes({ maxResponseBytes, timing }: V2Options): number {
  const maxBytes = maxResponseBytes ?? Number.MAX_SAFE_INTEGER;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    throw badOption('option "maxResponseBytes": expected an integer from 0', maxBytes);
  }
  if (timing !== undefined && typeof timing !== 'boolean') {
    throw badOption('option "timing": expected true or false', timing);
  }
  return maxBytes;
}

const allForms = 2 ** jsonForms.length - 1;
/** Where the format of the answer begins, above the forms of the body. */
const answerBit = 8;

/** As submitJson() of the addon takes it. */
function readForm({ forms, from, to }: BytesOptions): number {
  const taken = forms === undefined ? allForms : bitsOf(forms);
  if (from === undefined && to === undefined) return taken;
  const body = oneOf('from', bodyFormats, from ?? 'json');
  const form = body === 'json' ? taken : 1 << bodyForms.indexOf(body);
  const answer = answerFormats.indexOf(oneOf('to', answerFormats, to ?? 'json'));
  return form | (answer << answerBit);
}

function oneOf<T extends string>(option: string, known: readonly T[], value: unknown): T {
  const found = known.find(name => name === value);
  if (found !== undefined) return found;
  throw badOption(`option "${option}": expected one of ${known.map(quote).join(', ')}`, value);
}

function bitsOf(forms: unknown): number {
  const expected = `option "forms": expected an array of one or more of ${jsonForms.map(quote).join(', ')}`;
  if (!Array.isArray(forms) || forms.length === 0) throw badOption(expected, forms);
  return forms.reduce((bits: number, form) => {
    const index = jsonForms.indexOf(form);
    if (index < 0) throw badOption(expected, form);
    return bits | (1 << index);
  }, 0);
}

/** By shape rather than by class, so that a signal of another realm or a polyfill serves as well. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}

function badOption(expected: string, got: unknown): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${expected}, got ${describe(got)}`);
}
