// SPDX-License-Identifier: Apache-2.0
// The command line of multi-model-server, with the file it chooses -> our settings.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { InferenceError } from '../../lib/index.js';
import type { Config } from '../config.js';
import type { ConfigNote, ConfigReport, Environment, FileSettings, Given } from '../layers.js';
import { joinSettings } from '../settings.js';
import { isConf, readConf } from './conf.js';
import { readEntries, readProperties } from './file.js';

/** What is to be done. */
export interface MmsCommand {
  readonly action: 'start' | 'stop' | 'restart' | 'explain' | 'help';
  /** Whether the process that was started is the server itself. */
  readonly foreground: boolean;
  readonly configFile: string | undefined;
  readonly modelStore: string | undefined;
  readonly models: readonly string[];
  readonly logConfig: string | undefined;
}

const help = `multi-model-server [--start | --stop | --explain] [--foreground] [--mms-config FILE]
    [--model-store DIRECTORY] [--models MODEL ...] [--log-config FILE]
`;

export function mmsUsage(): string {
  return help;
}

const switches: ReadonlyMap<string, Partial<MmsCommand>> = new Map([
  ['--start', { action: 'start' }],
  ['start', { action: 'start' }], // 0.x has words instead of flags
  ['--stop', { action: 'stop' }],
  ['stop', { action: 'stop' }],
  ['restart', { action: 'restart' }],
  ['--explain', { action: 'explain' }],
  ['--help', { action: 'help' }],
  ['-h', { action: 'help' }],
  ['--foreground', { foreground: true }],
]);

/** Flags with a value; the first two are the same, of 1.x and of 0.x. */
const valued: ReadonlyMap<string, 'configFile' | 'modelStore' | 'logConfig'> = new Map([
  ['--mms-config', 'configFile'],
  ['--mms-conf', 'configFile'],
  ['--model-store', 'modelStore'],
  ['--log-config', 'logConfig'],
]);

/** @throws  INFER_BAD_INPUT for what is not known, or a value that is missing. */
export function readCommandLine(args: readonly string[]): MmsCommand {
  const none = { configFile: undefined, modelStore: undefined, logConfig: undefined };
  let command: MmsCommand = { action: 'start', foreground: false, ...none, models: [] };
  const actions = new Set<string>();
  for (let index = 0; index < args.length; index++) {
    const { flag, value } = splitFlag(args[index] ?? '');
    const change = switches.get(flag);
    const key = valued.get(flag);
    if (change !== undefined) {
      if (value !== undefined)
        throw refused(`${flag}: expected no value, got ${JSON.stringify(value)}`);
      if (change.action !== undefined) actions.add(change.action);
      command = { ...command, ...change };
    } else if (key !== undefined) {
      command = { ...command, [key]: wordAfter(flag, value ?? args[++index]) };
    } else if (flag === '--models') {
      const models = value === undefined ? [] : [value];
      while (index + 1 < args.length && !args[index + 1]?.startsWith('-')) {
        models.push(args[++index] ?? '');
      }
      command = {
        ...command,
        models: [...command.models, wordAfter(flag, models[0]), ...models.slice(1)],
      };
    } else {
      const known = [...switches.keys(), ...valued.keys(), '--models'].join(', ');
      throw refused(`${flag}: no such flag; known are ${known}`);
    }
  }
  if (actions.size > 1) throw refused(`expected one of ${[...actions].join(' and ')}, got both`);
  return command;
}

function splitFlag(argument: string): { flag: string; value: string | undefined } {
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(argument) ?? [];
  return { flag: flag ?? argument, value };
}

function wordAfter(flag: string, value: string | undefined): string {
  if (value !== undefined && value !== '' && !value.startsWith('--')) return value;
  throw refused(`${flag}: expected a value after it, got ${JSON.stringify(value ?? null)}`);
}

function refused(message: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', message);
}

/** What MMS calls its file for SageMaker. */
const sagemaker = 'sagemaker';
const ofSageMaker = `
inference_address=http://0.0.0.0:$$SAGEMAKER_BIND_TO_PORT$$
management_address=http://0.0.0.0:$$SAGEMAKER_BIND_TO_PORT$$
model_store=$$SAGEMAKER_MODEL_STORE$$
default_response_timeout=$$SAGEMAKER_RESPONSE_TIMEOUT$$
unregister_model_timeout=$$SAGEMAKER_RESPONSE_TIMEOUT$$
default_workers_per_model=$$SAGEMAKER_NUM_MODEL_WORKERS$$
default_service_handler=$$SAGEMAKER_HANDLER$$
max_response_size=$$SAGEMAKER_MAX_RESPONSE_SIZE$$
max_request_size=$$SAGEMAKER_MAX_REQUEST_SIZE$$
decode_input_request=false
`;
const usualFile = 'config.properties';

/**
 * All settings: `MMS_*` variables, where the file lets them in, over flags over `INFERENCE_NATIVE_*` over the file.
 * @throws  INFER_BAD_INPUT
 */
export function explainMms(command: MmsCommand, environment: Environment): ConfigReport {
  const file = readChosen(command, environment);
  const { modelStore, models, logConfig } = command;
  if (modelStore !== undefined && !isDirectory(modelStore)) {
    throw refused(`--model-store directory not found: ${modelStore}`);
  }
  const flags = new Map<keyof Config, Given>();
  if (modelStore !== undefined) {
    flags.set('modelStore', { value: modelStore, source: '--model-store' });
  }
  if (models.length > 0) flags.set('models', { value: models, source: '--models' });
  const source = '--log-config';
  const reason = 'the log is JSON on standard error; logLevel says how much';
  const note: ConfigNote = { kind: 'ignored', key: 'log-config', source, reason };
  const notes = logConfig === undefined ? file.notes : [...file.notes, note];
  const report = joinSettings({ ...file, notes }, flags, environment);
  const isLocal = models.some(
    model => !/^(?:[^/=]+=)?(?:https?|s3):\/\//i.test(model) && !isAll(model),
  );
  if (isLocal && report.config.modelStore === '' && !isLegacy(file)) {
    throw refused('--model-store is required to load model locally.');
  }
  return report;
}

function isAll(model: string): boolean {
  return model.toUpperCase() === 'ALL';
}

interface ChosenFile extends FileSettings {
  /** Of 0.x, which had no model store. */
  readonly isConf?: true;
}

function isLegacy(file: ChosenFile): boolean {
  return file.isConf === true;
}

/** @source MMS: `MMS_CONFIG_FILE`, else the flag, else the file in the working directory, else none. */
function readChosen({ configFile }: MmsCommand, environment: Environment): ChosenFile {
  const chosen = environment['MMS_CONFIG_FILE'] || configFile; // an empty one is as none
  if (chosen === sagemaker) return readProperties(ofSageMaker, sagemaker, environment);
  const path = chosen ?? usualFile;
  if (!existsSync(path)) {
    if (chosen === undefined) return readEntries([], environment);
    throw refused(`--mms-config file not found: ${path}`);
  }
  const text = readText(path);
  if (!isConf(text)) return readProperties(text, path, environment);
  const { entries, notes } = readConf(text, path);
  const file = readEntries(entries, environment);
  return { ...file, notes: [...file.notes, ...notes], isConf: true };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw refused(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
