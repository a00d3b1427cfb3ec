// SPDX-License-Identifier: Apache-2.0
// Models by s3: with the client of AWS, from a service on this machine.
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { inspect } from 'node:util';
import t from 'tap';
import { type DownloadRules, download } from '../../server/packages/download.js';
import { isRemote, readPatterns } from '../../server/packages/url.js';
import { failure, fixture } from '../helpers.js';
import { zipFiles } from './archives.js';
import { folder } from './package_files.js';

const mar = zipFiles({ 'model.onnx': readFileSync(fixture('affine.onnx')) });
const sha256 = createHash('sha256').update(mar).digest('hex');
const noSuchKey =
  '<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>';

const answers: Readonly<Record<string, RequestListener>> = {
  '/bucket/a.mar': (_, response) => response.end(mar),
  '/bucket/of%20mine/b.mar': (_, response) => response.end(mar),
  '/bucket/endless.mar': (_, response) => {
    const send = () => response.write(Buffer.alloc(2 ** 16), error => error ?? send());
    send();
  },
  '/bucket/large.mar': (_, response) =>
    response.writeHead(200, { 'content-length': 2 ** 40 }).flushHeaders(),
  '/bucket/short.mar': (request, response) => {
    response.writeHead(200, { 'content-length': mar.length + 10 });
    response.write(mar, () => request.socket.destroy());
  },
  '/bucket/silent.mar': () => {},
  '/bucket/stops.mar': (_, response) => response.writeHead(200).write('PK'),
};
const service = createServer((request, response) => {
  const answer = answers[new URL(request.url ?? '', 'http://h').pathname];
  if (answer !== undefined) answer(request, response);
  else response.writeHead(404, { 'content-type': 'application/xml' }).end(noSuchKey);
});
service.listen(0, '127.0.0.1');
await once(service, 'listening');
const endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
t.teardown(() => {
  service.closeAllConnections();
  service.close();
});

/** The client of AWS finds these by itself. */
Object.assign(process.env, {
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'the-secret',
  AWS_SECRET_ACCESS_KEY: 'the-secret',
});
const usual: DownloadRules = {
  allowed: readPatterns(['s3://bucket/(?!other/).*']),
  maxBytes: 2 ** 20,
  idleMs: 600_000,
  mostMs: 600_000,
  ending: new AbortController().signal,
};

function place(): string {
  return mkdtempSync(join(folder, 's3-'));
}

const fetched = [
  { location: 's3://bucket/a.mar', file: 'a.mar' },
  { location: `S3://bucket/x/../a.mar#sha256=${sha256}`, file: 'a.mar' },
  { location: 's3://bucket/of%20mine/b.mar', file: 'b.mar' },
] as const;

for (const { location, file } of fetched) {
  t.test(`${location.slice(0, 40)} is fetched`, async t => {
    const directory = place();
    const path = await download(location, directory, usual);
    t.equal(path, join(directory, file));
    t.ok(readFileSync(path).equals(mar));
  });
}

const refused = [
  {
    path: 's3://bucket/none.mar',
    code: 'INFER_BAD_INPUT',
    says: /^Failed to download model from: s3:\/\/bucket\/none.mar, code: 404$/,
    reason: /^Error: NoSuchKey: /,
  },
  {
    path: 's3://bucket/endless.mar',
    code: 'INFER_MODEL_INVALID',
    says: /at most 1048576 bytes/,
    reason: /(?:)/,
  },
  {
    path: 's3://bucket/large.mar',
    code: 'INFER_MODEL_INVALID',
    says: /at most 1048576 bytes/,
    reason: /(?:)/,
  },
  {
    path: 's3://bucket/short.mar',
    code: 'INFER_BAD_INPUT',
    says: /^Failed to download model from: s3:\/\/bucket\/short.mar$/,
    reason: /aborted/,
  },
  {
    path: `s3://bucket/a.mar#sha256=${'0'.repeat(64)}`,
    code: 'INFER_MODEL_INVALID',
    says: /expected SHA-256 0{64}/,
    reason: /(?:)/,
  },
] as const;

for (const { path, code, says, reason } of refused) {
  t.test(`${path.slice(0, 40)} fails`, async t => {
    const error = await failure(download(path, place(), usual));
    t.equal(error.code, code, error.message);
    t.match(error.message, says);
    t.match(String(error.cause), reason);
    t.notMatch(inspect(error, { depth: 10 }), 'the-secret', 'nothing of how it was asked for');
  });
}

for (const path of ['s3://bucket/silent.mar', 's3://bucket/stops.mar']) {
  t.test(`${path} is given up, by silence and by the end`, async t => {
    const impatient = download(path, place(), { ...usual, idleMs: 50 });
    t.equal((await failure(impatient)).message, `Download model timeout: ${path}`);
    const end = new AbortController();
    const arrived = once(service, 'request');
    const ended = download(path, place(), { ...usual, ending: end.signal });
    await arrived;
    const reason = new Error('the end');
    end.abort(reason);
    await t.rejects(ended, reason);
  });
}

t.test('a client that never answers is given up, by silence and by the end', async t => {
  const asked = new EventEmitter();
  class S3Client {
    send = () => new Promise<{ Body: Readable }>(resolve => asked.emit('send', resolve));
    destroy() {}
  }
  const loadS3 = async () => ({ S3Client, GetObjectCommand: class {} });
  const path = 's3://bucket/a.mar';
  const first = once(asked, 'send');
  const impatient = download(path, place(), { ...usual, idleMs: 50, loadS3 });
  t.equal((await failure(impatient)).message, `Download model timeout: ${path}`);
  const Body = new PassThrough();
  const closed = once(Body, 'close');
  const [answer] = await first;
  answer({ Body });
  await closed;
  const end = new AbortController();
  const second = once(asked, 'send');
  const ended = download(path, place(), { ...usual, ending: end.signal, loadS3 });
  await second;
  const reason = new Error('the end');
  end.abort(reason);
  await t.rejects(ended, reason);
});

const never = [
  { path: 's3://bucket/other/a.mar', says: /^Given URL .* does not match any allowed/ },
  { path: 's3://bucket/x/../other/a.mar', says: /does not match any allowed/ },
  { path: 's3://Bucket2/a.mar', says: /does not match any allowed/ },
  { path: 's3://bucket/a.mar?versionId=1', says: /expected s3:\/\/bucket\/key/ },
  { path: 's3:/a.mar', says: /expected s3:\/\/bucket\/key/ },
  { path: 's3:a.mar', says: /expected s3:\/\/bucket\/key/ },
  { path: 's3://user:word@bucket/a.mar', says: /expected no user and password/ },
  { path: 's3://bucket/%6fther/a.mar', says: /expected letters, digits, .* not percent-encoded/ },
  { path: 's3://bucket/x%2D/a.mar', says: /not percent-encoded/ },
  { path: 's3://bucket/x%39%7E/a.mar', says: /not percent-encoded/ },
  { path: 's3://bucket/x%2Fa.mar', says: /expected a path without %2F/ },
  { path: 's3://bucket/a.txt', says: /expected a path that ends in/ },
] as const;

for (const { path, says } of never) {
  t.test(`${path} is refused before anything is loaded`, async t => {
    t.ok(isRemote(path));
    const loadS3 = () => Promise.reject(new Error('loaded'));
    const { message } = await failure(download(path, place(), { ...usual, loadS3 }));
    t.match(message, says);
  });
}

t.test('without the client the message says how to get it', async t => {
  const loadS3 = () => Promise.reject(new Error('Cannot find package'));
  const { code, message } = await failure(
    download('s3://bucket/a.mar', place(), { ...usual, loadS3 }),
  );
  t.equal(code, 'INFER_BAD_INPUT');
  t.match(message, /npm install @aws-sdk\/client-s3$/);
});
