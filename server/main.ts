#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Command line: picks a command from a table.
import { InferenceError } from '../lib/index.js';
import { archive } from './commands/archive.js';
import { config } from './commands/config.js';
import { devices } from './commands/devices.js';
import { serve } from './commands/serve.js';
import { runProgram } from './program.js';
import { usage } from './usage.js';
import { packageVersion } from './version.js';

/** @returns  exit code. */
type Command = (args: readonly string[]) => Promise<number>;

async function help(): Promise<number> {
  process.stdout.write(usage());
  return 0;
}

async function version(): Promise<number> {
  process.stdout.write(`${packageVersion()}\n`);
  return 0;
}

const commands: ReadonlyMap<string, Command> = new Map([
  ['serve', serve],
  ['devices', devices],
  ['archive', archive],
  ['config', config],
  ['help', help],
  ['--help', help],
  ['-h', help],
  ['--version', version],
]);

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const command = args.some(arg => arg === '--help' || arg === '-h') ? help : commands.get(name);
  if (command !== undefined) return command(args);
  const known = [...commands.keys()].filter(key => !key.startsWith('-')).join(', ');
  const message = name === '' ? 'which command?' : `${name}: no such command;`;
  throw new InferenceError('INFER_BAD_INPUT', `${message} known are ${known}`);
}

await runProgram('inference-native', 2, () => main(process.argv.slice(2)));
