// SPDX-License-Identifier: Apache-2.0
// The tables in docs/ are the tables of the code, and docs/api.md names everything that is public.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { errorTable } from '../../lib/errors.js';
import * as api from '../../lib/index.js';
import { type OptionRow, optionTable } from '../../lib/options.js';
import { expectation, optionSchema } from '../../lib/schema.js';
import { elementTypes } from '../../lib/tensor.js';
import { root, textOf } from '../helpers.js';

/** One row of a Markdown table. */
function rowText(cells: readonly string[]): string {
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function defaultText(row: OptionRow): string {
  if (row.required) return 'required';
  return row.defaultText ?? `\`${JSON.stringify(row.default)}\``;
}

function optionText(row: OptionRow): string {
  const key = `\`${row.key}\`${row.callerOnly ? ' (option only)' : ''}`;
  return rowText([key, expectation(row.schema), defaultText(row), row.unit ?? '', row.description]);
}

/** The rows of the table below a heading, without its head. */
function tableUnder(heading: string, path: string): string[] {
  const lines = textOf('docs', path).split('\n');
  const from = lines.indexOf(heading);
  const start = lines.findIndex((line, index) => index > from && line.startsWith('|---'));
  if (from < 0 || start < 0) throw new Error(`no table under "${heading}" in docs/${path}`);
  const length = lines.slice(start + 1).findIndex(line => !line.startsWith('|'));
  return lines.slice(start + 1, start + 1 + length);
}

t.test('docs/options.md lists the options with type, range, default and unit', async t => {
  t.ok(optionTable.length > 20);
  t.same(tableUnder('## All keys', 'options.md'), optionTable.map(optionText));
});

t.test('docs/errors.md lists the codes', async t => {
  t.ok(errorTable.length > 10);
  const rows = errorTable.map(({ code, meaning, remedy }) =>
    rowText([`\`${code}\``, meaning, remedy]),
  );
  t.same(tableUnder('## Codes', 'errors.md'), rows);
});

t.test('docs/errors.md lists every detail that the sources use', async t => {
  const sources = readdirSync(join(root, 'lib')).map(name => textOf('lib', name));
  const used = new Set(
    sources.flatMap(text => [...text.matchAll(/detail: '([a-z-]+)'/g)].map(found => found[1])),
  );
  const native = ['base/shared_library.cc', 'engine/registry.cc', 'engine/onnx/onnx_library.cc']
    .map(path => textOf('native', path))
    .flatMap(text => [...text.matchAll(/"([a-z]+(?:-[a-z]+)+|version)"/g)].map(found => found[1]));
  const listed = tableUnder('## Details', 'errors.md').map(row => /^\| `([a-z-]+)`/.exec(row)?.[1]);
  t.ok(used.size >= 3 && native.length >= 5, 'sources were read');
  for (const detail of [...used, ...native]) t.ok(listed.includes(detail), `${detail}`);
});

t.test('docs/api.md names every public value, key of info and element type', async t => {
  const text = textOf('docs', 'api.md');
  for (const name of Object.keys(api)) t.ok(text.includes(`\`${name}`), name);
  const rows = tableUnder('## Element types', 'api.md').join('\n');
  for (const type of Object.keys(elementTypes)) t.ok(rows.includes(`\`${type}\``), type);
});

t.test('the package has few public names', async t => {
  t.same(Object.keys(api).sort(), [
    'InferenceError',
    'elementTypes',
    'listDevices',
    'loadModel',
    'onEngineLog',
  ]);
});

t.test('every row of the option table is complete', async t => {
  for (const row of optionTable) {
    const known = row.required || row.defaultText !== undefined || row.default !== undefined;
    t.ok(known, `${row.key}: says what happens without it`);
    t.ok(row.description.endsWith('.'), `${row.key}: described in a sentence`);
    t.ok(expectation(row.schema).length > 5, `${row.key}: says what it takes`);
  }
  const forCaller = Object.keys(optionSchema(true).properties ?? {});
  const forFile = Object.keys(optionSchema(false).properties ?? {});
  t.same(
    forCaller.filter(key => !forFile.includes(key)),
    ['enginePath'],
  );
});

t.test('the example in docs/api.md runs as written', async t => {
  const example = /```js\n(import \{ loadModel \}[\s\S]*?)```/.exec(textOf('docs', 'api.md'))?.[1];
  t.ok(example?.includes('predict'), 'there is one');
  const { execFileSync } = await import('node:child_process');
  const program = example?.replaceAll(
    "'inference-native'",
    JSON.stringify(join(root, 'dist/lib/index.js')),
  );
  const env = { ...process.env, NODE_OPTIONS: '' };
  const args = ['--input-type=module', '-e', program ?? ''];
  const printed = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', env });
  t.match(printed, /^setosa 0\.9\d+/);
});
