// SPDX-License-Identifier: Apache-2.0
// Error code or status -> `{code, type, message}` of the Multi Model Server API.
import { InferenceError } from '../../../lib/index.js';
import { codeOf, retryAfter } from '../../failure.js';
import { downloadFailed } from '../../packages/index.js';
import { jsonReply } from '../../reply.js';
import type { ErrorStyle, ErrorTable, HttpReply } from '../../route.js';

/** Statuses and types as MMS has them; a test compares the codes with the library's. */
export const errorTable: ErrorTable = {
  INFER_BAD_INPUT: { status: 400, type: 'BadRequestException' },
  INFER_MODEL_NOT_FOUND: { status: 404, type: 'ModelNotFoundException' },
  INFER_MODEL_INVALID: { status: 400, type: 'InvalidModelException' },
  INFER_MODEL_EXISTS: { status: 409, type: 'ConflictStatusException' },
  INFER_QUEUE_FULL: { status: 503, type: 'ServiceUnavailableException' },
  INFER_DEADLINE: { status: 504, type: 'GatewayTimeoutException' },
  INFER_CANCELLED: { status: 503, type: 'ServiceUnavailableException' },
  INFER_CLOSED: { status: 503, type: 'ServiceUnavailableException' },
  INFER_ENGINE_UNAVAILABLE: { status: 503, type: 'ServiceUnavailableException' },
  INFER_DEVICE_UNAVAILABLE: { status: 503, type: 'ServiceUnavailableException' },
  INFER_OUT_OF_MEMORY: { status: 507, type: 'InternalServerException' },
  INFER_ENGINE_FAILED: { status: 500, type: 'InternalServerException' },
  INFER_INTERNAL: { status: 500, type: 'InternalServerException' },
};

/** Types of what the server refuses by itself; the texts are those that clients of MMS compare with. */
const statusTable: Readonly<Record<number, { readonly type: string; readonly message: string }>> = {
  400: { type: 'BadRequestException', message: 'Invalid HTTP message.' },
  401: {
    type: 'InvalidKeyException',
    message:
      'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
  },
  403: { type: 'ForbiddenException', message: 'Not from here.' },
  404: {
    type: 'ResourceNotFoundException',
    message: 'Requested resource is not found, please refer to API document.',
  },
  405: {
    type: 'MethodNotAllowedException',
    message: 'Requested method is not allowed, please refer to API document.',
  },
  406: { type: 'NotAcceptableException', message: 'No format of an answer is acceptable.' },
  413: { type: 'RequestTooLargeException', message: 'Request body is too large.' },
  415: { type: 'UnsupportedMediaTypeException', message: 'Content type is not supported.' },
  417: { type: 'ExpectationFailedException', message: 'Expectation is not supported.' },
  501: { type: 'NotImplementedException', message: 'Explanations need a handler in Python.' },
  503: { type: 'ServiceUnavailableException', message: 'No capacity left.' },
};

function errorReply(status: number, type: string, message: string, retryAfterMs = 0): HttpReply {
  const reply = jsonReply(status, { code: status, type, message });
  return status === 503
    ? { ...reply, headers: { 'retry-after': retryAfter(retryAfterMs) } }
    : reply;
}

/** @source MMS: what could not be fetched has a type of its own; 507 (Insufficient Storage) has the type of 500. */
function answerTo(error: InferenceError) {
  const { type, status } = errorTable[codeOf(error)];
  if (error.detail === downloadFailed) return { type: 'DownloadModelException', status };
  if (error.detail === 'predicted') return errorTable.INFER_QUEUE_FULL; // it was not even begun
  return { type, status: error.detail === 'storage-full' ? 507 : status };
}

/** An answer that has a status and a type of its own in the API of MMS. */
export interface Refusal extends Error {
  readonly refusal: { readonly status: number; readonly type: string };
}

export function refusal(status: number, type: string, message: string): Refusal {
  return Object.assign(new Error(message), { refusal: { status, type } });
}

function isRefusal(error: unknown): error is Refusal {
  return error instanceof Error && 'refusal' in error;
}

function fromError(error: unknown): HttpReply {
  if (isRefusal(error)) {
    const { status, type } = error.refusal;
    return errorReply(status, type, error.message);
  }
  const known = error instanceof InferenceError;
  const { status, type } = known ? answerTo(error) : errorTable.INFER_INTERNAL;
  // What is not ours to show may hold anything: it goes to the log alone.
  const message = known
    ? error.message
    : 'INFER_INTERNAL: unexpected failure, see the log of the server';
  return errorReply(status, type, message, known ? error.retryAfterMs : 0);
}

function fromStatus(status: number, message: string): HttpReply {
  const known = statusTable[status] ?? {
    type: 'InternalServerException',
    message: 'Unexpected failure.',
  };
  return errorReply(status, known.type, message === '' ? known.message : message);
}

export const errors: ErrorStyle = { fromError, fromStatus };
