// SPDX-License-Identifier: Apache-2.0
// The configuration that a load request brings, in the terms of the library.
import type { LoadOptions } from '../../../lib/index.js';
import { badInput, describe, quote } from '../../decode/describe.js';
import { isObject, type JsonObject, parseObject } from './body.js';
import { refusal } from './errors.js';

/**
 * @param parameters  of the request: `config` is a model configuration as JSON text; files are not taken.
 * @returns           undefined when there is none. What has no meaning here is passed over.
 * @throws            what says `failed to load`, which clients look for.
 */
export function readConfig(parameters: JsonObject, name: string): LoadOptions | undefined {
  const file = Object.keys(parameters).find(key => key.startsWith('file:'));
  if (file !== undefined) {
    throw refusal(501, `failed to load '${name}': files in the request are not supported`);
  }
  const { config } = parameters;
  if (config === undefined) return undefined;
  try {
    if (typeof config !== 'string') throw badInput('parameters.config', 'a text', describe(config));
    return optionsOf(parseObject(config, 'parameters.config'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refusal(400, `failed to load '${name}': ${reason}`);
  }
}

function optionsOf(config: JsonObject): LoadOptions {
  const maxBatch = integerOf(config, 'max_batch_size');
  const lanes = lanesOf(config['instance_group']);
  return {
    batching: {
      ...(maxBatch === undefined ? {} : { maxBatch: Math.max(1, maxBatch) }),
      ...batchingOf(config['dynamic_batching'], maxBatch),
    },
    ...(lanes === undefined ? {} : { placement: { lanes } }),
  };
}

function batchingOf(value: unknown, maxBatch: number | undefined): LoadOptions['batching'] {
  if (value === undefined || maxBatch === 0) return {};
  if (!isObject(value)) throw badInput('dynamic_batching', 'an object', describe(value));
  const maxDelayUs = integerOf(value, 'max_queue_delay_microseconds');
  return maxDelayUs === undefined ? {} : { maxDelayUs };
}

/** The sum over all groups, as each instance is a lane. */
function lanesOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw badInput('instance_group', 'an array', describe(value));
  const counts = value.map(group => {
    if (!isObject(group)) throw badInput('instance_group', 'objects', describe(group));
    return integerOf(group, 'count') ?? 1;
  });
  const lanes = counts.reduce((sum, count) => sum + count, 0);
  return lanes === 0 ? undefined : lanes;
}

/** Numbers may be texts, as some clients write them. */
function integerOf(object: JsonObject, key: string): number | undefined {
  const value = object[key];
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw badInput(quote(key), 'an integer from 0', describe(value));
}
