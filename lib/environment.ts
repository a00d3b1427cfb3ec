// SPDX-License-Identifier: Apache-2.0
// This JavaScript environment's side of the addon: starts it, keeps the requests in flight, settles them.
// Hot path: every function here runs once per request or once per burst of them.
import { loadBinding, type NativeBinding, type NativeModel, type NativeResult } from './binding.js';
import { unwatch, watch } from './cancellation.js';
import { InferenceError, type NativeError } from './errors.js';
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

let binding: NativeBinding | undefined;
let nextId = 1;
let flushDue = false;
/** Flushes of one turn of the event loop that may run a micro model in place: more would keep timers and sockets waiting. */
const runsHerePerTurn = 32;
let runsHere = runsHerePerTurn;
const pending = new Map<number, Pending>();
const resolved = Promise.resolve();

/**
 * The addon, loaded and started on the first call.
 * @throws  see loadBinding(); a failed load is tried again by the next call.
 */
export function environment(): NativeBinding {
  if (binding === undefined) {
    const loaded = loadBinding();
    loaded.start(complete, deliverLog);
    binding = loaded;
  }
  return binding;
}

/**
 * Stages a checked request; all that are staged in one turn of the event loop are handed over together.
 * @param entry      settled later, on this thread, exactly once, unless this throws.
 * @param timeoutMs  from now, at most maxTimeoutMs; 0 for none.
 * @throws           what the addon throws: the request is not accepted and `entry` is not kept.
 */
export function submit(
  entry: Pending,
  data: readonly NativeData[],
  shapes: readonly number[],
  timeoutMs: number,
): void {
  const id = nextId++;
  entry.handle.native.submit(id, data, shapes, timeoutMs);
  pending.set(id, entry);
  entry.handle.inFlight++;
  if (!flushDue) {
    flushDue = true;
    resolved.then(flush); // as queueMicrotask(flush), at less than half the price
  }
  // The addon knows the deadline too. The timer is for the case that every lane is busy beyond it. It holds the
  // process no longer than the request itself does, because settling clears it.
  if (timeoutMs > 0) entry.timer = setTimeout(cancelLate, timeoutMs, id);
  if (entry.signal !== undefined) watch(entry.signal, id, cancelAborted);
}

function flush(): void {
  flushDue = false;
  if (runsHere === runsHerePerTurn) setImmediate(nextTurn);
  if (runsHere > 0) runsHere--;
  binding?.flush(runsHere > 0);
}

function nextTurn(): void {
  runsHere = runsHerePerTurn;
}

function cancelLate(id: number): void {
  pending.get(id)?.handle.native.cancel(id, true);
}

function cancelAborted(id: number): void {
  pending.get(id)?.handle.native.cancel(id, false);
}

/** Called by the addon with everything that has finished. */
function complete(ids: readonly number[], results: readonly NativeResult[]): void {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index];
    const entry = id === undefined ? undefined : pending.get(id);
    if (id === undefined || entry === undefined) continue;
    pending.delete(id);
    if (entry.timer !== undefined) clearTimeout(entry.timer);
    if (entry.signal !== undefined) unwatch(entry.signal, id);
    settle(entry, results[index]);
    const { handle } = entry;
    handle.inFlight--;
    if (handle.inFlight === 0) handle.onIdle?.();
  }
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
