// SPDX-License-Identifier: Apache-2.0
// What SageMaker and its inference toolkit say by variables of the container -> layers of our settings.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, type SageMakerMode, settingTable, type Value } from '../config.js';
import {
  bad,
  type ConfigNote,
  check,
  type Environment,
  type Given,
  type Layer,
} from '../layers.js';

/** A variable that becomes a setting. */
interface Variable {
  readonly name: string;
  readonly key: keyof Config;
  /** What its text means, in the unit of the setting. */
  readonly read: (text: string) => unknown;
}

function times(factor: number) {
  return (text: string) => (/^\d{1,10}$/.test(text) ? Number(text) * factor : text);
}

const megabyte = 2 ** 20;
const largestResponse = 2 ** 28;

/** @source  Numbers of Python's logging module. */
function logLevel(text: string): string {
  const level = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (level >= 40) return 'error';
  if (level >= 30) return 'warn';
  if (level >= 20) return 'info';
  return level >= 0 ? 'debug' : text;
}

/**
 * Of several for one setting the first that is set counts.
 * @source  SageMaker's inference toolkit, and the file that Multi Model Server brings for SageMaker. Seconds are seconds.
 */
const variables: readonly Variable[] = [
  { name: 'SAGEMAKER_BIND_TO_PORT', key: 'port', read: times(1) },
  { name: 'SAGEMAKER_MAX_PAYLOAD_IN_MB', key: 'maxRequestBytes', read: times(megabyte) },
  { name: 'SAGEMAKER_MAX_REQUEST_SIZE', key: 'maxRequestBytes', read: times(1) },
  {
    name: 'SAGEMAKER_MAX_RESPONSE_SIZE',
    key: 'maxResponseBytes',
    read: text => {
      const bytes = times(1)(text);
      return typeof bytes === 'number' ? Math.min(bytes, largestResponse) : bytes;
    },
  },
  { name: 'SAGEMAKER_MODEL_SERVER_WORKERS', key: 'defaultWorkers', read: times(1) },
  { name: 'SAGEMAKER_NUM_MODEL_WORKERS', key: 'defaultWorkers', read: times(1) },
  { name: 'SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS', key: 'responseTimeoutMs', read: times(1000) },
  { name: 'SAGEMAKER_MODEL_SERVER_TIMEOUT', key: 'responseTimeoutMs', read: times(1000) },
  { name: 'SAGEMAKER_RESPONSE_TIMEOUT', key: 'responseTimeoutMs', read: times(1000) },
  { name: 'SAGEMAKER_STARTUP_TIMEOUT', key: 'startupTimeoutMs', read: times(1000) },
  { name: 'SAGEMAKER_MODEL_STORE', key: 'modelStore', read: text => text },
  { name: 'SAGEMAKER_CONTAINER_LOG_LEVEL', key: 'logLevel', read: logLevel },
];

/** Variables without a setting of their own: signs of SageMaker all the same. */
const signs = [
  'SAGEMAKER_MULTI_MODEL',
  'SAGEMAKER_SAFE_PORT_RANGE',
  'SAGEMAKER_BASE_DIR',
  'SAGEMAKER_BATCH',
];

/** What is for Python. */
const foreign: readonly string[] = ['SAGEMAKER_PROGRAM', 'SAGEMAKER_HANDLER'];

/** What other places say about the mode and the models. */
export interface Asked {
  readonly mode: Given | undefined;
  readonly models: Given | undefined;
}

/** What the environment says; `mode` is `off` where there is no SageMaker. */
export interface SageMakerSettings {
  readonly mode: SageMakerMode;
  /** Said by variables. */
  readonly given: Layer;
  /** What the contract asks for unless somebody says otherwise. */
  readonly usual: Layer;
  readonly notes: readonly ConfigNote[];
}

/** @throws  INFER_BAD_INPUT naming the variable. */
export function readSageMaker(environment: Environment, asked: Asked): SageMakerSettings {
  const found = asked.mode ?? detect(environment, asked.models !== undefined);
  const mode = found.value as SageMakerMode; // checked against its row, or ours
  if (mode === 'off') return { mode, given: new Map(), usual: new Map(), notes: [] };
  const given = new Map<keyof Config, Given>();
  for (const { name, key, read } of variables) {
    const text = environment[name];
    if (text === undefined || given.has(key)) continue;
    given.set(key, { value: checked(key, read(text), name), source: name });
  }
  given.set('sageMaker', found);
  return { mode, given, usual: usualOf(mode, environment), notes: notesOf(environment) };
}

function checked(key: keyof Config, value: unknown, where: string): Value {
  const row = settingTable.find(candidate => candidate.key === key);
  if (row === undefined) throw new Error(`${key}: no such setting`);
  return check(row, value, where);
}

/** SageMaker starts the container with `serve` alone, and mostly with no variable at all, but always with its directory. */
function detect(environment: Environment, isAsked: boolean): Given {
  if (environment['SAGEMAKER_MULTI_MODEL'] === 'true') {
    return { value: 'multi', source: 'SAGEMAKER_MULTI_MODEL' };
  }
  const names = [...variables.map(({ name }) => name), ...signs, ...foreign];
  const sign = names.find(name => environment[name] !== undefined);
  if (sign !== undefined) return { value: 'single', source: sign };
  const directory = directoryOf('single', environment);
  if (!isAsked && statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    return { value: 'single', source: directory };
  }
  return { value: 'off', source: 'default' };
}

function directoryOf(mode: SageMakerMode, environment: Environment): string {
  const base = environment['SAGEMAKER_BASE_DIR'] || '/opt/ml';
  return join(base, mode === 'multi' ? 'models' : 'model');
}

/** SageMaker waits so long for the end of requests to a model that it has removed, and less by a bit. */
const unregisterTimeoutMs = 350_000;

function usualOf(mode: SageMakerMode, environment: Environment): Layer {
  const directory = directoryOf(mode, environment);
  const ofMode: Partial<Record<keyof Config, Value>> =
    mode === 'multi'
      ? { defaultWorkers: 1, unregisterTimeoutMs }
      : { models: [`model=${directory}`] };
  const values = {
    host: '0.0.0.0',
    modelStore: directory,
    responseTimeoutMs: 60_000,
    startupTimeoutMs: 600_000,
    ...ofMode,
  };
  const entries = Object.entries(values) as [keyof Config, Value][];
  return new Map(entries.map(([key, value]) => [key, { value, source: 'SageMaker' }]));
}

/** One port for all APIs, and room for as large a body as is taken. */
export function followingOf({ host, port, maxRequestBytes, httpThreads }: Config): Layer {
  const source = 'SageMaker';
  const room = maxRequestBytes * httpThreads;
  const usual = settingTable.find(({ key }) => key === 'maxBufferedBytes')?.default ?? 0;
  return new Map<keyof Config, Given>([
    ['managementHost', { value: host, source }],
    ['managementPort', { value: port, source }],
    ['metricsHost', { value: host, source }],
    ['metricsPort', { value: port, source }],
    ...(room > Number(usual) ? [['maxBufferedBytes', { value: room, source }] as const] : []),
  ]);
}

/** @throws  INFER_BAD_INPUT for a port other than the one of requests that SageMaker leaves to something else. */
export function checkPorts(config: Config, environment: Environment): void {
  const name = 'SAGEMAKER_SAFE_PORT_RANGE';
  const text = environment[name];
  if (text === undefined) return;
  const [, low = '', high = ''] = /^\s*(\d{1,5})\s*-\s*(\d{1,5})\s*$/.exec(text) ?? [];
  if (low === '' || Number(low) > Number(high)) throw bad(name, 'two ports as 9000-9010', text);
  for (const key of ['managementPort', 'metricsPort'] as const) {
    const port = config[key];
    if (port === config.port || (port >= Number(low) && port <= Number(high))) continue;
    throw bad(key, `${config.port}, or a port from ${low} to ${high} (${name})`, port);
  }
}

function notesOf(environment: Environment): ConfigNote[] {
  const set = foreign.filter(name => environment[name] !== undefined);
  const reason = 'Python is never run here';
  return set.map(key => ({ kind: 'ignored', key, source: 'environment', reason }));
}
