// SPDX-License-Identifier: Apache-2.0
// How large the files of a model are: what is known of its memory before it is loaded.
import { stat } from 'node:fs/promises';
import { filesIn } from '../model_files.js';

/** @returns  bytes of the file, or of all files in the directory; 0 for what cannot be read, which loading will say. */
export async function sizeOf(path: string): Promise<number> {
  const sizes = await Promise.all((await filesIn(path)).map(sizeOfFile));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sizeOfFile(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? found.size : 0;
}
