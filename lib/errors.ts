// SPDX-License-Identifier: Apache-2.0
// The one error type of this package, its codes, and the wording shared by all messages.

/**
 * Every code with what it means and what helps. The order is the wire to `native/base/error.h`;
 * `docs/errors.md` shows the same rows and a test compares them.
 */
export const errorTable = [
  {
    code: 'INFER_BAD_INPUT',
    meaning: 'An argument is wrong: a name, element type, shape, size or option.',
    remedy: 'Correct the call. The message names the field, what was expected and what came.',
  },
  {
    code: 'INFER_MODEL_NOT_FOUND',
    meaning: 'The path, or the file that model.json names, does not exist or cannot be read.',
    remedy: 'Check the path. Relative paths start at the working directory of the process.',
  },
  {
    code: 'INFER_MODEL_INVALID',
    meaning:
      'The model file, its model.json or its package is broken, truncated, unsupported or contradictory.',
    remedy: 'Export the model again, or correct the key that the message names.',
  },
  {
    code: 'INFER_MODEL_EXISTS',
    meaning: 'The server already serves a model of this name.',
    remedy: 'Choose another name, or remove the first model.',
  },
  {
    code: 'INFER_QUEUE_FULL',
    meaning:
      'As many requests, rows or bytes wait for the model as `batching.maxQueue`, `maxQueueRows` and `maxQueueBytes` allow.',
    remedy: 'Try again after `retryAfterMs`, send less, add lanes, or raise the limit.',
  },
  {
    code: 'INFER_DEADLINE',
    meaning:
      'No answer was ready within `timeoutMs`, or none is expected to be: then the request was refused at once, with detail `predicted`.',
    remedy: 'Allow more time, send less work at once, or try again after `retryAfterMs`.',
  },
  {
    code: 'INFER_CANCELLED',
    meaning: 'The AbortSignal of the call was aborted. `cause` is the reason of the signal.',
    remedy: 'None needed.',
  },
  {
    code: 'INFER_CLOSED',
    meaning: 'The model was closed before the call.',
    remedy: 'Load the model again, or close it later.',
  },
  {
    code: 'INFER_ENGINE_UNAVAILABLE',
    meaning: 'The engine library, or the addon of this package, is missing or cannot be used.',
    remedy: 'Follow the message: it lists what was tried. `listDevices()` shows the same.',
  },
  {
    code: 'INFER_DEVICE_UNAVAILABLE',
    meaning: 'The device that `placement.device` asks for is not available here.',
    remedy: 'Ask for a device that `listDevices()` reports.',
  },
  {
    code: 'INFER_ENGINE_FAILED',
    meaning: 'The engine refused or failed while it ran the model.',
    remedy:
      "Read the engine's own text in the message; the inputs most often lie outside what the model can take.",
  },
  {
    code: 'INFER_OUT_OF_MEMORY',
    meaning: 'There is not enough memory to load the model, or to run this request.',
    remedy: 'Close or unload a model, send fewer rows at once, or give the process more memory.',
  },
  {
    code: 'INFER_INTERNAL',
    meaning:
      'This package broke one of its own rules, or, with a detail, the server found no storage.',
    remedy:
      'Report it with the message, or see the detail. Other requests and models are not affected.',
  },
] as const;

/** One of the `INFER_*` codes. Codes are stable; message texts are not. */
export type ErrorCode = (typeof errorTable)[number]['code'];

/** All codes, in the order in which native counters list them. */
export const errorCodes: readonly ErrorCode[] = errorTable.map(row => row.code);

/**
 * The only error that this package throws or rejects with.
 * `code` is for programs, `message` for people, `detail` a finer reason within the code where there is one
 * (see docs/errors.md), `cause` what led to it where that is known, `retryAfterMs` when a request that was refused
 * for lack of time or room may go better: the milliseconds in which what waits now is expected to be done.
 */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';
  readonly code: ErrorCode;
  declare readonly detail?: string; // only declared: absent where there is none
  declare readonly retryAfterMs?: number;

  /**
   * @param code     one of the INFER_* codes.
   * @param message  what was expected, what came, and for which name.
   * @param extra    `detail`: a finer reason; `cause`: the error or reason behind it; `retryAfterMs`.
   */
  constructor(
    code: ErrorCode,
    message: string,
    extra?: { detail?: string; cause?: unknown; retryAfterMs?: number },
  ) {
    super(message, extra !== undefined && 'cause' in extra ? { cause: extra.cause } : undefined);
    this.code = code;
    if (extra?.detail !== undefined && extra.detail !== '') this.detail = extra.detail;
    if (extra?.retryAfterMs !== undefined) this.retryAfterMs = extra.retryAfterMs;
  }
}

/** What the addon reports: the same facts as an InferenceError, without a stack. */
export interface NativeError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string;
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
}

/** True for a value of the shape of NativeError. */
function isNativeError(value: unknown): value is NativeError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as { code?: unknown; message?: unknown };
  return typeof message === 'string' && errorCodes.some(known => known === code);
}

/** What V8, Node and the system say when they cannot allocate; V8 has no code for it. */
function isOutOfMemory(reason: unknown): boolean {
  if (!(reason instanceof Error)) return false;
  const { code } = reason as NodeJS.ErrnoException;
  if (code === 'ENOMEM' || code === 'ERR_MEMORY_ALLOCATION_FAILED') return true;
  return reason instanceof RangeError && /\ballocation failed$/.test(reason.message);
}

/**
 * Turns whatever was thrown or reported into an InferenceError.
 * @param reason    an InferenceError (returned as it is), a native error, or anything else.
 * @param fallback  the code for anything else; INFER_INTERNAL unless given. Its cause is `reason`.
 */
export function toInferenceError(
  reason: unknown,
  fallback: ErrorCode = 'INFER_INTERNAL',
): InferenceError {
  if (reason instanceof InferenceError) return reason;
  if (isNativeError(reason)) {
    const { code, message, detail, cause, retryAfterMs } = reason;
    return new InferenceError(code, message, {
      ...(detail === undefined ? {} : { detail }),
      ...(cause === undefined ? {} : { cause }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  const text = reason instanceof Error ? reason.message : describe(reason);
  if (isOutOfMemory(reason)) {
    return new InferenceError('INFER_OUT_OF_MEMORY', `no memory: ${text}`, { cause: reason });
  }
  return new InferenceError(fallback, `unexpected failure: ${text}`, { cause: reason });
}

/**
 * Gives `error` the stack of the caller of `entry`, a function of the public API, and returns it.
 * To be called while that function is still on the stack.
 */
export function atCallerOf(entry: (...args: never[]) => unknown, error: InferenceError) {
  Error.captureStackTrace(error, entry);
  return error;
}

/** The lines of the stack from the caller of `entry` on, each after a line break; '' when stacks are switched off. */
export function stackOfCaller(entry: (...args: never[]) => unknown): string {
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, entry);
  const text = typeof holder.stack === 'string' ? holder.stack : '';
  return text.slice(`${text}\n`.indexOf('\n'));
}

const longestText = 60;

/** `text` in double quotes, control characters escaped, cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > longestText ? `${text.slice(0, longestText)}...` : text);
}

/** Names for a message: `"a", "b"`; at most 20 of them, then how many more there are. */
export function quoteAll(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 20).map(quote).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** A short description of any value, for the "got ..." part of a message; never throws. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : `${value}`;
  try {
    if (Array.isArray(value)) return `Array of ${value.length}`;
    const maker = Object.getPrototypeOf(value)?.constructor?.name;
    return typeof maker === 'string' && maker !== '' ? maker : 'Object';
  } catch {
    return 'an object';
  }
}
