// SPDX-License-Identifier: Apache-2.0
// Lets a few images and archives be decoded at a time; a bounded number of others waits, as long as somebody wants them.
import { InferenceError } from '../../lib/index.js';

export interface TurnLimits {
  /** How many run at a time, 1 or more. */
  readonly atOnce: number;
  /** How many may wait. */
  readonly maxWaiting: number;
}

/** Until when an answer is wanted. */
export interface Claim {
  readonly signal: AbortSignal;
  /** On the clock of performance.now(); Infinity for no end. */
  readonly endsMs: number;
}

/**
 * Runs a piece of work when it is its turn, first come, first served. What is no longer wanted leaves the line; what
 * has begun already is let finish, and keeps its place until then.
 * @throws  INFER_QUEUE_FULL at once, INFER_CANCELLED, INFER_DEADLINE, and what the work rejects with.
 */
export type TakeTurn = <T>(work: () => Promise<T>, claim: Claim) => Promise<T>;

export interface Turns {
  readonly take: TakeTurn;
  readonly stats: () => TurnStats;
}

export interface TurnStats {
  /** Images that wait now. */
  readonly waiting: number;
  /** Images that were refused because too many waited. */
  readonly refused: number;
}

export function createTurns({ atOnce, maxWaiting }: TurnLimits): Turns {
  const waiting = new Set<() => void>();
  let running = 0;
  let refused = 0;
  const startNext = () => {
    running--;
    const [start] = waiting;
    start?.();
  };
  const take: TakeTurn = (work, { signal, endsMs }) =>
    new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const leave = () => {
        waiting.delete(start);
        clearTimeout(timer);
        signal.removeEventListener('abort', cancel);
      };
      const refuse = (error: InferenceError) => {
        leave();
        reject(error);
      };
      const cancel = () => refuse(cancelled());
      const start = () => {
        waiting.delete(start);
        running++;
        work().then(resolve, reject).finally(leave).then(startNext);
      };
      const leftMs = endsMs - performance.now();
      if (signal.aborted) return cancel();
      if (leftMs <= 0) return refuse(late());
      if (running >= atOnce && waiting.size >= maxWaiting) {
        refused++;
        return refuse(full(maxWaiting));
      }
      signal.addEventListener('abort', cancel);
      if (leftMs < Number.POSITIVE_INFINITY) timer = setTimeout(() => refuse(late()), leftMs);
      if (running < atOnce) start();
      else waiting.add(start);
    });
  return { take, stats: () => ({ waiting: waiting.size, refused }) };
}

function full(maxWaiting: number): InferenceError {
  const message = `body: the queue is full, ${maxWaiting} images or archives wait to be decoded (maxWaitingImages)`;
  return new InferenceError('INFER_QUEUE_FULL', message);
}

/** The same when the deadline passes between decoding and running. */
export function late(): InferenceError {
  return new InferenceError('INFER_DEADLINE', 'body: not decoded before the deadline');
}

function cancelled(): InferenceError {
  return new InferenceError('INFER_CANCELLED', 'body: the client went away before it was decoded');
}
