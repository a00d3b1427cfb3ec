// SPDX-License-Identifier: Apache-2.0
// The HTTP threads beside the main one: starts them, hands them connections, asks them, ends them.
import { Worker } from 'node:worker_threads';
import { InferenceError } from '../lib/index.js';
import type { Mount } from './app.js';
import type { Config } from './config.js';
import { createPeer, errorWith, type Peer } from './peer.js';
import type { Shelves } from './registry/index.js';
import type {
  AppDescriptor,
  CutRequest,
  DrainLimits,
  HttpReply,
  HttpRequest,
  Responder,
  ThreadStats,
} from './route.js';
import type { DirectoryEntry, LoadOrder, Shelf, Use } from './shelf.js';
import { joinShelves, type OtherShelf } from './shelves.js';
import type { TlsFiles } from './tls/index.js';

/** What a thread is given at its start. */
export interface ThreadTask {
  /** 1 or more; 0 is the main thread. */
  readonly thread: number;
  /** The thread's own part of what all threads share. */
  readonly config: Config;
  /** Shared; becomes 1 when the thread has closed its connections and ends. */
  readonly ended: Int32Array;
}

/** What a thread is to serve. */
export interface ThreadStart {
  readonly mount: Mount;
  readonly tls: TlsFiles | undefined;
}

/** A request as it crosses to another thread. */
export type SentRequest = Omit<HttpRequest, 'signal' | 'releaseBody'>;

/** What a thread does for the main one. */
export type ThreadOffers = {
  /** Loads what the main thread has loaded, and so shares it. */
  readonly load: (order: LoadOrder) => Promise<void>;
  readonly publish: (what: { name: string; entry: DirectoryEntry | undefined }) => void;
  /** See Shelf. */
  readonly quiet: (what: { id: number; limitMs: number }) => Promise<boolean>;
  readonly unload: (id: number) => Promise<void>;
  readonly uses: () => ReadonlyMap<number, Use>;
  /** What it says of the server's health from now on. */
  readonly setReady: (isReady: boolean) => void;
  /** Resolves when it is ready for connections. */
  readonly start: (start: ThreadStart) => Promise<AppDescriptor>;
  readonly stats: () => ThreadStats;
  readonly drain: (limits: DrainLimits) => Promise<readonly CutRequest[]>;
  /** Frees its share of the models. */
  readonly close: () => Promise<void>;
  /** Ends the thread, whatever it does. */
  readonly end: () => never;
};

/** What the main thread does for the others. */
export type MainOffers = {
  /** Answers what is about the whole server: models and metrics, where they share the port of predictions. */
  readonly respond: (request: SentRequest) => HttpReply | Promise<HttpReply>;
  /** See Registry. */
  readonly demand: (model: { name: string; version: string | undefined }) => Promise<void>;
  /** Writes a line of the log. */
  readonly log: (line: string) => void;
};

/** How a thread ended that was not asked to. */
export interface LostThread {
  readonly thread: number;
  readonly exitCode: number;
  readonly err?: Error;
}

/** What only the running server can answer. */
export interface MainAnswers extends Pick<MainOffers, 'demand'> {
  readonly respond: Responder;
}

export interface Threads {
  /** Of the main thread and all others. */
  readonly shelves: (own: Shelf) => Shelves;
  /**
   * @param answers  what a thread asks of the main one.
   * @returns        what connections are handed to, one for each thread.
   * @throws         an Error that names the thread which cannot start.
   */
  readonly start: (what: ThreadStart, answers: MainAnswers) => Promise<readonly AppDescriptor[]>;
  /** Resolves when all say so; that they are not ready any more is not waited for, as one may be stuck. */
  readonly setReady: (isReady: boolean) => Promise<void>;
  readonly stats: () => Promise<readonly ThreadStats[]>;
  /** For each thread what the limit cut off; rejects for one that is gone, or is stuck beyond the limit. */
  readonly drain: (limits: DrainLimits) => readonly Promise<readonly CutRequest[]>[];
  /** The first thread that ends without being asked to; none, as long as all is well. */
  readonly lost: Promise<LostThread>;
  readonly close: () => Promise<void>;
}

interface Thread {
  readonly thread: number;
  readonly worker: Worker;
  readonly peer: Peer<ThreadOffers>;
  readonly ended: Int32Array;
  /** Still answers. */
  alive: boolean;
}

/**
 * Starts `httpThreads - 1` threads, because the main one serves as well. That one has loaded uWebSockets.js by now:
 * the library reads its settings from the environment of the process, which others cannot change.
 */
export function createThreads(config: Config, writeLog: (line: string) => void): Threads {
  let answers: MainAnswers | undefined;
  const given = () => {
    if (answers === undefined) throw new Error('asked before the start');
    return answers;
  };
  const offers: MainOffers = {
    demand: model => given().demand(model),
    respond: request => {
      const { buffer, byteOffset, length } = request.body; // a plain Uint8Array by now
      const body = Buffer.from(buffer, byteOffset, length);
      const { signal } = new AbortController();
      return given().respond({ ...request, body, releaseBody: () => {}, signal });
    },
    log: writeLog,
  };
  let lose = (_: LostThread) => {};
  const lost = new Promise<LostThread>(resolve => {
    lose = resolve;
  });
  const threads = Array.from({ length: config.httpThreads - 1 }, (_, index) =>
    createThread({ thread: index + 1, config, ended: sharedFlag() }, offers, lose),
  );
  const alive = () => threads.filter(thread => thread.alive);
  const endAll = () => endAtOnce(alive());
  process.once('exit', endAll);
  return {
    shelves: own => joinShelves(own, () => alive().map(shelfOf)),
    setReady: async isReady => {
      if (isReady) await Promise.all(alive().map(thread => ask(thread, 'setReady', true)));
      else for (const { peer } of alive()) peer.tell('setReady', false);
    },
    start: (what, own) => {
      answers = own;
      return Promise.all(threads.map(thread => ask(thread, 'start', what)));
    },
    stats: () => Promise.all(alive().map(({ peer }) => peer.ask('stats'))),
    drain: limits => alive().map(thread => drain(thread, limits)),
    lost,
    close: async () => {
      await Promise.all(alive().map(close));
      process.off('exit', endAll);
    },
  };
}

function shelfOf(thread: Thread): OtherShelf {
  return {
    load: order => ask(thread, 'load', order),
    publish: (name, entry) => ask(thread, 'publish', { name, entry }),
    quiet: (id, limitMs) => ask(thread, 'quiet', { id, limitMs }),
    unload: id => ask(thread, 'unload', id),
    uses: () => ask(thread, 'uses'),
  };
}

function sharedFlag(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

function createThread(
  task: ThreadTask,
  offers: MainOffers,
  lose: (lost: LostThread) => void,
): Thread {
  const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: task });
  const peer = createPeer<ThreadOffers>(worker, offers);
  const thread: Thread = { thread: task.thread, worker, peer, ended: task.ended, alive: true };
  let err: Error | undefined;
  worker.on('error', error => {
    err = error;
  });
  worker.on('exit', exitCode => {
    const reason = err === undefined ? '' : `: ${err.message}`;
    peer.end(new Error(`ended with ${exitCode}${reason}`));
    const lost = { thread: task.thread, exitCode };
    if (thread.alive) lose(err === undefined ? lost : { ...lost, err });
    thread.alive = false;
  });
  return thread;
}

/** Asks a thread, whose failure then says which one it is. */
async function ask<K extends keyof ThreadOffers & string>(
  { thread, peer }: Thread,
  name: K,
  ...value: Parameters<ThreadOffers[K]>
): Promise<Awaited<ReturnType<ThreadOffers[K]>>> {
  try {
    return await peer.ask(name, ...value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `HTTP thread ${thread}: ${reason}`;
    if (cause instanceof InferenceError) throw errorWith(message, cause, cause);
    throw new Error(message, { cause });
  }
}

/** What a thread that is not stuck needs beyond its limit to say so. */
const answerMs = 1000;

async function drain(thread: Thread, limits: DrainLimits): Promise<readonly CutRequest[]> {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<never>((_, reject) => {
    const message = `HTTP thread ${thread.thread}: did not answer within ${limits.limitMs} ms (drainTimeoutMs)`;
    timer = setTimeout(() => reject(new Error(message)), limits.limitMs + answerMs);
  });
  try {
    return await Promise.race([thread.peer.ask('drain', limits), stuck]);
  } catch (error) {
    thread.alive = false;
    thread.worker.unref(); // ends with the process
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function close(thread: Thread): Promise<void> {
  const { worker, peer } = thread;
  thread.alive = false; // from here on its end is no loss
  const exited = new Promise(resolve => worker.once('exit', resolve));
  await peer.ask('close').catch(() => {}); // it ended by itself
  peer.tell('end');
  await exited;
}

/** How long the end of the process waits for a thread to close its connections. */
const endMs = 500;

/** Else `process.exit()` would end the threads wherever they are, and abort over one that has connections open. */
function endAtOnce(threads: readonly Thread[]): void {
  for (const { peer } of threads) peer.tell('end');
  for (const { ended } of threads) Atomics.wait(ended, 0, 0, endMs);
}
