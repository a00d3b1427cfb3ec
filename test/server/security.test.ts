// SPDX-License-Identifier: Apache-2.0
// One server with everything switched on: tokens, TLS, a Unix socket, CORS, two threads; and no secret in what it says.
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../helpers.js';
import { digits, iris, startServer } from './helpers.js';
import { type Ask, ask, encryptedKey, fileOf, folder, keyPair } from './tls_files.js';

const secret = {
  inference: 'inference-secret',
  management: 'management-secret',
  next: 'rotated-secret',
  wrong: 'wrong-secret',
  passphrase: 'passphrase-secret',
  user: 'user-secret',
  word: 'word-secret',
  signature: 'signature-secret',
} as const;

const upstream = createServer((_, response) => response.writeHead(403).end());
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
t.teardown(() => upstream.close());
const elsewhere = `127.0.0.1:${(upstream.address() as AddressInfo).port}`;

const { key, certificate } = keyPair();
const inferenceTokens = fileOf(`${secret.inference}\n`);
const socketPath = join(folder, 'm.sock');
const workDir = join(folder, 'work');
const origin = 'https://page.example';
const flags = {
  'http-threads': '2',
  'work-dir': workDir,
  'allowed-urls': `http://${elsewhere}/.*`,
  host: 'https://127.0.0.1',
  'management-host': `unix:${socketPath}`,
  'tls-certificate-file': fileOf(certificate),
  'tls-private-key-file': fileOf(encryptedKey(key, secret.passphrase), 0o644),
  'token-files': `inference=${inferenceTokens},management=${fileOf(secret.management)}`,
  'cors-allowed-origin': origin,
  'cors-allowed-headers': 'authorization',
  'log-level': 'debug',
};
const server = await startServer({
  models: [iris],
  args: Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
  env: { INFERENCE_NATIVE_TLS_PASSPHRASE: secret.passphrase },
});
t.teardown(server.stop);
const management = `${server.management}:`;
const answers: string[] = [];

/** Asks, and keeps what came for the look at the end. */
async function tell(url: string, token = '', { headers, ...more }: Ask = {}) {
  const authorization = token === '' ? {} : { authorization: `Bearer ${token}` };
  const answer = await ask(url, { ...more, headers: { ...authorization, ...headers } });
  answers.push(JSON.stringify(answer.headers), answer.text);
  return answer;
}

const prediction: Ask = {
  method: 'POST',
  body: '[[5.1, 3.5, 1.4, 0.2]]',
  headers: { 'content-type': 'application/json' },
};
const predictions = `${server.inference}/predictions/iris`;
const list = `${management}/models`;

t.test('it says where it listens', async t => {
  t.match(server.inference, /^https:\/\/127\.0\.0\.1:\d+$/);
  t.equal(server.management, `unix:${socketPath}`);
  t.match(server.metrics, /^http:\/\/127\.0\.0\.1:\d+$/);
  t.ok(statSync(socketPath).isSocket());
});

t.test('no key is left on the disk', async t => {
  t.same(
    readdirSync(workDir).flatMap(own => readdirSync(join(workDir, own))),
    [],
  );
});

const asked = [
  { name: 'a prediction', url: predictions, token: secret.inference, status: 200 },
  { name: 'a prediction', url: predictions, token: '', status: 401 },
  { name: 'a prediction', url: predictions, token: secret.wrong, status: 401 },
  { name: 'a prediction', url: predictions, token: secret.management, status: 401 },
  { name: 'health', url: `${server.inference}/ping`, token: '', status: 200 },
  { name: 'health of V2', url: `${server.inference}/v2/health/ready`, token: '', status: 200 },
  { name: 'no route', url: `${server.inference}/none`, token: '', status: 404 },
  { name: 'the list', url: list, token: secret.management, status: 200 },
  { name: 'the list', url: list, token: secret.inference, status: 401 },
  { name: 'the list', url: list, token: '', status: 401 },
  { name: 'metrics', url: `${server.metrics}/metrics`, token: '', status: 200 },
] as const;

for (const { name, url, token, status } of asked) {
  t.test(`${name} with ${token || 'no token'} is answered ${status} by both threads`, async t => {
    for (const _ of [0, 1]) {
      const answer = await tell(url, token, url === predictions ? prediction : {});
      t.equal(answer.status, status, answer.text);
      t.equal(answer.headers['access-control-allow-origin'], origin);
      t.equal(answer.headers['access-control-allow-headers'], 'authorization');
      t.equal(answer.headers['access-control-allow-methods'], undefined, 'it was not set');
      const asks = token === '' ? '' : ', error="invalid_token"';
      const challenge = status === 401 ? `Bearer realm="inference-native"${asks}` : undefined;
      t.equal(answer.headers['www-authenticate'], challenge);
      if (status === 401) t.match(JSON.parse(answer.text), { code: 401, type: /.+/ });
    }
  });
}

t.test('a browser is told before it asks, and needs no token for that', async t => {
  const preflight = { origin, 'access-control-request-method': 'POST' };
  const told = await tell(predictions, '', { method: 'OPTIONS', headers: preflight });
  t.match(told, { status: 200, text: '', headers: { 'access-control-allow-origin': origin } });
  const plain = await tell(`${server.inference}/none`, '', { method: 'OPTIONS' });
  t.equal(plain.status, 404, 'without its headers it is like any other');
});

t.test('who changes the file changes what is let in', async t => {
  writeFileSync(inferenceTokens, `${secret.next}\n`);
  const statusOf = async (token: string) => (await tell(predictions, token, prediction)).status;
  for (const _ of [0, 1]) while ((await statusOf(secret.next)) !== 200);
  t.same([await statusOf(secret.inference), await statusOf(secret.inference)], [401, 401]);
  rmSync(inferenceTokens);
  const lost = () => server.log.filter(({ event }) => event === 'tokens_unreadable').length;
  while (lost() < 2) t.equal(await statusOf(secret.next), 200, 'the last ones hold');
});

/** What fails in every place that could tell too much. */
const failing = [
  `http://${elsewhere}/a.mar?X-Amz-Signature=${secret.signature}`,
  `http://${secret.user}:${secret.word}@${elsewhere}/a.mar`,
  `http://${elsewhere}/a.mar#sha256=${secret.signature}`,
  `http://not.allowed/a.mar?token=${secret.signature}`,
  `s3://${secret.user}:${secret.word}@bucket/a.mar`,
  `s3://bucket/a.mar?token=${secret.signature}`,
  `file://${secret.user}:${secret.word}@host/a.mar`,
];

t.test('nothing secret is in the log, the output or an answer', async t => {
  for (const url of failing) {
    for (const synchronous of ['true', 'false']) {
      const query = new URLSearchParams({ url, synchronous, initial_workers: '1' });
      const { status } = await tell(`${list}?${query}`, secret.management, { method: 'POST' });
      t.ok(status >= 400, url);
    }
  }
  await tell(`${predictions}?token=${secret.signature}`, secret.next, {
    method: 'POST',
    body: '{',
  });
  const loaded = new URLSearchParams({ url: digits, initial_workers: '1' });
  await tell(`${list}?${loaded}&x=${secret.signature}`, secret.management, { method: 'POST' });
  await until(() => server.log.some(({ event }) => event === 'security_note'));
  t.equal(await server.stop(), 0);
  const said = [...server.log.map(line => JSON.stringify(line)), server.output(), ...answers];
  t.ok(said.length > 30, 'there is something to look at');
  for (const text of said) t.notMatch(text, /secret/);
  t.match(server.log.find(({ event }) => event === 'security_note')?.['message'], /got mode 0644/);
  t.notOk(existsSync(socketPath), 'the socket is gone');
});

t.test('APIs that share a socket ask for their own tokens on all threads', async t => {
  const path = join(folder, 'all.sock');
  const shared = await startServer({
    models: [iris],
    args: [
      ...['--host', `unix:${path}`, '--management-host', `unix:${path}`, '--http-threads', '2'],
      ...[
        '--token-files',
        `management=${fileOf(secret.management)},metrics=${fileOf(secret.next)}`,
      ],
      ...['--metrics-host', `unix:${path}`],
    ],
  });
  t.teardown(shared.stop);
  t.equal(shared.inference, `unix:${path}`);
  const rows = [
    { path: '/models', token: '', is: 401 },
    { path: '/models', token: secret.next, is: 401 },
    { path: '/models', token: secret.management, is: 200 },
    { path: '/metrics', token: secret.management, is: 401 },
    { path: '/metrics', token: secret.next, is: 200 },
  ];
  for (const { path, token, is } of rows) {
    const answers = [1, 2, 3, 4].map(() => tell(`${shared.inference}:${path}`, token));
    t.same(
      (await Promise.all(answers)).map(({ status }) => status),
      [is, is, is, is],
      path,
    );
  }
  for (const _ of [0, 1]) {
    t.equal((await tell(`${shared.inference}:/predictions/iris`, '', prediction)).status, 200);
  }
  const { text } = await tell(`${shared.inference}:/metrics`, secret.next);
  t.match(text, /inference_http_thread_responses_total\{thread="1"\} [1-9]/);
  t.equal(await shared.stop(), 0);
});
