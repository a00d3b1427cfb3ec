// SPDX-License-Identifier: Apache-2.0
// Model directories for tests of loadModel(), and the table of those it refuses.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { type LoadOptions, loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

/** The folder that the model directories of this process lie in; it holds secret.txt and affine.onnx. */
export const outside = mkdtempSync(join(tmpdir(), 'model-directories-'));
t.teardown(() => rmSync(outside, { recursive: true }));
writeFileSync(join(outside, 'secret.txt'), 'a\nb\nc\n');
copyFileSync(fixture('affine.onnx'), join(outside, 'affine.onnx'));

/** Files of a directory: text, `{ fixture }` for a copy of one, or `{ link }` for a symbolic link. */
export type Files = Readonly<Record<string, string | { fixture: string } | { link: string }>>;
let made = 0;

/** A new directory with these files. */
export function directoryOf(files: Files): string {
  const directory = join(outside, `model-${made++}`);
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof content === 'string') writeFileSync(path, content);
    else if ('link' in content) symlinkSync(content.link, path);
    else copyFileSync(fixture(content.fixture), path);
  }
  return directory;
}

/** A fixture: x float32 [batch, 4] -> y float32 [batch, 3]. */
export const affine = { fixture: 'affine.onnx' };
export const invalid = 'INFER_MODEL_INVALID';

/** model.json beside affine.onnx. */
export function manifest(content: unknown): Files {
  return { 'model.onnx': affine, 'model.json': JSON.stringify(content) };
}

/** A directory that is refused. */
export interface Bad {
  readonly name: string;
  readonly files: Files;
  readonly options?: unknown;
  readonly code: string;
  readonly says: string | RegExp;
}

/** A model.json that is refused as INFER_MODEL_INVALID. */
export function bad(name: string, content: unknown, says: string): Bad {
  return { name, files: manifest(content), code: invalid, says };
}

/** An option that is refused as INFER_BAD_INPUT. */
export function badOption(name: string, options: unknown, says: string): Bad {
  return { name, files: { 'model.onnx': affine }, options, code: 'INFER_BAD_INPUT', says };
}

/** One test for each: the code, the message, and the caller on the stack. */
export function testRefusals(cases: readonly Bad[]): void {
  for (const { name, files, options, code, says } of cases) {
    t.test(`${name}: refused`, async t => {
      const error = await failure(loadModel(directoryOf(files), options as LoadOptions));
      t.equal(error.code, code, error.message);
      if (typeof says === 'string') {
        t.ok(error.message.includes(says), `${error.message}\n  should include\n${says}`);
      } else {
        t.match(error.message, says);
      }
      t.match(error.stack, /at .*directories/, 'the stack shows the caller');
    });
  }
}
