// SPDX-License-Identifier: Apache-2.0
// This JavaScript environment's side of the addon: starts it, keeps the requests in flight, settles them.
// Hot path: every function here runs once per request or once per burst of them.
import { isMainThread } from 'node:worker_threads';
import {
  loadBinding,
  type NativeBinding,
  type NativeModel,
  type NativeOutputs,
  type NativeResult,
} from './binding.js';
import { unwatch, type WatchedSignals, watch } from './cancellation.js';
import { InferenceError, type NativeError } from './errors.js';
import { type FlatBuffer, flatBuffer, readAnswers, readTensor } from './flat.js';
import { type InFlight, inFlight } from './in_flight.js';
import { deliverLog } from './log.js';
import { maxTimeoutMs } from './options.js';
import type { V2Answer } from './predict_types.js';
import type { ElementType, NumericData, Tensor } from './tensor.js';

/** A loaded model as its requests see it. */
export interface Handle {
  readonly native: NativeModel;
  /** See NativeInfo. */
  readonly number: number;
  readonly outputs: readonly { readonly name: string; readonly type: ElementType }[];
  /** Requests of this handle that are not settled. */
  inFlight: number;
  /** Called when inFlight falls to 0; set by close(). */
  onIdle: (() => void) | undefined;
}

interface PendingRequest {
  readonly handle: Handle;
  readonly reject: (reason: NativeError | Error) => void;
  readonly signal: AbortSignal | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** A request of predict() in flight. */
export interface PendingTensors extends PendingRequest {
  readonly kind: 'tensors';
  readonly resolve: (outputs: Record<string, Tensor>) => void;
}

/** A request of predictJson(), predictBytes() or predictV2() in flight. */
export interface PendingJson extends PendingRequest {
  readonly kind: 'json';
  readonly timed: boolean;
  readonly resolve: (answer: V2Answer) => void;
}

/** What all copies of this library in one JavaScript environment share. */
interface Environment {
  readonly binding: NativeBinding;
  readonly pending: InFlight<PendingTensors | PendingJson>;
  /** Written by predict(), read by the addon. */
  readonly requests: FlatBuffer;
  /** Written by the addon. */
  readonly answers: FlatBuffer;
  readonly watched: WatchedSignals;
  readonly logs: Set<typeof deliverLog>;
  readonly flush: () => void;
  readonly nextTurn: () => void;
  /** Requests whose deadline passed in this turn of the event loop. */
  late: number[];
  flushDue: boolean;
  turnDue: boolean;
  /** Flushes of this turn of the event loop that may still run a micro model in place. */
  runsHere: number;
}

/** More than these in one turn would keep timers and sockets waiting. */
const runsHerePerTurn = 32;
const resolved = Promise.resolve();
// The addon is one per environment, also where a test runner or a bundler evaluates this module again and again.
const key = Symbol.for('inference-native.environment');
let current: Environment | undefined;

/**
 * The addon, loaded and started on the first call.
 * @throws  see loadBinding(); a failed load is tried again by the next call.
 */
export function environment(): NativeBinding {
  current ??= join(loadBinding());
  return current.binding;
}

function join(binding: NativeBinding & { [key]?: Environment }): Environment {
  let shared = binding[key];
  if (shared === undefined) {
    shared = start(binding);
    Object.defineProperty(binding, key, { value: shared });
  }
  shared.logs.add(deliverLog);
  return shared;
}

function start(binding: NativeBinding): Environment {
  const shared: Environment = {
    binding,
    pending: inFlight(),
    requests: flatBuffer(),
    answers: flatBuffer(),
    watched: new WeakMap(),
    logs: new Set(),
    flush: () => flush(shared),
    nextTurn: () => nextTurn(shared),
    late: [],
    flushDue: false,
    turnDue: false,
    runsHere: runsHerePerTurn,
  };
  const complete: Parameters<NativeBinding['start']>[0] = (ids = [], results = [], facts) =>
    finishAll(shared, { ids, results, facts });
  const log: Parameters<NativeBinding['start']>[1] = lines => {
    for (const deliver of shared.logs) deliver(lines);
  };
  binding.start(complete, log, shared.requests.bytes, shared.answers.bytes);
  // A worker's end runs the addon's cleanup hook; process.exit() does not, and an engine that is taken apart
  // while it loads or runs ends the process with a signal.
  if (isMainThread) process.once('exit', exitCode => binding.stop(exitCode));
  return shared;
}

/**
 * Stages a checked request; all that are staged in one turn of the event loop are handed over together.
 * @param entry      settled later, on this thread, exactly once, unless this throws.
 * @param timeoutMs  from now, at most maxTimeoutMs; 0 for none.
 * @param stage      gives it to the addon under this id, or writes it as a flat request; returns the timeout that
 *                   counts instead, if the request has one of its own.
 * @throws           what `stage` or the signal throws: the request is not accepted and `entry` is not kept.
 */
export function submit(
  entry: PendingTensors | PendingJson,
  timeoutMs: number,
  stage: (handle: Handle, id: number, flat: FlatBuffer) => number | undefined,
): void {
  const shared = current;
  if (shared === undefined) return; // never: `entry` has a handle, which environment() made
  const id = shared.pending.nextId();
  const { signal } = entry;
  if (signal !== undefined) watch(shared.watched, signal, id, ids => cancel(shared, ids, false));
  let ownMs: number | undefined;
  try {
    ownMs = stage(entry.handle, id, shared.requests);
  } catch (error) {
    if (signal !== undefined) unwatch(shared.watched, signal, id);
    throw error;
  }
  shared.pending.set(id, entry);
  entry.handle.inFlight++;
  if (!shared.flushDue) {
    shared.flushDue = true;
    resolved.then(shared.flush); // as queueMicrotask(flush), at less than half the price
  }
  // The addon knows the deadline too. The timer is for the case that every lane is busy beyond it. It holds the
  // process no longer than the request itself does, because settling clears it.
  const limitMs = ownMs === undefined ? timeoutMs : Math.min(ownMs, maxTimeoutMs);
  if (limitMs > 0) entry.timer = setTimeout(cancelLate, limitMs, shared, id);
}

function flush(shared: Environment): void {
  shared.flushDue = false;
  planTurn(shared);
  if (shared.runsHere > 0) shared.runsHere--;
  shared.binding.flush(shared.runsHere > 0);
}

function planTurn(shared: Environment): void {
  if (shared.turnDue) return;
  shared.turnDue = true;
  setImmediate(shared.nextTurn);
}

function nextTurn(shared: Environment): void {
  shared.turnDue = false;
  shared.runsHere = runsHerePerTurn;
  if (shared.late.length > 0) {
    cancel(shared, shared.late, true);
    shared.late = [];
  }
  shared.binding.flush(false); // also asks for what has finished meanwhile: see finishAll()
}

/** Timers that are due together leave the queue together, in nextTurn(). */
function cancelLate(shared: Environment, id: number): void {
  shared.late.push(id);
  planTurn(shared);
}

/** One call for each model: it looks at every request that waits there. */
function cancel({ pending }: Environment, ids: Iterable<number>, late: boolean): void {
  const byModel = new Map<NativeModel, number[]>();
  for (const id of ids) {
    const native = pending.get(id)?.handle.native;
    if (native === undefined) continue;
    const own = byModel.get(native);
    if (own === undefined) byModel.set(native, [id]);
    else own.push(id);
  }
  for (const [native, own] of byModel) native.cancel(own, late);
}

/** What the addon hands over together: see start() in binding.ts. */
interface Finished {
  readonly ids: readonly number[];
  readonly results: readonly NativeResult[];
  readonly facts: Float64Array | undefined;
}

/** Called by the addon with everything that has finished. It says nothing more until it is asked in a later turn. */
function finishAll(shared: Environment, finished: Finished): void {
  planTurn(shared);
  const { answers } = shared;
  readAnswers(answers, id =>
    finish(shared, id, entry => {
      if (entry.kind === 'tensors') entry.resolve(readOutputs(entry.handle, answers));
      else entry.reject(ofWrongKind('tensors', 'bytes'));
    }),
  );
  for (let index = 0; index < finished.ids.length; index++) {
    finish(shared, finished.ids[index] ?? 0, entry => settle(entry, finished, index));
  }
}

function finish(
  { pending, watched }: Environment,
  id: number,
  settleIt: (entry: PendingTensors | PendingJson) => void,
): void {
  const entry = pending.take(id);
  if (entry === undefined) return;
  const { handle, signal, timer } = entry;
  if (timer !== undefined) clearTimeout(timer);
  try {
    settleIt(entry);
    handle.inFlight--;
    if (handle.inFlight === 0) handle.onIdle?.();
    if (signal !== undefined) unwatch(watched, signal, id);
  } catch (error) {
    // Only a caller's own signal can throw here; it must not take the others' answers with it.
    queueMicrotask(() => {
      throw error;
    });
  }
}

function settle(
  entry: PendingTensors | PendingJson,
  { results, facts }: Finished,
  index: number,
): void {
  const result = results[index];
  if (typeof result === 'string' || result instanceof Uint8Array) {
    if (entry.kind === 'json') entry.resolve(answerOf(result, entry.timed, facts, index));
    else entry.reject(ofWrongKind('bytes', 'tensors'));
  } else if (result === undefined) {
    entry.reject(new InferenceError('INFER_INTERNAL', 'the addon gave no result'));
  } else if (!('code' in result)) {
    if (entry.kind === 'tensors') entry.resolve(nameOutputs(entry.handle, result));
    else entry.reject(ofWrongKind('tensors', 'bytes'));
  } else if (result.code === 'INFER_CANCELLED' && entry.signal?.aborted) {
    entry.reject({ ...result, cause: entry.signal.reason });
  } else {
    entry.reject(result);
  }
}

function ofWrongKind(got: string, expected: string): InferenceError {
  return new InferenceError('INFER_INTERNAL', `the addon gave ${got}, expected ${expected}`);
}

/** @param index  of the answer among those whose facts these are. */
function answerOf(
  text: string | Uint8Array<ArrayBuffer>,
  timed: boolean,
  facts: Float64Array | undefined,
  index: number,
): V2Answer {
  const body = typeof text === 'string' ? text : Buffer.from(text.buffer);
  if (facts === undefined) return { body };
  const fact = (at: number) => facts[5 * index + at] ?? 0;
  const us = (at: number) => fact(at) / 1000;
  const headerBytes = fact(4);
  return {
    body,
    ...(timed ? { timing: { parseUs: us(0), queueUs: us(1), runUs: us(2), formatUs: us(3) } } : {}),
    ...(headerBytes > 0 ? { headerBytes } : {}),
  };
}

/** Joins what the addon returns (data0, shape0, data1, shape1, ...) with names and types. */
function nameOutputs({ outputs }: Handle, result: NativeOutputs): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  for (let index = 0; index < outputs.length; index++) {
    const output = outputs[index];
    if (output === undefined) break;
    const { name, type } = output;
    const data = result[2 * index] as NumericData | readonly string[];
    setOwn(named, name, { type, shape: result[2 * index + 1] as readonly number[], data });
  }
  return named;
}

/** The same for a flat answer. */
function readOutputs({ outputs }: Handle, answers: FlatBuffer): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  for (const { name, type } of outputs) setOwn(named, name, readTensor(answers, type));
  return named;
}

function setOwn(named: Record<string, Tensor>, name: string, tensor: Tensor): void {
  if (name === '__proto__') {
    Object.defineProperty(named, name, { value: tensor, enumerable: true });
  } else {
    named[name] = tensor;
  }
}
