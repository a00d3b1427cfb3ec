// SPDX-License-Identifier: Apache-2.0
// Where settings come from: flag over environment over file over default, each checked and remembered with its source.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InferenceError } from '../lib/index.js';
import { addressesOf } from './address.js';
import { type Config, flagOf, settingTable, threadShareOf, variableOf } from './config.js';
import {
  bad,
  type ConfigReport,
  check,
  type Environment,
  type FileSettings,
  fromText,
  type Given,
  type Layer,
  listOf,
} from './layers.js';
import { isPropertiesName, readPropertiesFile } from './mms/file.js';
import { readPatterns } from './packages/url.js';
import { checkPorts, followingOf, readSageMaker } from './sagemaker/environment.js';
import { apis, readTokenPaths } from './tokens.js';

const configFlag = 'config';

/**
 * Reads all settings.
 * @param args         command line after the command's name.
 * @param environment  variables of the process; `INFERENCE_NATIVE_CONFIG` names a file as `--config` does.
 * @throws             INFER_BAD_INPUT naming the flag, variable or key; an unknown one with those that are known.
 */
export function explainConfig(args: readonly string[], environment: Environment): ConfigReport {
  const flags = readFlags(args);
  const path = flags.get(configFlag) ?? environment[variableOf(configFlag)];
  const file = typeof path === 'string' ? readFile(path, environment) : noFile;
  const layer = new Map<keyof Config, Given>();
  for (const row of settingTable) {
    const value = flags.get(row.key);
    const source = flagOf(row.key);
    if (value !== undefined) layer.set(row.key, { value: check(row, value, source), source });
  }
  return joinForServe(file, layer, environment);
}

/** The settings alone. */
export function readConfig(args: readonly string[], environment: Environment): Config {
  return explainConfig(args, environment).config;
}

/** Where SageMaker runs it, its variables stand below ours, and its contract below all that is said. */
function joinForServe(file: FileSettings, flags: Layer, environment: Environment): ConfigReport {
  const own = [flags, readVariables(environment), file.layer];
  const said = (key: keyof Config) => own.map(layer => layer.get(key)).find(given => given);
  const asked = { mode: said('sageMaker'), models: said('models') };
  const { mode, given, usual, notes } = readSageMaker(environment, asked);
  if (mode === 'off') return joinSettings(file, flags, environment);
  const all = { ...file, layer: new Map([...usual, ...file.layer, ...given]) };
  const { config } = join(all, flags, environment);
  const layer = new Map([...followingOf(config), ...all.layer]);
  const report = joinSettings({ ...file, layer }, flags, environment);
  checkPorts(report.config, environment);
  return { ...report, notes: [...report.notes, ...notes] };
}

/** @param flags  of the command line. @throws  INFER_BAD_INPUT for values that do not go together, and patterns that are none. */
export function joinSettings(
  file: FileSettings,
  flags: Layer,
  environment: Environment,
): ConfigReport {
  const report = join(file, flags, environment);
  checkTogether(report.config);
  return report;
}

/** Without a look at values that may not go together. */
function join(
  { layer: file, overrides, notes }: FileSettings,
  flags: Layer,
  environment: Environment,
): ConfigReport {
  const layers = [overrides, flags, readVariables(environment), file];
  const found = settingTable.map(({ key, default: value }): [keyof Config, Given] => {
    const given = layers.map(layer => layer.get(key)).find(entry => entry !== undefined);
    return [key, given ?? { value, source: 'default' }];
  });
  const values = found.map(([key, { value }]) => [key, value]);
  const sources = found.map(([key, { source }]) => [key, source]);
  const config: Config = Object.freeze(Object.fromEntries(values)); // each value was checked against its row
  return { config, sources: Object.fromEntries(sources), notes };
}

function checkTogether(config: Config): void {
  readPatterns(config.allowedUrls);
  addressesOf(config);
  checkTokens(config);
  for (const key of ['maxLoadedModels', 'maxLoadedBytes'] as const) {
    if (config.sageMaker !== 'multi' || config[key] === 0) continue;
    throw bad(key, '0, as SageMaker chooses which models are unloaded', config[key]);
  }
  const { maxBufferedBytes } = threadShareOf(config);
  if (config.maxRequestBytes <= maxBufferedBytes) return;
  const limit = config.httpThreads === 1 ? '' : ' / httpThreads';
  const expected = `at most maxBufferedBytes${limit} (${maxBufferedBytes})`;
  throw bad('maxRequestBytes', expected, config.maxRequestBytes);
}

/** @throws  INFER_BAD_INPUT naming an API that is to have tokens and has no file. */
function checkTokens({ tokenFiles, tokens }: Config): void {
  const paths = readTokenPaths(tokenFiles);
  const open = apis.filter(api => paths[api] === undefined);
  if (tokens === 'optional' || open.length === 0) return;
  throw bad('tokenFiles', `one for ${open.join(', ')} (tokens: required)`, tokenFiles);
}

function readVariables(environment: Environment): Layer {
  const layer = new Map<keyof Config, Given>();
  for (const row of settingTable) {
    const source = variableOf(row.key);
    const text = environment[source];
    if (text === undefined) continue;
    layer.set(row.key, { value: check(row, fromText(row, text), source), source });
  }
  return layer;
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

const noFile: FileSettings = { layer: new Map(), overrides: new Map(), notes: [] };

function readFile(path: string, environment: Environment): FileSettings {
  if (isPropertiesName(path)) return readPropertiesFile(path, environment);
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InferenceError(
      'INFER_BAD_INPUT',
      `--config ${path}: expected a JSON file, got: ${whyNoJson(error)}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw bad(`--config ${path}`, 'a JSON object', parsed);
  }
  const layer = new Map<keyof Config, Given>();
  for (const [key, value] of Object.entries(parsed)) {
    const row = settingTable.find(candidate => candidate.key === key);
    const source = `${path}: "${key}"`;
    if (row === undefined) throw unknownKey(path, key);
    layer.set(row.key, { value: check(row, value, source), source });
  }
  return { ...noFile, layer };
}

/** Node quotes a part of the text, which may be a secret. */
function whyNoJson(error: unknown): string {
  if (!(error instanceof SyntaxError))
    return error instanceof Error ? error.message : String(error);
  return /(?:at position|line) .*$/.exec(error.message)?.[0] ?? 'something else';
}

function unknownKey(path: string, key: string): InferenceError {
  const known = settingTable.map(row => row.key).join(', ');
  const message = `${path}: no such key as ${JSON.stringify(key)}; known are ${known}`;
  return new InferenceError('INFER_BAD_INPUT', message);
}
