// SPDX-License-Identifier: Apache-2.0
// Collects the body of a request from its chunks, within the limits of one request and of all together.
import type { Refusal } from './framing.js';

/** Memory that the bodies of all requests share. */
export interface Budget {
  /** @returns  false, and takes nothing, when that much is not left. */
  readonly take: (bytes: number) => boolean;
  readonly give: (bytes: number) => void;
  readonly usedBytes: () => number;
}

export function createBudget(maxBytes: number): Budget {
  let used = 0;
  return {
    take: bytes => {
      if (used + bytes > maxBytes) return false;
      used += bytes;
      return true;
    },
    give: bytes => {
      used -= bytes;
    },
    usedBytes: () => used,
  };
}

/** What one more chunk led to. */
export type Progress = 'more' | 'complete' | 'hopeless';

export interface BodyLimits {
  /** Of one body. */
  readonly maxBytes: number;
  readonly budget: Budget;
}

/** A refused body is read and dropped up to here, so that the client gets to read the answer. */
const maxDroppedBytes = 2 ** 28;
/** As in Triton: more chunks than this are an attack on the parser, not an upload. */
const maxChunks = 65_536;
/** What a first chunk may reserve beyond itself, whatever content-length promises. */
const firstBytes = 16_384;
const nothing = Buffer.alloc(0);

/** A body on its way; a plain record, because every request with a body makes one. */
export interface Body extends BodyLimits {
  /** From content-length; undefined for a chunked body. */
  readonly declaredBytes: number | undefined;
  /** Memory for it; more than it has, while it grows. */
  buffer: Buffer;
  usedBytes: number;
  droppedBytes: number;
  chunks: number;
  /** The first reason not to take it. */
  refusal: Refusal | undefined;
}

export function createBody(
  declaredBytes: number | undefined,
  { maxBytes, budget }: BodyLimits,
): Body {
  const body: Body = {
    maxBytes,
    budget,
    declaredBytes,
    buffer: nothing,
    usedBytes: 0,
    droppedBytes: 0,
    chunks: 0,
    refusal: undefined,
  };
  if (declaredBytes !== undefined && declaredBytes > maxBytes) refuse(body, tooLarge(body));
  return body;
}

/**
 * Copies a chunk; it may be reused afterwards.
 * @returns  `hopeless` when the body is refused and its rest, too large or an attack, is not worth reading.
 */
export function addChunk(body: Body, chunk: ArrayBuffer, isLast: boolean): Progress {
  const isChunked = body.declaredBytes === undefined;
  if (isChunked && ++body.chunks > maxChunks) refuse(body, tooManyChunks);
  if (body.refusal === undefined) keep(body, chunk);
  else body.droppedBytes += chunk.byteLength;
  if (body.refusal !== undefined) {
    const sizeBytes = Math.max(body.droppedBytes, body.declaredBytes ?? 0);
    if (sizeBytes > maxDroppedBytes || body.refusal === tooManyChunks) return 'hopeless';
  }
  return isLast ? 'complete' : 'more';
}

/** The whole body, once complete and not refused. */
export function bytesOf({ buffer, usedBytes }: Body): Buffer {
  return usedBytes === buffer.length ? buffer : buffer.subarray(0, usedBytes);
}

/** Gives the memory back to the budget. Idempotent. */
export function releaseBody(body: Body): void {
  body.budget.give(body.buffer.length);
  body.buffer = nothing;
}

function keep(body: Body, chunk: ArrayBuffer): void {
  const neededBytes = body.usedBytes + chunk.byteLength;
  if (neededBytes > body.maxBytes) {
    refuse(body, tooLarge(body));
  } else if (neededBytes > body.buffer.length && !grow(body, neededBytes)) {
    refuse(body, noMemory);
  } else {
    body.buffer.set(new Uint8Array(chunk), body.usedBytes);
    body.usedBytes = neededBytes;
  }
}

/** @returns  false when the budget has no room for it. */
function grow(body: Body, neededBytes: number): boolean {
  const promisedBytes = body.declaredBytes ?? body.maxBytes;
  const wantedBytes = Math.min(promisedBytes, Math.max(2 * neededBytes, firstBytes));
  return resize(body, Math.max(wantedBytes, neededBytes)) || resize(body, neededBytes);
}

/** What is copied counts once, though it is there twice for a moment: a body alone must never fill the budget. */
function resize(body: Body, capacityBytes: number): boolean {
  if (!body.budget.take(capacityBytes - body.buffer.length)) return false;
  const larger = Buffer.allocUnsafe(capacityBytes);
  if (body.usedBytes > 0) body.buffer.copy(larger, 0, 0, body.usedBytes);
  body.buffer = larger;
  return true;
}

/** The first reason counts. */
function refuse(body: Body, reason: Refusal): void {
  body.refusal ??= reason;
  body.droppedBytes += body.usedBytes;
  body.usedBytes = 0;
  releaseBody(body);
}

function tooLarge({ maxBytes, declaredBytes }: Body): Refusal {
  const got = declaredBytes === undefined ? 'more' : `${declaredBytes}`;
  return {
    status: 413,
    message: `body: expected at most ${maxBytes} bytes (maxRequestBytes), got ${got}`,
  };
}

const tooManyChunks: Refusal = {
  status: 400,
  message: `body: expected at most ${maxChunks} chunks, got more`,
};

const noMemory: Refusal = {
  status: 503,
  message:
    'body: no memory left for it (maxBufferedBytes); the bodies of other requests fill it now',
};
