// SPDX-License-Identifier: Apache-2.0
// One table of settings -> one frozen Config; flag over environment over file over default.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InferenceError } from '../lib/index.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** All settings of `serve`, checked and frozen. Units and ranges: the table below. */
export interface Config {
  readonly models: readonly string[];
  readonly modelStore: string;
  readonly workDir: string;
  readonly maxPackageBytes: number;
  readonly host: string;
  readonly port: number;
  readonly managementHost: string;
  readonly managementPort: number;
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly httpThreads: number;
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxResponseBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxImagePixels: number;
  readonly maxWaitingImages: number;
  readonly defaultWorkers: number;
  readonly unregisterTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly drainGraceMs: number;
  readonly logLevel: LogLevel;
}

type Value = string | number | readonly string[];

/** One setting. Flag and environment variable follow from the key: `maxRequestBytes`, `--max-request-bytes`, `INFERENCE_NATIVE_MAX_REQUEST_BYTES`. */
export interface SettingRow {
  readonly key: keyof Config;
  readonly type: 'text' | 'integer' | 'list' | 'choice';
  /** Smallest and largest value of an integer. */
  readonly range?: readonly [number, number];
  readonly choices?: readonly string[];
  readonly default: Value;
  readonly unit?: string;
  readonly description: string;
}

const port = { type: 'integer', range: [0, 65535] } as const;
const host = { type: 'text', default: '127.0.0.1' } as const;
const bytes = { type: 'integer', range: [1, 2 ** 31 - 1], unit: 'bytes' } as const;
const milliseconds = { type: 'integer', range: [0, 3_600_000], unit: 'ms' } as const;

/** All settings in the order of docs/server.md, which a test compares with this table. */
export const settingTable: readonly SettingRow[] = [
  {
    key: 'models',
    type: 'list',
    default: [],
    description:
      'Models to serve, each a path or `name=path`; also given as arguments without a flag. Without any the shipped ones are served.',
  },
  {
    key: 'modelStore',
    type: 'text',
    default: '',
    description: 'Directory that relative paths of models start at, and stay in.',
  },
  {
    key: 'workDir',
    type: 'text',
    default: '',
    description:
      'Directory that archives are unpacked in, of this server and user alone; without it one in the temporary directory.',
  },
  {
    key: 'maxPackageBytes',
    ...bytes,
    range: [1, 2 ** 40],
    default: 2 ** 33,
    description: 'The most that one archive may unpack to.',
  },
  { key: 'host', ...host, description: 'Address that the inference API listens on.' },
  { key: 'port', ...port, default: 8080, description: 'Its port; 0 takes a free one.' },
  { key: 'managementHost', ...host, description: 'Address that the management API listens on.' },
  {
    key: 'managementPort',
    ...port,
    default: 8081,
    description: 'Its port; that of another API on the same address joins the two.',
  },
  { key: 'metricsHost', ...host, description: 'Address that the metrics listen on.' },
  {
    key: 'metricsPort',
    ...port,
    default: 8082,
    description: 'Its port; that of another API on the same address joins the two.',
  },
  {
    key: 'httpThreads',
    type: 'integer',
    range: [1, 64],
    default: 1,
    unit: 'threads',
    description: 'Event loops that share the port of the inference API.',
  },
  {
    key: 'maxRequestBytes',
    ...bytes,
    default: 6_553_500,
    description: 'Largest body of one request; a larger one is answered 413.',
  },
  {
    key: 'maxBufferedBytes',
    ...bytes,
    range: [1, 2 ** 40],
    default: 2 ** 28,
    description: 'Memory for the bodies of all requests together; beyond it the answer is 503.',
  },
  {
    key: 'maxResponseBytes',
    ...bytes,
    range: [1, 2 ** 28],
    default: 2 ** 26,
    description:
      'Largest JSON of tensors, estimated before it is written; a larger one is answered 400.',
  },
  {
    key: 'maxHeaderBytes',
    ...bytes,
    range: [4096, 2 ** 20],
    default: 16_384,
    description: 'Largest request line and headers of one request; beyond it the answer is 431.',
  },
  {
    key: 'maxImagePixels',
    type: 'integer',
    range: [1, 2 ** 32],
    default: 40_000_000,
    unit: 'pixels',
    description: 'Largest width times height of an image, looked at before it is decoded.',
  },
  {
    key: 'maxWaitingImages',
    type: 'integer',
    range: [0, 65_536],
    default: 256,
    unit: 'images',
    description: 'How many images may wait to be decoded; beyond it the answer is 503.',
  },
  {
    key: 'defaultWorkers',
    type: 'integer',
    range: [0, 4096],
    default: 0,
    unit: 'lanes',
    description:
      'Lanes of a model that the management API registers without `initial_workers`; without any it is registered, and serves when it is scaled up.',
  },
  {
    key: 'unregisterTimeoutMs',
    ...milliseconds,
    default: 120_000,
    description: 'How long accepted requests may still take when their model is unregistered.',
  },
  {
    key: 'drainTimeoutMs',
    ...milliseconds,
    default: 25_000,
    description: 'How long accepted requests may still take after SIGTERM or SIGINT.',
  },
  {
    key: 'drainGraceMs',
    ...milliseconds,
    default: 1_000,
    description: 'How long idle connections are kept open while draining.',
  },
  {
    key: 'logLevel',
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'Least severe log lines that are written.',
  },
];

/** `--max-request-bytes` */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
}

/** `INFERENCE_NATIVE_MAX_REQUEST_BYTES` */
export function variableOf(key: string): string {
  return `INFERENCE_NATIVE_${key.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`;
}

const configFlag = 'config';

/**
 * Reads all settings.
 * @param args         command line after the command's name.
 * @param environment  variables of the process; `INFERENCE_NATIVE_CONFIG` names a file as `--config` does.
 * @throws             INFER_BAD_INPUT naming the flag, variable or key; an unknown one with those that are known.
 */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const flags = readFlags(args);
  const path = flags.get(configFlag) ?? environment[variableOf(configFlag)];
  const file = typeof path === 'string' ? readFile(path) : new Map<string, unknown>();
  const entries = settingTable.map((row): [string, Value] => {
    const flag = flags.get(row.key);
    if (flag !== undefined) return [row.key, check(row, flag, flagOf(row.key))];
    const variable = environment[variableOf(row.key)];
    if (variable !== undefined)
      return [row.key, check(row, fromText(row, variable), variableOf(row.key))];
    if (file.has(row.key)) return [row.key, check(row, file.get(row.key), `${path}: "${row.key}"`)];
    return [row.key, row.default];
  });
  const config = Object.fromEntries(entries) as unknown as Config; // each value was checked against its row
  const { maxBufferedBytes } = threadShareOf(config);
  if (config.maxRequestBytes > maxBufferedBytes) {
    const limit = config.httpThreads === 1 ? '' : ' / httpThreads';
    const expected = `at most maxBufferedBytes${limit} (${maxBufferedBytes})`;
    throw bad('maxRequestBytes', expected, config.maxRequestBytes);
  }
  return Object.freeze(config);
}

/** What one HTTP thread works with: an equal part of what the process may hold in all, so that none asks the others. */
export function threadShareOf(config: Config): Config {
  const { httpThreads, maxBufferedBytes, maxWaitingImages } = config;
  return {
    ...config,
    maxBufferedBytes: Math.floor(maxBufferedBytes / httpThreads),
    maxWaitingImages: Math.floor(maxWaitingImages / httpThreads),
  };
}

function bad(where: string, expected: string, got: unknown): InferenceError {
  return new InferenceError(
    'INFER_BAD_INPUT',
    `${where}: expected ${expected}, got ${JSON.stringify(got)}`,
  );
}

/** Flags and bare arguments by key: models add up, of other flags the last counts. Nothing is checked yet. */
function readFlags(args: readonly string[]): Map<string, unknown> {
  const rows = new Map(settingTable.map(row => [flagOf(row.key).slice(2), row]));
  const options = Object.fromEntries(
    [...rows.keys(), configFlag].map(name => [name, { type: 'string' } as const]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, unknown>();
  let models: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') models = [...(models ?? []), token.value];
    if (token.kind !== 'option') continue;
    const row = rows.get(token.name);
    const key = row?.key ?? configFlag;
    if (row === undefined && token.name !== configFlag) throw unknownFlag(token.rawName);
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
      throw bad(token.rawName, 'a value after it', token.value ?? null);
    }
    if (row?.key === 'models') models = [...(models ?? []), ...listOf(token.value)];
    else given.set(key, row === undefined ? token.value : fromText(row, token.value));
  }
  if (models !== undefined) given.set('models', models);
  return given;
}

function unknownFlag(name: string): InferenceError {
  const known = [...settingTable.map(row => flagOf(row.key)), `--${configFlag}`].sort().join(', ');
  return new InferenceError('INFER_BAD_INPUT', `${name}: no such flag; known are ${known}`);
}

/** What a flag or variable says, in the row's type where that is possible. */
function fromText({ type }: SettingRow, text: string): unknown {
  if (type === 'integer') return /^\d+$/.test(text) ? Number(text) : text;
  if (type === 'list') return listOf(text);
  return text;
}

function listOf(text: string): string[] {
  return text.split(',').filter(part => part !== '');
}

function readFile(path: string): Map<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InferenceError(
      'INFER_BAD_INPUT',
      `--config ${path}: expected a JSON file, got: ${reason}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw bad(`--config ${path}`, 'a JSON object', parsed);
  }
  const known = settingTable.map(row => row.key);
  const unknown = Object.keys(parsed).find(key => !known.some(name => name === key));
  if (unknown !== undefined) {
    const message = `${path}: no such key as ${JSON.stringify(unknown)}; known are ${known.join(', ')}`;
    throw new InferenceError('INFER_BAD_INPUT', message);
  }
  return new Map(Object.entries(parsed));
}

function check(row: SettingRow, value: unknown, where: string): Value {
  const { type, range, choices } = row;
  if (type === 'integer') {
    const [low, high] = range ?? [0, Number.MAX_SAFE_INTEGER];
    const fits =
      typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
    if (!fits) throw bad(where, `an integer from ${low} to ${high}`, value);
    return value;
  }
  if (type === 'list') {
    const fits =
      Array.isArray(value) &&
      value.length > 0 &&
      value.every(entry => typeof entry === 'string' && entry !== '');
    if (!fits) throw bad(where, 'a list of one or more texts', value);
    return value;
  }
  if (typeof value !== 'string' || value === '') throw bad(where, 'a text', value);
  if (choices !== undefined && !choices.includes(value)) {
    throw bad(where, `one of ${choices.join(', ')}`, value);
  }
  return value;
}
