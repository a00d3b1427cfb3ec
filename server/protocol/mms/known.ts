// SPDX-License-Identifier: Apache-2.0
// Whether a model that somebody names is registered, and how MMS says that it is not.
import { InferenceError } from '../../../lib/index.js';
import type { Registration, Registry } from '../../registry/index.js';
import { type Refusal, refusal } from './errors.js';

/** All versions of a name, the default one first. */
export function requireKnown(
  registry: Registry,
  name: string,
  version?: string,
): readonly Registration[] {
  const known = registry.versions(name);
  if (known.length === 0) throw modelNotFound(name);
  if (version !== undefined && !known.some(own => own.version === version)) {
    throw versionNotFound(name, version);
  }
  return known;
}

const longestName = 128;

export function shown(name: string): string {
  return name.slice(0, longestName);
}

export function modelNotFound(name: string): InferenceError {
  return new InferenceError('INFER_MODEL_NOT_FOUND', `Model not found: ${shown(name)}`);
}

export function versionNotFound(name: string, version = ''): Refusal {
  const message = `Model version: ${shown(version)} does not exist for model: ${shown(name)}`;
  return refusal(404, 'ModelVersionNotFoundException', message);
}
