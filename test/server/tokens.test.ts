// SPDX-License-Identifier: Apache-2.0
// Files of bearer tokens: what is let in, and what becomes of it when a file changes.
import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Log } from '../../server/log.js';
import { openTokens, readTokenPaths, readTokens } from '../../server/tokens.js';

const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let made = 0;

function fileOf(text: string, mode = 0o600): string {
  const path = join(folder, String(made++));
  writeFileSync(path, text, { mode });
  return path;
}

/** Keeps the lines of a log. */
function logged() {
  const lines: Record<string, unknown>[] = [];
  const add = (line: Record<string, unknown>) => lines.push(line);
  return { lines, log: { info: add, error: add } as unknown as Log };
}

const opened = openTokens(
  fileOf('# for the pager\none.of_them==\r\n\n  AnotherOne  \n'),
  logged().log,
);
const headers = [
  { given: 'Bearer one.of_them==', is: true },
  { given: 'Bearer AnotherOne', is: true },
  { given: 'bearer  AnotherOne ', is: true },
  { given: 'Bearer anotherone', is: false },
  { given: 'Bearer AnotherOn', is: false },
  { given: 'Bearer AnotherOnee', is: false },
  { given: 'Bearer AnotherOne one.of_them==', is: false },
  { given: 'Bearer AnotherOne, Bearer x', is: false },
  { given: 'Basic AnotherOne', is: false },
  { given: 'AnotherOne', is: false },
  { given: 'Bearer ', is: false },
  { given: 'Bearer', is: false },
  { given: '', is: false },
  { given: 'Bearer #', is: false },
  { given: `Bearer ${'A'.repeat(16_000)}`, is: false },
] as const;

for (const { given, is } of headers) {
  t.test(`${JSON.stringify(given.slice(0, 50))} is ${is ? '' : 'not '}let in`, async t => {
    t.equal(opened.accept(given), is);
  });
}

const refused = [
  { name: 'no file', path: join(folder, 'none'), says: /none: cannot be read \(ENOENT\)/ },
  { name: 'a directory', path: folder, says: /expected a regular file/ },
  { name: 'an empty file', path: fileOf(''), says: /expected a token on a line, got none/ },
  { name: 'only a comment', path: fileOf('# none\n \n'), says: /expected a token on a line/ },
  { name: 'two words', path: fileOf('fine\n\nsec ret\n'), says: /:3: expected a token of letters/ },
  { name: 'other letters', path: fileOf('sécret\n'), says: /:1: expected a token of letters/ },
  { name: 'a lot', path: fileOf('a'.repeat(2 ** 20 + 1)), says: /at most 1048576 bytes/ },
] as const;

for (const { name, path, says } of refused) {
  t.test(`${name}: the start is refused`, async t => {
    const open = () => openTokens(path, logged().log);
    const error = t.throws(open, { code: 'INFER_BAD_INPUT', message: says }) as unknown as Error;
    t.notMatch(error.message, /s.?.?c.?ret/, 'nothing of what is in it is told');
  });
}

t.test('a file that changes is read again within a second, whatever its time says', async t => {
  const path = fileOf('first1');
  const { log, lines } = logged();
  let nowMs = 0;
  const { accept } = openTokens(path, log, () => nowMs);
  t.equal(accept('Bearer first1'), true);
  writeFileSync(path, 'second');
  nowMs = 999;
  t.equal(accept('Bearer first1'), true, 'not looked at yet');
  nowMs = 1000;
  t.equal(accept('Bearer first1'), false);
  t.equal(accept('Bearer second'), true);
  t.same(lines, [{ event: 'tokens_read_again', path, tokens: 1 }]);
  nowMs = 2000;
  t.equal(accept('Bearer second'), true);
  const past = new Date(Date.now() - 60_000);
  writeFileSync(path, 'third3\nsecond\n');
  utimesSync(path, past, past);
  nowMs = 3000;
  t.equal(accept('Bearer third3'), true);
  t.match(lines, [{}, { tokens: 2 }], 'what has not changed is not told');
  writeFileSync(path, 'fourth\nsecond\n');
  utimesSync(path, past, past);
  nowMs = 4000;
  t.equal(accept('Bearer fourth'), true, 'same size, same time of its content');
});

t.test('the last tokens hold while there are none, and that is logged once', async t => {
  const path = fileOf('first');
  const { log, lines } = logged();
  let nowMs = 0;
  const { accept } = openTokens(path, log, () => nowMs);
  const look = () => {
    nowMs += 1000;
    return accept('Bearer first');
  };
  writeFileSync(path, '');
  t.same([look(), look()], [true, true]);
  t.match(lines, [{ event: 'tokens_unreadable', message: /got none$/, tokens: 1 }]);
  rmSync(path);
  t.same([look(), look()], [true, true]);
  t.match(lines, [{}, { event: 'tokens_unreadable', message: /ENOENT/ }]);
  writeFileSync(path, 'first');
  t.same([look(), look()], [true, true]);
  t.match(lines, [{}, {}, { event: 'tokens_read_again', tokens: 1 }]);
  writeFileSync(path, 'next');
  t.equal(look(), false);
  t.equal(lines.length, 4);
});

t.test('a file that others may read or write is named', async t => {
  const path = fileOf('one');
  t.same(readTokens(path).notes, []);
  for (const mode of [0o604, 0o602]) {
    chmodSync(path, mode);
    t.match(readTokens(path).notes, [`got mode 0${mode.toString(8)}`]);
  }
});

t.test('each API has its own file, or that of all', async t => {
  t.same(readTokenPaths([]), {});
  t.same(readTokenPaths(['a']), { inference: 'a', management: 'a', metrics: 'a' });
  t.same(readTokenPaths(['management=b', './x=y']), {
    inference: './x=y',
    management: 'b',
    metrics: './x=y',
  });
  t.same(readTokenPaths(['metrics=c']), { metrics: 'c' });
  const message = /tokenFiles: expected a path, or one behind inference=, management=, metrics=/;
  t.throws(() => readTokenPaths(['mangement=a']), { code: 'INFER_BAD_INPUT', message });
  t.throws(() => readTokenPaths(['a', 'b']), { message: /expected one file for all, got two/ });
  const twice = ['metrics=a', 'metrics=b'];
  t.throws(() => readTokenPaths(twice), { message: /expected one file for metrics, got two/ });
});
