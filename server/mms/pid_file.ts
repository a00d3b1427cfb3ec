// SPDX-License-Identifier: Apache-2.0
// The file that says which process is the server that was started before.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceError } from '../../lib/index.js';

const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

/** @source MMS: this name in the directory for temporary files. */
export function pidFile(): string {
  return join(tmpdir(), '.model_server.pid');
}

/**
 * The recorded process; undefined when there is no file. The directory belongs to everybody, so the file counts only
 * when it is our own.
 * @throws  INFER_BAD_INPUT
 */
export function readPid(): number | undefined {
  const path = pidFile();
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw foreign(path, `cannot be read (${code})`);
  }
  try {
    if (fstatSync(file).uid !== process.getuid?.()) throw foreign(path, 'belongs to another user');
    const text = readFileSync(file, 'utf8').trim();
    if (!/^[1-9]\d{0,9}$/.test(text)) throw foreign(path, 'holds no process id');
    return Number(text);
  } finally {
    closeSync(file);
  }
}

/** @throws  INFER_BAD_INPUT */
export function writePid(pid: number): void {
  const path = pidFile();
  let file: number;
  try {
    file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw foreign(path, `cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
  writeSync(file, `${pid}\n`);
  closeSync(file);
}

export function removePid(): void {
  rmSync(pidFile(), { force: true });
}

/** A flag that every process has which serves. */
export const serverFlag = '--foreground';

/** Whether the recorded process still serves. Its number may belong to another program by now; Linux tells which. */
export function isServer(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(serverFlag);
  } catch {
    return true;
  }
}

function foreign(path: string, problem: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${path}: ${problem}; remove it`);
}
