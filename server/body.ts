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

export interface BodyReader {
  /**
   * Copies a chunk; it may be reused afterwards.
   * @returns  `hopeless` when the body is refused and too large to be read to its end only to be dropped.
   */
  readonly add: (chunk: ArrayBuffer, isLast: boolean) => Progress;
  /** The whole body, once complete and not refused. */
  readonly bytes: () => Buffer;
  readonly refusal: () => Refusal | undefined;
  /** Gives the memory back to the budget. Idempotent. */
  readonly release: () => void;
}

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

/**
 * @param declaredBytes  from content-length; undefined for a chunked body.
 */
export function createBodyReader(
  declaredBytes: number | undefined,
  limits: BodyLimits,
): BodyReader {
  const { maxBytes, budget } = limits;
  let buffer = nothing;
  let usedBytes = 0;
  let droppedBytes = 0;
  let chunks = 0;
  let refusal: Refusal | undefined;

  const release = () => {
    budget.give(buffer.length);
    buffer = nothing;
  };
  const refuse = (reason: Refusal) => {
    refusal = reason;
    droppedBytes = usedBytes;
    release();
  };
  const grow = (neededBytes: number): boolean => {
    const promised = declaredBytes ?? maxBytes;
    const wanted = Math.min(promised, Math.max(2 * neededBytes, firstBytes));
    const capacity = Math.max(wanted, neededBytes);
    if (!budget.take(capacity)) return false;
    const larger = Buffer.allocUnsafe(capacity);
    buffer.copy(larger, 0, 0, usedBytes);
    release();
    buffer = larger;
    return true;
  };
  const keep = (chunk: ArrayBuffer) => {
    const neededBytes = usedBytes + chunk.byteLength;
    if (neededBytes > maxBytes) return refuse(tooLarge(maxBytes, declaredBytes));
    if (neededBytes > buffer.length && !grow(neededBytes)) return refuse(noMemory);
    buffer.set(new Uint8Array(chunk), usedBytes);
    usedBytes = neededBytes;
  };

  if (declaredBytes !== undefined && declaredBytes > maxBytes)
    refuse(tooLarge(maxBytes, declaredBytes));
  return {
    add: (chunk, isLast) => {
      if (declaredBytes === undefined && ++chunks > maxChunks && refusal === undefined) {
        refuse(tooManyChunks);
      }
      if (refusal === undefined) keep(chunk);
      else droppedBytes += chunk.byteLength;
      if (refusal !== undefined && Math.max(droppedBytes, declaredBytes ?? 0) > maxDroppedBytes) {
        return 'hopeless';
      }
      return isLast ? 'complete' : 'more';
    },
    bytes: () => buffer.subarray(0, usedBytes),
    refusal: () => refusal,
    release,
  };
}

function tooLarge(maxBytes: number, declaredBytes: number | undefined): Refusal {
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
