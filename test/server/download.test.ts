// SPDX-License-Identifier: Apache-2.0
// Models by http: from a real server: only what is allowed, no more than that, and nothing left when it fails.
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { download } from '../../server/packages/download.js';
import { createPackages } from '../../server/packages/index.js';
import { guardLookup, readPatterns } from '../../server/packages/url.js';
import { redact } from '../../server/redact.js';
import { failure, fixture } from '../helpers.js';
import { zipFiles } from './archives.js';
import { call } from './helpers.js';
import { folder, settings, unpacked } from './package_files.js';
import { register } from './registered.js';

const affine = readFileSync(fixture('affine.onnx'));
const mar = zipFiles({ 'model.onnx': affine });
const sha256 = createHash('sha256').update(mar).digest('hex');

const answers: Readonly<Record<string, RequestListener>> = {
  '/a.mar': (_, response) => response.end(mar),
  '/plain.onnx': (_, response) => response.end(affine),
  '/signed.mar?key=secret': (_, response) => response.end(mar),
  '/to/a.mar': (_, response) => response.writeHead(302, { location: '../a.mar' }).end(),
  '/away.mar': (_, response) => response.writeHead(301, { location: '/other/a.mar' }).end(),
  '/other/a.mar': (_, response) => response.end(mar),
  '/to/machine.mar': (_, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/latest.mar' }).end(),
  '/to/file.mar': (_, response) => response.writeHead(302, { location: 'file:///etc/a.mar' }).end(),
  '/to/nowhere.mar': (_, response) => response.writeHead(302, { location: 'http://h:aaaa' }).end(),
  '/round.mar': (_, response) => response.writeHead(302, { location: '/round.mar' }).end(),
  '/announced.mar': (_, response) =>
    response.writeHead(200, { 'content-length': 2 ** 40 }).flushHeaders(),
  '/endless.mar': (_, response) => {
    const send = () => response.write(Buffer.alloc(2 ** 16), error => error ?? send());
    send();
  },
  '/short.mar': (request, response) => {
    response.writeHead(200, { 'content-length': mar.length + 10 });
    response.write(mar, () => request.socket.destroy());
  },
  '/upgrade.mar': ({ socket }) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  '/to/fragment.mar': (_, response) =>
    response.writeHead(302, { location: '/other/a.mar#/a.mar' }).end(),
  '/to/slash.mar': (_, response) => response.writeHead(302, { location: '/x/..%2fa.mar' }).end(),
  '/silent.mar': () => {},
  '/stops.mar': (_, response) => response.writeHead(200).write('PK'),
};

const server = createServer((request, response) => {
  if (request.url?.startsWith('/held.mar')) return hold(request, response);
  const answer = answers[request.url ?? ''];
  if (answer === undefined) response.writeHead(404).end();
  else answer(request, response);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const limits = {
  ...{ maxBytes: 2 ** 22, maxEntries: 100, maxRatio: 200 },
  ...{ idleMs: 600_000, mostMs: 600_000 },
};
const allowedUrls = [`${base}/(?!other/)[^?]*(\\?key=.*)?`, 'http://(1(0|6|92)|\\[).*'];
const packages = await createPackages({ ...settings, allowedUrls }, limits);
t.teardown(async () => {
  server.closeAllConnections();
  server.close();
  await packages.close();
});

const fetched = [
  { location: `${base}/a.mar`, name: 'a' },
  { location: `${base}/a.mar#sha256=${sha256.toUpperCase()}`, name: 'a' },
  { location: `${base.replace('http', 'HTTP')}/plain.onnx`, name: 'plain' },
  { location: `${base}/signed.mar?key=secret`, name: 'signed' },
  { location: `${base}/to/a.mar`, name: 'a' },
] as const;

for (const { location, name } of fetched) {
  t.test(`${location.slice(base.length)} is fetched and loaded`, async t => {
    const { model, close } = await register(packages, location);
    t.equal(model.info.name, name);
    t.equal(unpacked().length, 1, 'the archive itself is gone');
    await close();
    t.same(unpacked(), []);
  });
}

const refused: readonly {
  readonly path: string;
  readonly code: string;
  readonly says: RegExp;
  readonly reason?: RegExp;
}[] = [
  {
    path: '/other/a.mar',
    code: 'INFER_MODEL_NOT_FOUND',
    says: /^Given URL http:.*\/other\/a.mar does not match any allowed/,
  },
  {
    path: '/x/../other/a.mar',
    code: 'INFER_MODEL_NOT_FOUND',
    says: /does not match any allowed URL/,
  },
  {
    path: '/%2e%2e/other/a.mar',
    code: 'INFER_MODEL_NOT_FOUND',
    says: /does not match any allowed URL/,
  },
  {
    path: '/away.mar',
    code: 'INFER_MODEL_NOT_FOUND',
    says: /^Given URL http:.*\/other\/a.mar does not match any allowed/,
  },
  { path: '/to/file.mar', code: 'INFER_MODEL_NOT_FOUND', says: /does not match any allowed URL/ },
  {
    path: '/to/machine.mar',
    code: 'INFER_BAD_INPUT',
    says: /neither link-local nor of metadata, got 169.254.169.254/,
  },
  { path: '/a.txt', code: 'INFER_BAD_INPUT', says: /expected a path that ends in .mar/ },
  { path: '/%00.mar', code: 'INFER_BAD_INPUT', says: /expected a path that ends in .mar/ },
  { path: '/a%2Fb.mar', code: 'INFER_BAD_INPUT', says: /expected a path without %2F and %5C/ },
  { path: '/..%5Cx/b.mar', code: 'INFER_BAD_INPUT', says: /expected a path without %2F and %5C/ },
  { path: '/to/slash.mar', code: 'INFER_BAD_INPUT', says: /expected a path without %2F and %5C/ },
  {
    path: '/to/fragment.mar',
    code: 'INFER_MODEL_NOT_FOUND',
    says: /other\/a.mar does not match any allowed URL/,
  },
  {
    path: `/a.mar?key=${'a'.repeat(8192)}`,
    code: 'INFER_BAD_INPUT',
    says: /\/a.mar": expected a URL of at most 8192 characters, got 8\d{3}$/,
  },
  { path: '/a.mar#md5=1', code: 'INFER_BAD_INPUT', says: /expected #sha256= and 64/ },
  {
    path: `/a.mar#sha256=${'0'.repeat(64)}`,
    code: 'INFER_MODEL_INVALID',
    says: new RegExp(`expected SHA-256 0{64}, got ${sha256}`),
  },
  {
    path: '/none.mar',
    code: 'INFER_BAD_INPUT',
    says: /^Failed to download model from: http:.*none.mar, code: 404$/,
  },
  {
    path: '/round.mar',
    code: 'INFER_BAD_INPUT',
    says: /^Failed to download model from: http:.*\/round.mar$/,
    reason: /more than 5 redirects/,
  },
  {
    path: '/upgrade.mar',
    code: 'INFER_BAD_INPUT',
    says: /^Failed to download model from: http:.*\/upgrade.mar$/,
    reason: /closed without an answer/,
  },
  { path: '/announced.mar', code: 'INFER_MODEL_INVALID', says: /at most 4194304 bytes/ },
  {
    path: '/endless.mar',
    code: 'INFER_MODEL_INVALID',
    says: /at most 4194304 bytes \(maxPackage/,
  },
  { path: '/short.mar', code: 'INFER_BAD_INPUT', says: /^Failed to download/ },
  { path: '/to/nowhere.mar', code: 'INFER_MODEL_NOT_FOUND', says: /^Invalid model url: http:/ },
];

for (const { path, code, says, reason = /(?:)/ } of refused) {
  t.test(`${path} is refused and leaves nothing`, async t => {
    const error = await failure(packages.open(`${base}${path}`, true));
    t.equal(error.code, code, error.message);
    t.match(error.message, says);
    t.match(String(error.cause), reason);
    t.same(unpacked(), []);
  });
}

for (const path of ['/silent.mar', '/stops.mar']) {
  t.test(`${path} is given up`, async t => {
    const impatient = await createPackages({ ...settings, allowedUrls }, { ...limits, idleMs: 50 });
    const { code, message, cause } = await failure(impatient.open(`${base}${path}`, true));
    t.equal(code, 'INFER_BAD_INPUT');
    t.equal(message, `Download model timeout: ${base}${path}`);
    t.match(cause, { message: 'nothing came for 50 ms' });
    t.same(unpacked(), []);
  });
}

t.test(
  'one that takes too long in all is given up, whatever the garbage collector does',
  async t => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const hasty = await createPackages({ ...settings, allowedUrls }, { ...limits, mostMs: 200 });
    const location = `${base}/stops.mar`;
    const opened = failure(hasty.open(location, true));
    await once(server, 'request');
    collect();
    const { message, cause } = await opened;
    t.equal(message, `Download model timeout: ${location}`);
    t.match(cause, { message: 'not all of it came within 200 ms' });
  },
);

t.test('a name that is not found in time is given up', async t => {
  const { signal: ending } = new AbortController();
  const rules = { allowed: [/.*/], maxBytes: 1, idleMs: 50, mostMs: 600_000, ending };
  const asked = download('http://name/a.mar', folder, { ...rules, lookup: () => {} });
  t.equal((await failure(asked)).message, 'Download model timeout: http://name/a.mar');
});

const hosts = [
  '169.254.169.254',
  '[::ffff:169.254.169.254]',
  '[fd00:ec2::23]',
  '[fd20:ce::254]',
  '[64:ff9b::169.254.170.2]',
  '[2002:a9fe:a9fe::1]',
  '100.100.100.200',
  '[64:ff9b::100.100.100.200]',
  '168.63.129.16',
  '[2002:a83f:8110::1]',
  '192.0.0.192',
  '[64:ff9b::c000:c0]',
  '[fe80::1]',
];
for (const host of hosts) {
  t.test(`${host} is refused whatever is allowed`, async t => {
    const { message } = await failure(packages.open(`http://${host}/a.mar`, true));
    t.match(message, /expected an address that is neither link-local nor of metadata/);
  });
}

t.test('a name that leads to such an address is refused when it is looked up', async t => {
  const found = [['127.0.0.1'], ['127.0.0.1', '169.254.169.254'], ['::ffff:a9fe:a9fe']];
  const errors = found.map(addresses => {
    const all = addresses.map(address => ({ address, family: isIP(address) }));
    let got: Error | null = null;
    guardLookup((_, __, callback) => callback(null, all))('name', { all: true }, error => {
      got = error;
    });
    return got;
  });
  t.match(errors, [
    null,
    { message: /nor of metadata, got 169.254.169.254/ },
    { message: /nor of metadata, got ::ffff:a9fe:a9fe/ },
  ]);
});

t.test('user and password are refused, and nothing is allowed unless it is said', async t => {
  const withUser = base.replace('//', '//user:word@');
  const { message } = await failure(packages.open(`${withUser}/a.mar`, true));
  t.match(message, /expected no user and password/);
  const closed = await createPackages(settings, limits);
  t.match(
    (await failure(closed.open(`${base}/a.mar`, true))).message,
    /does not match any allowed/,
  );
});

t.test('a pattern is a regular expression of the whole URL', async t => {
  t.throws(() => readPatterns(['(']), { code: 'INFER_BAD_INPUT', message: /allowedUrls: .*"\("/ });
  const [rule] = readPatterns(['http://a/.*|http://b/.*']);
  t.equal(rule?.test('HTTP://B/x'), true);
  t.equal(rule?.test('ftp://c/http://a/x'), false);
});

const shown = [
  ['https://h/a.mar?X-Signature=s#f', 'https://h/a.mar'],
  ['name=HTTPS://u:p@h/a.mar?X-Signature=s', 'name=HTTPS://h/a.mar'],
  ['https:\\\\u:p@@h:1\\a.mar#f', 'https:\\\\h:1\\a.mar'],
  ['http://h?/u@x', 'http:'],
  ['http://u:p/w@h/a.mar', 'http://h/a.mar'],
  ['https://u:12/w@h/a.mar', 'https://h/a.mar'],
  ['http://localhost:aaaa', 'http://localhost:aaaa'],
  ['name= https://u:p?w@h/a.mar', 'name= https:'],
  ['https://u:p#w@h/a.mar', 'https:'],
  ['models/a?.mar', 'models/a?.mar'],
] as const;

for (const [location, is] of shown) {
  t.test(`${location} is shown without secrets`, async t => t.equal(redact(location), is));
}

/** Calls of the server that wait for their answer. */
const held: ServerResponse[] = [];
const arrivals = new EventEmitter();

function hold(_: unknown, response: ServerResponse): void {
  held.push(response);
  arrivals.emit('one');
}

t.test('two are fetched at a time, the others wait in line', async t => {
  const names = ['/held.mar?key=1', '/held.mar?key=2', '/held.mar?key=3'];
  const opened = names.map(path => packages.open(`${base}${path}`, true));
  while (held.length < 2) await once(arrivals, 'one');
  t.equal((await call(`${base}/a.mar`)).status, 200, 'what came before it has been seen');
  t.equal(held.length, 2);
  held[0]?.end(mar);
  while (held.length < 3) await once(arrivals, 'one');
  for (const response of held.splice(0)) response.end(mar);
  for (const source of await Promise.all(opened)) await source.release();
  t.same(unpacked(), []);
});

t.test('closing ends fetches, those that wait too, and removes what is there', async t => {
  const ending = await createPackages({ ...settings, allowedUrls }, limits);
  const opened = [1, 2, 3].map(key => failure(ending.open(`${base}/held.mar?key=${key}`, true)));
  while (held.length < 2) await once(arrivals, 'one');
  await Promise.all([ending.close(), ending.close()]);
  for (const { code } of await Promise.all(opened)) t.equal(code, 'INFER_CLOSED');
  t.same(unpacked(), []);
  t.equal((await failure(ending.open(`${base}/a.mar`, true))).code, 'INFER_CLOSED');
  t.equal(held.splice(0).length, 2, 'the third was never asked for');
});
