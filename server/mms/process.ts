// SPDX-License-Identifier: Apache-2.0
// What the system knows of a process: when it started, and with which words.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessInfo {
  /**
   * Whole seconds, on Linux since the system started, elsewhere since 1970. The system has noted it with the process, so
   * that it stays the same when a clock is set; it tells processes of one id apart, and is compared with nothing else.
   */
  readonly startedS: number;
  /** The program, and what was given to it. */
  readonly words: readonly string[];
}

/** The process of this id; undefined when there is none, or none that tells. */
export function processInfo(pid: number): ProcessInfo | undefined {
  try {
    return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
  } catch {
    return undefined;
  }
}

/** Linux counts in these for programs, whatever its own clock is (USER_HZ). */
const ticksPerSecond = 100;

/** @source proc(5): field 22 of `stat` is the start, in ticks since the system was; field 2 may hold any character but is in brackets. */
function fromProc(pid: number): ProcessInfo {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fieldsFrom3 = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startedS = Math.floor(Number(fieldsFrom3[22 - 3]) / ticksPerSecond);
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return { startedS, words };
}

/** @source ps(1): `lstart` is always 24 characters. */
export function fromPs(pid: number): ProcessInfo {
  const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
  const args = ['-o', 'lstart=', '-o', 'command=', '-p', String(pid)];
  const text = execFileSync('ps', args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const line = text.trim();
  const startedS = Date.parse(`${line.slice(0, 24)} UTC`) / 1000;
  return { startedS, words: line.slice(24).trim().split(/\s+/) };
}
