// SPDX-License-Identifier: Apache-2.0
// Many models that differ in nothing but their path, for trials of what shares a lane.
import { existsSync, linkSync } from 'node:fs';
import { join } from 'node:path';
import { type LoadOptions, loadModel, type Model } from '../../lib/index.js';
import { modelFolder, modelPath } from '../models.js';

/** Another name for the same file is another model: loads are shared by path. */
function copyOf(index: number): string {
  const path = join(modelFolder, `packing-${index}.onnx`);
  if (!existsSync(path)) linkSync(modelPath('packing'), path);
  return path;
}

/** Loads `count` copies of the packing model. */
export function loadCopies(count: number, options: LoadOptions): Promise<readonly Model[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => loadModel(copyOf(index), options)),
  );
}
