// SPDX-License-Identifier: Apache-2.0
// The file that says which process is the server that was started before.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import { processInfo } from './process.js';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** The process that a pid file names. */
export interface PidRecord {
  readonly pid: number;
  /** See ProcessInfo. As the file holds nothing but the id, which others read as well, it is kept as its time. */
  readonly startedS: number;
}

/** @source MMS: this name in the directory for temporary files. */
export function pidFile(): string {
  return join(tmpdir(), '.model_server.pid');
}

/**
 * What is recorded; undefined when there is no file. The directory belongs to everybody, so the file counts only
 * when it is our own.
 * @throws  INFER_BAD_INPUT
 */
export function readPid(): PidRecord | undefined {
  const path = pidFile();
  let file: number;
  try {
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK); // a pipe would hold us
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return undefined;
    throw foreign(path, `cannot be read (${code})`);
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw foreign(path, 'is no file');
    if (found.uid !== process.getuid?.()) throw foreign(path, 'belongs to another user');
    const text = readFileSync(file, 'utf8').trim();
    if (!/^[1-9]\d{0,9}$/.test(text)) throw foreign(path, 'holds no process id');
    return { pid: Number(text), startedS: found.mtimeMs / 1000 };
  } finally {
    closeSync(file);
  }
}

/** Puts a new file in the place of what is there, so that nobody reads half of it and no link is followed. @throws  INFER_BAD_INPUT */
export function writePid(pid: number): void {
  const path = pidFile();
  const made = `${path}.${process.pid}`;
  try {
    rmSync(made, { force: true });
    writeFileSync(made, `${pid}\n`, { flag: 'wx', mode: 0o600 });
    const { startedS } = processInfo(pid) ?? {};
    if (startedS !== undefined) utimesSync(made, new Date(), startedS);
    renameSync(made, path);
  } catch (error) {
    rmSync(made, { force: true });
    throw foreign(path, `cannot be written (${codeOf(error)})`);
  }
}

/** Removes the file when it still names this process. */
export function removePid(pid: number): void {
  if (readPid()?.pid === pid) rmSync(pidFile(), { force: true });
}

/** A flag that every process has which serves. */
export const serverFlag = '--foreground';

/** What our program is called, by its link and by its file. */
const programs = ['multi-model-server', 'mxnet-model-server', 'mms_main.js'];

/**
 * Whether the recorded process still serves, and is not this one. Its number may belong to another program by now, or
 * to another server of ours.
 */
export function isServer({ pid, startedS }: PidRecord): boolean {
  if (pid === process.pid) return false;
  const info = processInfo(pid);
  if (info?.startedS !== startedS) return false;
  const { words } = info;
  return words.includes(serverFlag) && words.some(word => programs.includes(basename(word)));
}

/** Asks a process to end. One that has ended by itself is well, too. */
export function askToEnd(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return;
    throw foreign(pidFile(), `process ${pid} cannot be stopped (${codeOf(error)})`);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function foreign(path: string, problem: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${path}: ${problem}; remove it`);
}
