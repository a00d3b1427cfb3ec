// SPDX-License-Identifier: Apache-2.0
// Directories that nobody else can change, and what it means when they cannot be used.
import { lstat, mkdir } from 'node:fs/promises';
import { InferenceError } from '../../lib/index.js';
import { quoted, reasonOf } from './archive.js';

/**
 * Whether only this user, or the system's, can change what lies in a directory. Shared ones do not count, also not those
 * like /tmp where each user may only remove what is theirs: there anybody can make what we are about to make.
 */
export async function isOwn(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => undefined);
  if (found === undefined || !found.isDirectory()) return false;
  return [0, process.getuid?.()].includes(found.uid) && (found.mode & 0o022) === 0;
}

/** Makes a directory where there is none. @throws  INFER_INTERNAL when it is not ours alone. */
export async function makeOwn(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(`cannot make ${quoted(directory)}`, error);
  }
  if (await isOwn(directory)) return;
  const expected = 'expected a directory of this user that no other user may write to';
  throw storageError(`${expected}, got ${quoted(directory)}`);
}

const full: readonly unknown[] = ['ENOSPC', 'EDQUOT'];

/** Whether it says that no more can be stored. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && full.includes(error.code);
}

/**
 * No fault of whoever asked for the model, and so no INFER_BAD_INPUT.
 * @param what   could not be done.
 * @returns      INFER_INTERNAL with detail `storage-full`, which may go better when something is removed, or
 *               `storage-unusable`.
 */
export function storageError(what: string, cause?: unknown): InferenceError {
  const detail = isFull(cause) ? 'storage-full' : 'storage-unusable';
  if (cause === undefined)
    return new InferenceError('INFER_INTERNAL', `workDir: ${what}`, { detail });
  const message = `workDir: ${what}: ${reasonOf(cause)}`;
  return new InferenceError('INFER_INTERNAL', message, { detail, cause });
}
