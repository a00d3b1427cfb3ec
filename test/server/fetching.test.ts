// SPDX-License-Identifier: Apache-2.0
// Models that a running server fetches: what its clients and its log are told, and that it ends while it waits.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { call, iris, startServer } from './helpers.js';

const silent = createServer((request, response) => {
  if (request.url?.startsWith('/none')) response.writeHead(404).end();
});
silent.listen(0, '127.0.0.1');
await once(silent, 'listening');
const base = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
const nobody = createServer().listen(0, '127.0.0.1');
await once(nobody, 'listening');
const gone = `http://127.0.0.1:${(nobody.address() as AddressInfo).port}`;
nobody.close();
t.teardown(() => {
  silent.closeAllConnections();
  silent.close();
});

const server = await startServer({ models: [iris], args: ['--allowed-urls', 'http://127.*'] });
t.teardown(server.stop);

/** @source tests of MMS, by way of ModelServerTest.java: texts and types that its clients compare with. */
const cases = [
  {
    url: `${gone}/fake.mar?key=secret`,
    reply: {
      code: 400,
      type: 'DownloadModelException',
      message: `Failed to download model from: ${gone}/fake.mar`,
    },
    logs: /ECONNREFUSED/,
  },
  {
    url: `${base}/none.mar?key=secret`,
    reply: {
      code: 400,
      type: 'DownloadModelException',
      message: `Failed to download model from: ${base}/none.mar, code: 404`,
    },
    logs: /status 200, got 404/,
  },
  {
    url: 'http://localhost:aaaa',
    reply: {
      code: 404,
      type: 'ModelNotFoundException',
      message: 'Invalid model url: http://localhost:aaaa',
    },
  },
] as const;

function registration(url: string): string {
  return `${server.management}/models?url=${encodeURIComponent(url)}`;
}

for (const { url, reply, ...rest } of cases) {
  t.test(`a client that registers ${url.slice(0, 24)} is told what MMS tells`, async t => {
    const { status, text } = await call(registration(url), { method: 'POST' });
    t.equal(status, reply.code);
    t.same(JSON.parse(text), reply);
    const log = JSON.stringify(server.log);
    if ('logs' in rest) t.match(log, rest.logs);
    t.notMatch(log, 'secret');
  });
}

t.test('a server that is told to end does not wait for what it fetches', async t => {
  const asked = once(silent, 'request');
  const registered = call(registration(`${base}/held.mar`), { method: 'POST' });
  await asked;
  server.kill('SIGTERM');
  const { status, text } = await registered;
  t.equal(status, 503);
  t.match(JSON.parse(text).message, 'the server ends, and fetches no models any more');
  t.equal(await server.exited, 0);
});
