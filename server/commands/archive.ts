// SPDX-License-Identifier: Apache-2.0
// `inference-native archive`: makes a .mar from a model directory.
import { parseArgs } from 'node:util';
import { InferenceError } from '../../lib/index.js';
import { pack } from '../packages/pack.js';

const options = {
  'model-name': { type: 'string' },
  'model-path': { type: 'string' },
  'model-version': { type: 'string' },
  handler: { type: 'string' },
  'export-path': { type: 'string', default: '.' },
  force: { type: 'boolean', short: 'f', default: false },
} as const;

/** @source the archivers of MMS and TorchServe. */
const allowedName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const allowedVersion = /^[A-Za-z0-9_.-]{1,64}$/;

/** Writes the path of the archive to standard output. @returns  exit code. */
export async function archive(args: readonly string[]): Promise<number> {
  const values = readFlags(args);
  const modelName = required(values, 'model-name', allowedName);
  const modelPath = required(values, 'model-path', /./);
  const modelVersion = values['model-version'];
  if (modelVersion !== undefined) required(values, 'model-version', allowedVersion);
  const { handler, force, 'export-path': exportPath } = values;
  const request = { modelName, modelPath, modelVersion, handler, exportPath, force };
  process.stdout.write(`${await pack(request)}\n`);
  return 0;
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const known = Object.keys(options).map(name => `--${name}`);
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    const message = `archive: ${reason}; known are ${known.join(', ')}`;
    throw new InferenceError('INFER_BAD_INPUT', message);
  }
}

function required(
  values: Readonly<Record<string, unknown>>,
  flag: keyof typeof options,
  allowed: RegExp,
): string {
  const value = values[flag];
  if (typeof value === 'string' && allowed.test(value)) return value;
  const got = JSON.stringify(value ?? null);
  const message = `--${flag}: expected a text that matches ${allowed}, got ${got}`;
  throw new InferenceError('INFER_BAD_INPUT', message);
}
