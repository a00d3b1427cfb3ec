// SPDX-License-Identifier: Apache-2.0
// Says what can run here and why the rest cannot.
import { engineLibraries, type NativeEngine } from './binding.js';
import { environment } from './environment.js';
import { atCallerOf, toInferenceError } from './errors.js';

/** One engine: where its library is, or why there is none. */
export type EngineReport = NativeEngine;

/** What this process may use. */
export interface DeviceReport {
  /** Cores of the affinity mask, by number. */
  readonly cores: readonly number[];
  /** CPU time the container may use per second of time, in cores; Infinity for no quota. */
  readonly quota: number;
  /** Lanes of a model that does not say otherwise. */
  readonly lanes: number;
  /** Whether each of them is pinned to one core. */
  readonly pinned: boolean;
  /** One sentence on why. */
  readonly reason: string;
  readonly engines: readonly EngineReport[];
}

/**
 * Reports cores, lanes and engines. Opens the engine's library if that has not happened yet, so the first call
 * takes some milliseconds; after that it only reads.
 * @returns  an engine that is missing is an entry with `available: false`, its `problem` and what was `tried`.
 * @throws   INFER_ENGINE_UNAVAILABLE when the addon of this package cannot be loaded at all.
 */
export function listDevices(): DeviceReport {
  try {
    const native = environment();
    return native.devices(engineLibraries());
  } catch (error) {
    throw atCallerOf(listDevices, toInferenceError(error));
  }
}
