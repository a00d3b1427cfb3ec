// SPDX-License-Identifier: Apache-2.0
// Runs what the README shows and compares what it prints with what the README says; looks after links and paths.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { root, textOf } from '../helpers.js';
import { call, formOf, type RunningServer, startServer } from '../server/helpers.js';
import { type Block, blocksOf } from './markdown.js';
import { repository } from './sources.js';

const readme = textOf('README.md');
const blocks = blocksOf(readme);
const { scripts, name, version } = JSON.parse(textOf('package.json')) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly name: string;
  readonly version: string;
};

/** Probabilities of another processor may differ in their last digits. */
const tolerance = 1e-4;

/** What follows a block as its output. */
function outputOf(block: Block | undefined): string {
  return blocks[blocks.indexOf(block as Block) + 1]?.text ?? '';
}

function shellBlock(pattern: RegExp): Block | undefined {
  return blocks.find(({ language, text }) => language === 'sh' && pattern.test(text));
}

t.test("the README's example prints what the README says, run from the root", async t => {
  const example = blocks.find(({ language }) => language === 'js');
  const child = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', example?.text ?? 'throw new Error("no example")'],
    { cwd: root, encoding: 'utf8' },
  );
  t.equal(child.stderr, '');
  t.equal(child.stdout, outputOf(example));
  t.ok((example?.text.split('\n').length ?? 99) <= 11, 'ten lines');
});

t.test('the install lines name scripts and a file that npm makes', async t => {
  const install = shellBlock(/npm pack/);
  t.match(install?.text, `./${name}-${version}.tgz`);
  t.match(scripts, { prepare: 'npm run build:native && npm run build:ts' }, 'npm ci builds');
  t.match(scripts, { prepack: 'node tools/prebuild.mjs' }, 'npm pack brings the binaries');
  t.match(shellBlock(/npm start/)?.text, /^npm ci && npm start\n$/);
  t.equal(
    scripts['start'],
    'exec node dist/server/main.js serve',
    'npm start is what is run below',
  );
});

/** Sends what a curl command of the README would send, to the server that runs here. */
async function answerTo(command: string, server: RunningServer): Promise<string> {
  const [, form] = /-F data=@(\S+)/.exec(command) ?? [];
  const [, contentType, body] = /-H 'content-type: (\S+)' -d '([^']*)'/.exec(command) ?? [];
  const [, path] = /http:\/\/127\.0\.0\.1:8080(\/\S*)\n$/.exec(command) ?? [];
  if (path === undefined) throw new Error(`no default address in ${command}`);
  const url = `${server.inference}${path}`;
  const reply =
    form === undefined
      ? await call(url, { body: body ?? '', headers: { 'content-type': contentType ?? '' } })
      : await call(url, { body: formOf('data', readFileSync(join(root, form))) });
  return reply.text;
}

/** Whether two JSON values are the same, numbers within the tolerance. */
function isClose(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= tolerance;
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    keys.length === others.length &&
    Object.entries(a).every(([key, value]) => isClose(value, (b as Record<string, unknown>)[key]))
  );
}

t.test('the server answers the README as the README says', async t => {
  const server = await startServer(); // free ports instead of 8080 to 8082, nothing else differs
  t.teardown(() => server.stop());
  const commands = blocks.filter(({ text }) => text.startsWith('curl '));
  t.equal(commands.length, 2);
  for (const command of commands) {
    const answer = await answerTo(command.text, server);
    const said = outputOf(command);
    t.ok(isClose(JSON.parse(answer), JSON.parse(said)), `${command.text.trim()}: ${answer}`);
  }
});

t.test('every program that a document tells to run is there', async t => {
  const documents = repository.filter(({ path }) => path.endsWith('.md'));
  const named = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/npm run ([\w:]+)|node ((?:tools|native|dist)\/[\w./-]+)/g)].map(match => ({
      path,
      script: match[1],
      file: match[2]?.replace(/^dist\/(.*)\.js$/, '$1.ts'),
    })),
  );
  t.ok(named.length > 5, 'commands were examined');
  const missing = named.filter(
    ({ script, file }) =>
      (script !== undefined && scripts[script] === undefined) ||
      (file !== undefined && !existsSync(join(root, file))),
  );
  t.same(missing, []);
});

t.test('every link between documents leads somewhere', async t => {
  const documents = repository.filter(({ path }) => path.endsWith('.md'));
  const links = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, to]) => ({ path, to })),
  );
  t.ok(links.length > 8, 'links were examined');
  const broken = links.filter(({ path, to }) => !existsSync(join(root, dirname(path), to ?? '')));
  t.same(broken, []);
});

t.test('every source file that CONTRIBUTING names exists', async t => {
  const text = textOf('CONTRIBUTING.md');
  const named = [...text.matchAll(/`((?:server|lib|native|test)\/[\w/.-]+\.(?:ts|cc|h))`/g)];
  t.ok(named.length > 15, 'names were examined');
  const missing = named.map(([, path]) => path ?? '').filter(path => !existsSync(join(root, path)));
  t.same(missing, []);
});
