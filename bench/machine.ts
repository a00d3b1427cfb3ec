// SPDX-License-Identifier: Apache-2.0
// What a result depends on besides the code: processor, cores, memory, kernel and library versions.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { listDevices } from '../lib/index.js';
import { root } from './models.js';
import { allowedCores } from './process.js';

/** The machine and the versions, as they go into every result. */
export interface Machine {
  /** For file names: `linux-x64-2-amd-epyc`. */
  readonly id: string;
  readonly cpu: string;
  readonly cores: readonly number[];
  readonly lanes: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly virtual: boolean;
  readonly device: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit: string;
  /** Average number of running threads before the benchmark began; above 0.2 the figures are suspect. */
  readonly loadBefore: number;
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  try {
    const main = name === 'uWebSockets.js' ? join(root, 'node_modules', name, 'package.json') : '';
    const path = main === '' ? require.resolve(`${name}/package.json`) : main;
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  } catch {
    return 'not installed';
  }
}

function commitText(): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return `${git('rev-parse', '--short=12', 'HEAD').trim()}${changed ? ' with changes' : ''}`;
  } catch {
    return 'not a checkout';
  }
}

/** The model name from /proc/cpuinfo, without the words that every processor has. */
function cpuName(): string {
  const name = cpus()[0]?.model ?? 'unknown';
  return name
    .replace(/\((R|TM)\)|\b(CPU|Processor)\b|@.*$/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Reads it all; takes some milliseconds for the engine and git. */
export function describeMachine(): Machine {
  const report = listDevices();
  const engine = report.engines[0];
  const cores = allowedCores();
  const cpu = cpuName();
  const slug = cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return {
    id: `${process.platform}-${arch()}-${cores.length}-${slug}`,
    cpu,
    cores,
    lanes: report.reason,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    virtual: /\bhypervisor\b/.test(readFileSync('/proc/cpuinfo', 'utf8')),
    device: 'cpu',
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      onnxruntime: engine?.version ?? 'none',
      'onnxruntime-node': versionOf('onnxruntime-node'),
      'uWebSockets.js (uws-pack)': versionOf('uWebSockets.js'),
      fastify: versionOf('fastify'),
    },
    commit: commitText(),
    loadBefore: loadavg()[0] ?? 0,
  };
}
