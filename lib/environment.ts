// SPDX-License-Identifier: Apache-2.0
// This JavaScript environment's side of the addon: starts it, keeps the requests in flight, settles them.
// Hot path: every function here runs once per request or once per burst of them.
import { isMainThread } from 'node:worker_threads';
import { loadBinding, type NativeBinding, type NativeModel, type NativeResult } from './binding.js';
import { unwatch, type WatchedSignals, watch } from './cancellation.js';
import { InferenceError, type NativeError } from './errors.js';
import { type InFlight, inFlight } from './in_flight.js';
import type { NativeData } from './inputs.js';
import { deliverLog } from './log.js';
import type { ElementType, NumericData, Tensor } from './tensor.js';

/** A loaded model as its requests see it. */
export interface Handle {
  readonly native: NativeModel;
  readonly outputs: readonly { readonly name: string; readonly type: ElementType }[];
  /** Requests of this handle that are not settled. */
  inFlight: number;
  /** Called when inFlight falls to 0; set by close(). */
  onIdle: (() => void) | undefined;
}

/** One request in flight. */
export interface Pending {
  readonly handle: Handle;
  readonly resolve: (outputs: Record<string, Tensor>) => void;
  readonly reject: (reason: NativeError | Error) => void;
  readonly signal: AbortSignal | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** What all copies of this library in one JavaScript environment share. */
interface Environment {
  readonly binding: NativeBinding;
  readonly pending: InFlight<Pending>;
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
    watched: new WeakMap(),
    logs: new Set(),
    flush: () => flush(shared),
    nextTurn: () => nextTurn(shared),
    late: [],
    flushDue: false,
    turnDue: false,
    runsHere: runsHerePerTurn,
  };
  const complete = (ids: readonly number[], results: readonly NativeResult[]) =>
    finishAll(shared, ids, results);
  binding.start(complete, lines => {
    for (const deliver of shared.logs) deliver(lines);
  });
  // A worker's end runs the addon's cleanup hook; process.exit() does not, and an engine that is taken apart
  // while it loads or runs ends the process with a signal.
  if (isMainThread) process.once('exit', exitCode => binding.stop(exitCode));
  return shared;
}

/**
 * Stages a checked request; all that are staged in one turn of the event loop are handed over together.
 * @param entry      settled later, on this thread, exactly once, unless this throws.
 * @param timeoutMs  from now, at most maxTimeoutMs; 0 for none.
 * @throws           what the addon or the signal throws: the request is not accepted and `entry` is not kept.
 */
export function submit(
  entry: Pending,
  data: readonly NativeData[],
  shapes: readonly number[],
  timeoutMs: number,
): void {
  const shared = current;
  if (shared === undefined) return; // never: `entry` has a handle, which environment() made
  const id = shared.pending.nextId();
  const { signal } = entry;
  if (signal !== undefined) watch(shared.watched, signal, id, ids => cancel(shared, ids, false));
  try {
    entry.handle.native.submit(id, data, shapes, timeoutMs);
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
  if (timeoutMs > 0) entry.timer = setTimeout(cancelLate, timeoutMs, shared, id);
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

/** Called by the addon with everything that has finished. It says nothing more until it is asked in a later turn. */
function finishAll(
  shared: Environment,
  ids: readonly number[],
  results: readonly NativeResult[],
): void {
  planTurn(shared);
  for (let index = 0; index < ids.length; index++) {
    try {
      finish(shared, ids[index] ?? 0, results[index]);
    } catch (error) {
      // Only a caller's own signal can throw here; it must not take the others' answers with it.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

function finish(
  { pending, watched }: Environment,
  id: number,
  result: NativeResult | undefined,
): void {
  const entry = pending.take(id);
  if (entry === undefined) return;
  if (entry.timer !== undefined) clearTimeout(entry.timer);
  settle(entry, result);
  const { handle } = entry;
  handle.inFlight--;
  if (handle.inFlight === 0) handle.onIdle?.();
  if (entry.signal !== undefined) unwatch(watched, entry.signal, id);
}

function settle(entry: Pending, result: NativeResult | undefined): void {
  if (result === undefined) {
    entry.reject(new InferenceError('INFER_INTERNAL', 'the addon gave no result'));
  } else if (!('code' in result)) {
    entry.resolve(nameOutputs(entry.handle, result));
  } else if (result.code === 'INFER_CANCELLED' && entry.signal?.aborted) {
    entry.reject({ ...result, cause: entry.signal.reason });
  } else {
    entry.reject(result);
  }
}

/** Joins what the addon returns (data0, shape0, data1, shape1, ...) with names and types. */
function nameOutputs(
  { outputs }: Handle,
  result: Exclude<NativeResult, NativeError>,
): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  for (let index = 0; index < outputs.length; index++) {
    const output = outputs[index];
    if (output === undefined) break;
    const { name, type } = output;
    const data = result[2 * index] as NumericData | readonly string[];
    const tensor: Tensor = { type, shape: result[2 * index + 1] as readonly number[], data };
    if (name === '__proto__') {
      Object.defineProperty(named, name, { value: tensor, enumerable: true });
    } else {
      named[name] = tensor;
    }
  }
  return named;
}
