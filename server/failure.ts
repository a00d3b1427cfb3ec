// SPDX-License-Identifier: Apache-2.0
// What failures mean to clients of every API.
import type { ErrorCode, InferenceError } from '../lib/index.js';

/** What the engine calls an invalid argument while it runs came with the request: the signature was met before. */
export function codeOf({ code, detail }: InferenceError): ErrorCode {
  const isInput = code === 'INFER_ENGINE_FAILED' && detail === 'INVALID_ARGUMENT';
  return isInput ? 'INFER_BAD_INPUT' : code;
}

/** Whole seconds, at least 1; up to a quarter more than expected, so that those refused do not come back together. */
export function retryAfter(expectedMs: number): string {
  const spread = 1 + Math.random() / 4;
  return String(Math.max(1, Math.ceil((expectedMs * spread) / 1000)));
}
