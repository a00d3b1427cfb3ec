// SPDX-License-Identifier: Apache-2.0
// Where models may lie: in the model store, elsewhere for whoever starts the server, and nowhere else.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { findLocation } from '../../server/packages/location.js';
import { failure } from '../helpers.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'location-')));
t.teardown(() => rmSync(folder, { recursive: true }));
const store = join(folder, 'store');
const outside = join(folder, 'outside.mar');
mkdirSync(join(store, 'sub'), { recursive: true });
for (const path of [outside, join(store, 'a.mar'), join(store, 'sub', 'b.mar')]) {
  writeFileSync(path, '');
}
symlinkSync(outside, join(store, 'link.mar'));
symlinkSync('a.mar', join(store, 'alias.mar'));

const inStore = { modelStore: store, isTrusted: false };
const found = [
  { name: 'a name in the store', location: 'a.mar', places: inStore, path: join(store, 'a.mar') },
  { name: 'a path', location: 'sub/b.mar', places: inStore, path: join(store, 'sub', 'b.mar') },
  {
    name: 'what a link within leads to',
    location: 'alias.mar',
    places: inStore,
    path: join(store, 'a.mar'),
  },
  {
    name: 'a link within, for the operator,',
    location: 'alias.mar',
    places: { modelStore: store, isTrusted: true },
    path: join(store, 'alias.mar'),
  },
  { name: 'an absolute path', location: join(store, 'a.mar'), places: inStore, path: undefined },
  { name: 'two dots in a name', location: './a.mar', places: inStore, path: join(store, 'a.mar') },
  {
    name: 'a URL of a file in the store',
    location: String(pathToFileURL(join(store, 'a.mar'))),
    places: inStore,
    path: join(store, 'a.mar'),
  },
  {
    name: 'an absolute path of the operator',
    location: outside,
    places: { modelStore: store, isTrusted: true },
    path: outside,
  },
  {
    name: 'a relative path of the operator without a store',
    location: 'models/x',
    places: { modelStore: '', isTrusted: true },
    path: resolve('models/x'),
  },
] as const;

for (const { name, location, places, path = location } of found) {
  t.test(`${name} is found`, async t => {
    const got = await findLocation(location, places);
    t.same(got, { path, name: basename(location) });
  });
}

const relative = /^Relative path is not allowed in url: /;
const absent = /^Model not found in model store: /;
const refused = [
  { location: '../outside.mar', says: relative },
  { location: 'sub/../a.mar', says: relative },
  { location: `${store}/../outside.mar`, says: relative },
  { location: 'none.mar', says: absent },
  { location: 'link.mar', says: absent },
  { location: outside, says: absent },
  { location: '/proc/self/environ', says: /outside of \/dev, \/proc and \/sys/ },
  { location: 'file:///dev/null', says: /outside of \/dev/ },
  { location: String(pathToFileURL(outside)), says: absent },
  { location: 'a\0.mar', says: absent },
  { location: 'file://host/a.mar', says: /expected file:\/\/\/absolute\/path/ },
] as const;

for (const { location, says } of refused) {
  t.test(`${JSON.stringify(location.replace(folder, ''))} is refused`, async t => {
    const { code, message } = await failure(findLocation(location, inStore));
    const isMissing = says === relative || says === absent;
    t.equal(code, isMissing ? 'INFER_MODEL_NOT_FOUND' : 'INFER_BAD_INPUT');
    t.match(message, says);
    if (isMissing) t.equal(message, `${message.replace(/ [^ ]*$/, '')} ${location}`, 'no more');
  });
}

t.test('where everything is the store, the system is no model either', async t => {
  symlinkSync('/proc/self', join(store, 'system'));
  for (const location of ['proc/self', join(store, 'system')]) {
    const { message } = await failure(
      findLocation(location, { modelStore: '/', isTrusted: false }),
    );
    t.match(message, /outside of \/dev, \/proc and \/sys/, location);
  }
});

t.test('the operator is told that a link leads out of the store', async t => {
  const { code, message } = await failure(
    findLocation('link.mar', { modelStore: store, isTrusted: true }),
  );
  t.equal(code, 'INFER_BAD_INPUT');
  t.match(message, /got one that leads out of it/);
});

t.test('without a store nobody but the operator names a path', async t => {
  const { message } = await failure(findLocation('a', { modelStore: '', isTrusted: false }));
  t.equal(message, 'Model store has not been configured.');
});
