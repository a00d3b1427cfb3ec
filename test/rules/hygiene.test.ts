// SPDX-License-Identifier: Apache-2.0
// What every text file of the repository must begin with, and what none may contain.
import t from 'tap';
import { repository, type Source } from './sources.js';

const licence = /^(#!.*\n)?(\/\/|#) SPDX-License-Identifier: Apache-2\.0\n(\/\/|#|""")/;
const licensed = /\.(cc|h|js|mjs|ts|py|sh)$|^CMakeLists\.txt$|^\.ci\/run$/;

/** Joins the parts of a word that this file itself must not hold. */
function word(...parts: readonly string[]): string {
  return parts.join('');
}

const home = `/(${word('wo', 'rk')}|${word('ro', 'ot')}|${word('ho', 'me')}|${word('Us', 'ers')})`;
const hosts = [
  `registry\\.(${word('npm', 'js')}|${word('yarn', 'pkg')})`,
  word('py', 'pi\\.'),
  word('python', 'hosted\\.'),
  word('npm', 'mirror\\.'),
];

interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly sample: string; // what the pattern must find
}

const bans: readonly Ban[] = [
  {
    name: 'a path of one machine',
    pattern: new RegExp(`(?<![\\w.\\-/}])${home}/\\w`),
    sample: `"${word('/ho', 'me')}/someone/models"`,
  },
  {
    name: 'the host of a package registry',
    pattern: new RegExp(hosts.join('|')),
    sample: `https://${word('registry.', 'npmjs')}.org/tap`,
  },
  {
    name: 'work left for later',
    pattern: new RegExp(`\\b(${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('XX', 'X')})\\b`),
    sample: `// ${word('TO', 'DO')}: later`,
  },
  {
    name: 'a conflict marker',
    pattern: /^(<{7}|>{7}) /m,
    sample: `${'<'.repeat(7)} ours`,
  },
];

/** "path:line: text" of each line that breaks the ban. */
function breaches({ pattern }: Ban, sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) =>
    text
      .split('\n')
      .map((line, index) => ({ line, place: `${path}:${index + 1}` }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, place }) => `${place}: ${line.trim().slice(0, 120)}`),
  );
}

for (const ban of bans) {
  t.test(`no file holds ${ban.name}`, async t => {
    t.equal(breaches(ban, [{ path: 'sample', text: ban.sample }]).length, 1, 'a sample is found');
    t.ok(repository.length > 50, 'files were examined');
    t.same(breaches(ban, repository), []);
  });
}

t.test('every source begins with its licence and a line on its job', async t => {
  const sources = repository.filter(({ path }) => licensed.test(path));
  t.ok(sources.length > 30, 'files were examined');
  const without = sources.filter(({ text }) => !licence.test(text));
  t.same(
    without.map(({ path }) => path),
    [],
  );
});

t.test('the lockfile pins contents, not places', async t => {
  const lock = repository.find(({ path }) => path === 'package-lock.json');
  t.match(lock?.text, /"integrity": "sha512-/, 'contents are pinned');
  t.notMatch(lock?.text, /"resolved"/, 'no address is recorded');
});

t.test('the licence is the one the package names', async t => {
  const text = (path: string) => repository.find(source => source.path === path)?.text;
  t.match(text('package.json'), /"license": "Apache-2\.0"/);
  t.match(text('LICENSE'), /Apache License\s+Version 2\.0/);
});
