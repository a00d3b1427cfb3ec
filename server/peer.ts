// SPDX-License-Identifier: Apache-2.0
// Questions and answers between two JavaScript threads over a message port.
import { type ErrorCode, InferenceError } from '../lib/index.js';

/** What one side does for the other, by name. Values and results cross as structured clones. */
export type Offers = Readonly<Record<string, (value: never) => unknown>>;

/** A port, or a Worker with the one that leads to it. */
export interface Port {
  postMessage(message: Message): void;
  on(event: 'message', listener: (message: Message) => void): unknown;
}

/** What a clone of an InferenceError loses. */
interface Facts {
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly retryAfterMs?: number;
}

/**
 * A question has a name, and an id when it wants an answer; an answer has only the id, and an error when it failed,
 * with its facts when it was an InferenceError.
 */
interface Message {
  readonly id: number | undefined;
  readonly name?: string;
  readonly value?: unknown;
  readonly error?: Error;
  readonly facts?: Facts;
}

export interface Peer<Theirs extends Offers> {
  /** @throws  what the other side threw, an InferenceError as such and all else as a plain Error; the reason of end() when it cannot answer any more. */
  readonly ask: <K extends keyof Theirs & string>(
    name: K,
    ...value: Parameters<Theirs[K]>
  ) => Promise<Awaited<ReturnType<Theirs[K]>>>;
  /** Asks without waiting for an answer. */
  readonly tell: <K extends keyof Theirs & string>(
    name: K,
    ...value: Parameters<Theirs[K]>
  ) => void;
  /** The other side is gone: fails all questions that are open, and those to come. */
  readonly end: (reason: Error) => void;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (reason: Error) => void;
}

/** @param offers  what this side answers with. */
export function createPeer<Theirs extends Offers>(port: Port, offers: Offers): Peer<Theirs> {
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let ended: Error | undefined;
  port.on('message', message => {
    const { id, name, value, error, facts } = message;
    if (name !== undefined) {
      void answer(port, offers, message);
      return;
    }
    const entry = waiting.get(id ?? -1);
    waiting.delete(id ?? -1);
    if (error === undefined)
      entry?.resolve(value as never); // the other side's offer has this type
    else entry?.reject(facts === undefined ? error : errorWith(error.message, facts, error));
  });
  return {
    ask: (name, value) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = nextId++;
        waiting.set(id, { resolve, reject });
        port.postMessage({ id, name, value });
      }),
    tell: (name, value) => port.postMessage({ id: undefined, name, value }),
    end: reason => {
      ended = reason;
      for (const { reject } of waiting.values()) reject(reason);
      waiting.clear();
    },
  };
}

async function answer(
  port: Port,
  offers: Offers,
  { id, name = '', value }: Message,
): Promise<void> {
  try {
    const result = await offers[name]?.(value as never);
    if (id !== undefined) port.postMessage({ id, value: result });
  } catch (reason) {
    if (id === undefined) throw reason; // nobody waits for it
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const facts = reason instanceof InferenceError ? { facts: factsOf(reason) } : {};
    port.postMessage({ id, error, ...facts });
  }
}

function factsOf({ code, detail, retryAfterMs }: Facts): Facts {
  return {
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** The same failure in other words. */
export function errorWith(message: string, facts: Facts, cause: unknown): InferenceError {
  const { code, ...more } = factsOf(facts);
  return new InferenceError(code, message, { ...more, cause });
}
