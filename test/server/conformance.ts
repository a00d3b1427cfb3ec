// SPDX-License-Identifier: Apache-2.0
// Rows of the tests that other servers have for themselves: what is sent, and what their clients expect.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { call, digits, type FormBody, formOf, type RunningServer } from './helpers.js';

/** A request whose answer is known; those of one table are sent in their order. */
export interface Sent {
  readonly row: string;
  readonly on?: 'management';
  /** POST with a body, else GET. */
  readonly method?: string;
  readonly path: string;
  readonly type?: string;
  readonly body?: string | Buffer | FormBody;
  /** Several where the other server's tests leave it open. */
  readonly status: number | readonly number[];
  /** What the JSON of the answer matches. */
  readonly says?: unknown;
}

/** A row that is not sent, and why. */
export interface Left {
  readonly row: string;
  readonly because: string;
}

export type Row = Sent | Left;

/** One test for each row; what a row leaves behind is there for those after it. */
export function testRows(t: Test, server: RunningServer, rows: readonly Row[]): void {
  for (const row of rows) {
    if ('because' in row) {
      t.test(row.row, { skip: row.because }, async () => {});
      continue;
    }
    const { on = 'inference', path, type, body, status, says, ...rest } = row;
    const method = rest.method ?? (body === undefined ? 'GET' : 'POST');
    t.test(`${row.row}: ${method} ${path.slice(0, 80)}`, async t => {
      const headers = type === undefined ? {} : { 'content-type': type };
      const options = { method, headers, ...(body === undefined ? {} : { body }) };
      const reply = await call(server[on] + path, options);
      t.ok([status].flat().includes(reply.status), `${reply.status}: ${reply.text.slice(0, 300)}`);
      t.equal(reply.headers['connection'], reply.status < 400 ? 'keep-alive' : 'close');
      t.match(reply.headers['x-request-id'], /^[0-9a-f-]{36}$/);
      if (says !== undefined) t.match(JSON.parse(reply.text), says);
    });
  }
}

export function failed(code: number, type: string, message: string | RegExp) {
  return { code, type, message };
}

export const notFound = failed(
  404,
  'ResourceNotFoundException',
  'Requested resource is not found, please refer to API document.',
);
export const notAllowed = failed(
  405,
  'MethodNotAllowedException',
  'Requested method is not allowed, please refer to API document.',
);

/** A sample of the model that stands in for theirs. */
export const picture = await readFile(join(digits, 'samples', '7.png'));
export const encoded = [...picture].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('');
export const upload = formOf('data', picture);
export const tensor = JSON.stringify({ instances: [[Array(64).fill(Array(64).fill(0))]] });

/** A form with a text field in front of the file. */
export function uploadWith(name: string, value: string): FormBody {
  const { boundary, bytes } = upload;
  const field = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  return { boundary, bytes: Buffer.concat([Buffer.from(field), bytes]) };
}

/** Five classes with probabilities, the best first. */
export const classes = Array(5).fill({ class: /./, probability: Number });

/** A store with the digits model as the two packages that the tests of MMS are made with. */
export async function makeStore() {
  const store = await mkdtemp(join(tmpdir(), 'conformance-'));
  const settings = JSON.parse(await readFile(join(digits, 'model.json'), 'utf8'));
  const { name: _, version: __, ...anonymous } = settings;
  const manifests = {
    'noop-v0.1': ['MANIFEST.json', { Model: { 'Model-Name': 'noop_v0.1', Service: 'noop.py' } }],
    'noop-v1.0': [
      'MAR-INF/MANIFEST.json',
      { model: { modelName: 'noop', modelVersion: '1.0', handler: 'service:handle' } },
    ],
  } as const;
  for (const [folder, [file, manifest]] of Object.entries(manifests)) {
    const path = join(store, folder);
    await mkdir(join(path, 'MAR-INF'), { recursive: true });
    if (file === 'MANIFEST.json') await rm(join(path, 'MAR-INF'), { recursive: true });
    await cp(join(digits, 'model.onnx'), join(path, 'model.onnx'));
    await cp(join(digits, 'labels.txt'), join(path, 'labels.txt'));
    await writeFile(join(path, 'model.json'), JSON.stringify(anonymous));
    await writeFile(join(path, file), JSON.stringify(manifest));
  }
  return { store, remove: () => rm(store, { recursive: true }) };
}
