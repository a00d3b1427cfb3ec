// SPDX-License-Identifier: Apache-2.0
// Says what can run here and why the rest cannot.
import {
  engineLibraries,
  type NativeCore,
  type NativeDevices,
  type NativeEngine,
} from './binding.js';
import { environment } from './environment.js';
import { atCallerOf, toInferenceError } from './errors.js';

/** One engine: where its library is, or why there is none. */
export type EngineReport = NativeEngine;

/** A NUMA node: cores that are near the same memory. */
export interface NodeReport {
  readonly id: number;
  /** Those of the affinity mask. */
  readonly cores: readonly number[];
}

/** What this process may use. */
export interface DeviceReport {
  /** Cores of the affinity mask, by number. */
  readonly cores: readonly number[];
  /** The same cores, those together that are siblings: they share the units of one physical core. */
  readonly physicalCores: readonly (readonly number[])[];
  /** The same cores by NUMA node. */
  readonly nodes: readonly NodeReport[];
  /** CPU time the container may use per second of time, in cores; Infinity for no quota. */
  readonly quota: number;
  /** Lanes of a model that does not say otherwise. */
  readonly lanes: number;
  /** Whether each of them is pinned to one core. */
  readonly pinned: boolean;
  /** The cores they are pinned to, in the order of the lanes; empty when they are not. */
  readonly laneCores: readonly number[];
  /** The other cores: there the JS threads have room. All of them when lanes are not pinned. */
  readonly freeCores: readonly number[];
  /** One sentence on why. */
  readonly reason: string;
  /** Files of the system that say something about cores and cannot be understood; they were left out of account. */
  readonly problems: readonly string[];
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
    return reportOf(environment().devices(engineLibraries()));
  } catch (error) {
    throw atCallerOf(listDevices, toInferenceError(error));
  }
}

function reportOf({ cores: known, laneCores, ...rest }: NativeDevices): DeviceReport {
  const cores = known.map(({ id }) => id);
  return {
    ...rest,
    cores,
    physicalCores: [...groupBy(known, 'physical').values()],
    nodes: [...groupBy(known, 'node')].map(([id, cores]) => ({ id, cores })),
    pinned: laneCores.length > 0,
    laneCores,
    freeCores: cores.filter(core => !laneCores.includes(core)),
  };
}

/** Ids of the cores that agree in `key`, by its value, in the order of the cores. */
function groupBy(cores: readonly NativeCore[], key: 'physical' | 'node'): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const core of cores) groups.set(core[key], [...(groups.get(core[key]) ?? []), core.id]);
  return groups;
}
