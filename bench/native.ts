// SPDX-License-Identifier: Apache-2.0
// Builds the program that runs the engine's C API in a loop, and finds the engine's library for it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { listDevices } from '../lib/index.js';
import { root } from './models.js';

function mustRun(program: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  }
}

/** Configures and compiles build/bench/capi_loop; quick when nothing has changed. */
export function buildNative(): void {
  const folder = join('build', 'bench');
  mustRun('cmake', ['-S', '.', '-B', folder, '-DINFER_ADDON=OFF', '-DINFER_BENCH=ON']);
  mustRun('cmake', ['--build', folder, '--target', 'capi_loop']);
}

/** The library that predict() uses, so that both sides run the same code. */
export function engineLibrary(): string {
  const engine = listDevices().engines[0];
  if (engine === undefined || !engine.available) {
    throw new Error(`no engine to measure: ${engine?.problem?.message ?? 'none is known'}`);
  }
  return engine.path;
}
