// SPDX-License-Identifier: Apache-2.0
// `inference-native config --explain`: each setting that `serve` would have, and where it is from.
import { InferenceError } from '../../lib/index.js';
import { explainText } from '../explain.js';
import { explainConfig } from '../settings.js';

/** @param args  `--explain`, and the flags of `serve`. @returns  exit code. */
export async function config(args: readonly string[]): Promise<number> {
  if (!args.includes('--explain')) {
    throw new InferenceError('INFER_BAD_INPUT', 'config: expected --explain, got none');
  }
  const flags = args.filter(arg => arg !== '--explain');
  process.stdout.write(explainText(explainConfig(flags, process.env)));
  return 0;
}
