// SPDX-License-Identifier: Apache-2.0
// The outermost layer of a program: its exit code, and what is said of an error that ended it.
import { InferenceError } from '../lib/index.js';
import { flushLog } from './log.js';

/**
 * @param name           stands before the message of an error.
 * @param badInputCode   exit code for a wrong command line or setting; any other error ends with 1.
 * @param main           @returns exit code.
 */
export async function runProgram(
  name: string,
  badInputCode: number,
  main: () => Promise<number>,
): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const isKnown = error instanceof InferenceError;
    process.stderr.write(`${name}: ${isKnown ? error.message : String(error)}\n`);
    process.exitCode = isKnown && error.code === 'INFER_BAD_INPUT' ? badInputCode : 1;
  }
  if (!(await flushLog())) process.exit();
}
