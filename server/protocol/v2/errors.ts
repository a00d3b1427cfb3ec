// SPDX-License-Identifier: Apache-2.0
// Error code or status -> `{"error": text}` of the Open Inference Protocol.
import { type ErrorCode, InferenceError } from '../../../lib/index.js';
import { codeOf, retryAfter } from '../../failure.js';
import type { ErrorStyle, HttpReply } from '../../route.js';

/** Statuses as Triton has them; what is wrong with a request is 400. */
const statusTable: Readonly<Record<ErrorCode, number>> = {
  INFER_BAD_INPUT: 400,
  INFER_MODEL_NOT_FOUND: 404,
  INFER_MODEL_INVALID: 400,
  INFER_MODEL_EXISTS: 400,
  INFER_QUEUE_FULL: 503,
  INFER_DEADLINE: 503,
  INFER_CANCELLED: 400,
  INFER_CLOSED: 503,
  INFER_ENGINE_UNAVAILABLE: 503,
  INFER_DEVICE_UNAVAILABLE: 503,
  INFER_OUT_OF_MEMORY: 503,
  INFER_ENGINE_FAILED: 500,
  INFER_INTERNAL: 500,
};

/** What clients of Triton look for in these errors. */
const texts: Partial<Record<ErrorCode, string>> = {
  INFER_QUEUE_FULL: 'Exceeds maximum queue size',
  INFER_DEADLINE: 'Request timeout expired',
};

/** KServe compares the whole content type before it reads the error. */
const json = 'application/json';

/** JSON in one line, as Triton writes it. */
export function jsonReply(status: number, value: unknown): HttpReply {
  return { status, contentType: json, body: JSON.stringify(value) };
}

export function errorReply(status: number, message: string, retryAfterMs?: number): HttpReply {
  const reply = jsonReply(status, { error: message });
  return status === 503
    ? { ...reply, headers: { 'retry-after': retryAfter(retryAfterMs ?? 0) } }
    : reply;
}

/** An answer that has a status of its own. */
interface Refusal extends Error {
  readonly v2Status: number;
}

export function refusal(status: number, message: string): Refusal {
  return Object.assign(new Error(message), { v2Status: status });
}

function isRefusal(error: unknown): error is Refusal {
  return error instanceof Error && 'v2Status' in error;
}

function fromError(error: unknown): HttpReply {
  if (isRefusal(error)) return errorReply(error.v2Status, error.message);
  if (!(error instanceof InferenceError)) {
    // What is not ours to show may hold anything: it goes to the log alone.
    return errorReply(500, 'INFER_INTERNAL: unexpected failure, see the log of the server');
  }
  const code = codeOf(error);
  const known = texts[code];
  const message = known === undefined ? error.message : `${known}: ${error.message}`;
  const status = error.detail === 'no-shared-memory' ? 404 : statusTable[code];
  return errorReply(status, message, error.retryAfterMs);
}

const statusTexts: Readonly<Record<number, string>> = {
  404: 'Not Found',
  405: 'Method Not Allowed',
};

function fromStatus(status: number, message: string): HttpReply {
  return errorReply(status, message || (statusTexts[status] ?? 'Unexpected failure'));
}

export const errors: ErrorStyle = { fromError, fromStatus };
