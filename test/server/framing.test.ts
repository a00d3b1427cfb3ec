// SPDX-License-Identifier: Apache-2.0
// Requests as raw bytes: where a request ends must never be in doubt, and the answer to doubt is 400 and close.
import t from 'tap';
import { addChunk, bytesOf, createBody, createBudget, releaseBody } from '../../server/body.js';
import { exchange, iris, openSocket, postJson, startServer } from './helpers.js';

const server = await startServer({ models: [iris], args: ['--max-request-bytes', '100000'] });
t.teardown(server.stop);

const row = '[[5.1,3.5,1.4,0.2]]';
const start = 'POST /predictions/iris HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const chunked = `13\r\n${row}\r\n0\r\n\r\n`;
const length = `Content-Length: ${row.length}\r\n`;

/** `ours`: we answer with JSON that says why; otherwise the HTTP parser answers before anything reaches us. */
const refused = [
  {
    name: 'content-length twice, different',
    bytes: `${start}${length}Content-Length: 5\r\n\r\n${row}`,
    status: 400,
    ours: /header content-length: expected one line, got several/,
  },
  {
    name: 'content-length twice, equal',
    bytes: `${start}${length}${length}\r\n${row}`,
    status: 400,
    ours: /header content-length: expected one line, got several/,
  },
  {
    name: 'an empty content-length',
    bytes: `${start}Content-Length: \r\n\r\n${row}`,
    status: 400,
    ours: /header content-length: expected digits, got \\"\\"/,
  },
  {
    name: 'transfer-encoding twice',
    bytes: `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
    status: 400,
    ours: /header transfer-encoding: expected one line/,
  },
  {
    name: 'transfer-encoding: x, chunked',
    bytes: `${start}Transfer-Encoding: x, chunked\r\n\r\n${chunked}`,
    status: 400,
    ours: /header transfer-encoding: expected chunked, got \\"x, chunked\\"/,
  },
  {
    name: 'transfer-encoding: identity',
    bytes: `${start}Transfer-Encoding: identity\r\n\r\n${chunked}`,
    status: 400,
    ours: /header transfer-encoding: expected chunked/,
  },
  {
    name: 'two hosts',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
    status: 400,
    ours: /header host: expected one line/,
  },
  {
    name: 'content-length and transfer-encoding',
    bytes: `${start}${length}Transfer-Encoding: chunked\r\n\r\n${chunked}`,
    status: 400,
  },
  {
    name: 'a negative content-length',
    bytes: `${start}Content-Length: -1\r\n\r\n${row}`,
    status: 400,
  },
  {
    name: 'a content-length with a sign',
    bytes: `${start}Content-Length: +19\r\n\r\n${row}`,
    status: 400,
  },
  {
    name: 'a content-length of letters',
    bytes: `${start}Content-Length: abc\r\n\r\n${row}`,
    status: 400,
  },
  {
    name: 'a content-length list',
    bytes: `${start}Content-Length: 19, 19\r\n\r\n${row}`,
    status: 400,
  },
  {
    name: 'a content-length beyond 64 bits',
    bytes: `${start}Content-Length: 99999999999999999999\r\n\r\n${row}`,
    status: 400,
  },
  {
    name: 'a chunk size of letters',
    bytes: `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n${row}`,
    status: 400,
  },
  {
    name: 'a cookie of 17 KB',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\nCookie: ${'c'.repeat(17000)}\r\n\r\n`,
    status: 431,
  },
  {
    name: 'a path of 20 KB',
    bytes: `GET /${'p'.repeat(20000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    status: 431,
  },
  {
    name: '150 headers',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(150)}\r\n`,
    status: 431,
  },
  { name: 'bare line feeds', bytes: 'GET /ping HTTP/1.1\nHost: a\n\n', status: 505 },
  { name: 'HTTP/1.0', bytes: 'GET /ping HTTP/1.0\r\nHost: a\r\n\r\n', status: 505 },
  {
    name: 'the beginning of TLS',
    bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    status: 505,
  },
] as const;

for (const { name, bytes, status, ...rest } of refused) {
  t.test(`${name}: ${status} and close`, async t => {
    const reply = await exchange(server.inference, bytes);
    t.match(reply, new RegExp(`^HTTP/1\\.1 ${status} `));
    t.match(reply, /connection: close/i);
    t.equal(reply.match(/HTTP\/1\.1 /g)?.length, 1, 'nothing behind it was taken for a request');
    if ('ours' in rest) t.match(reply, rest.ours);
  });
}

const smuggled = 'GET /models HTTP/1.1\r\nHost: a\r\n\r\n';
const doubtful = 'POST /ping HTTP/1.1\r\nHost: a\r\n';

/** What stands behind a request that ends its connection must reach no handler. */
const ending = [
  { name: 'two lengths', bytes: `${doubtful}Content-Length: 0\r\nContent-Length: 5\r\n\r\n` },
  { name: 'equal lengths', bytes: `${doubtful}Content-Length: 0\r\nContent-Length: 0\r\n\r\n` },
  { name: 'x, chunked', bytes: `${doubtful}Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n` },
  { name: 'identity', bytes: `${doubtful}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n` },
  { name: 'an empty length', bytes: `${doubtful}Content-Length: \r\n\r\n` },
  { name: 'an empty host and another', bytes: 'GET /ping HTTP/1.1\r\nHost: \r\nHost: b\r\n\r\n' },
  { name: 'a path that is none', bytes: 'GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n' },
  { name: 'a wrong method', bytes: 'GET /predictions/iris HTTP/1.1\r\nHost: a\r\n\r\n' },
  {
    name: 'an empty form', // refused by a promise that is settled at once
    bytes:
      'POST /predictions/iris HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data\r\nContent-Length: 0\r\n\r\n',
  },
  {
    name: 'connection: close',
    bytes: 'GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  },
] as const;

for (const { name, bytes } of ending) {
  for (const port of ['inference', 'management'] as const) {
    t.test(`nothing behind ${name} is answered, ${port}`, async t => {
      const reply = await exchange(server[port], bytes + smuggled);
      t.notMatch(reply, /HTTP\/1\.1 [\s\S]*HTTP\/1\.1 /);
      t.notMatch(reply, /"models"/);
    });
  }
}

/** Reads from a connection until the text matches. */
async function readUntil(
  socket: Awaited<ReturnType<typeof openSocket>>,
  pattern: RegExp,
): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk.toString('latin1');
    if (pattern.test(text)) return text;
  }
  throw new Error(`closed after ${JSON.stringify(text)}`);
}

const good = [
  {
    name: 'a chunked body',
    bytes: `${start}Transfer-Encoding: chunked\r\n\r\n${chunked}`,
    reply: /200 OK[\s\S]*\[\[0\.99/,
  },
  {
    name: 'a body in single bytes as chunks',
    bytes: `${start}Transfer-Encoding: chunked\r\n\r\n${[...row].map(byte => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`,
    reply: /200 OK[\s\S]*\[\[0\.99/,
  },
  {
    name: 'expect: 100-continue',
    bytes: `${start}Expect: 100-continue\r\n${length}\r\n`,
    reply: /^HTTP\/1\.1 100 Continue\r\n\r\n$/,
  },
  {
    name: 'HEAD',
    bytes: 'HEAD /ping HTTP/1.1\r\nHost: a\r\n\r\n',
    reply: /200 OK[\s\S]*content-length: 26\r\n[\s\S]*\r\n\r\n$/,
  },
  {
    name: 'a cookie of 15 KB',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\nCookie: ${'c'.repeat(15000)}\r\n\r\n`,
    reply: /200 OK[\s\S]*Healthy/,
  },
  {
    name: 'a connection header that only contains the word close',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\nConnection: x-close\r\n\r\n${start}${length}\r\n${row}`,
    reply: /keep-alive[\s\S]*Healthy[\s\S]*200 OK[\s\S]*\[\[0\.99/,
  },
  {
    name: 'two requests at once',
    bytes: `GET /ping HTTP/1.1\r\nHost: a\r\n\r\n${start}${length}\r\n${row}`,
    reply: /Healthy[\s\S]*200 OK[\s\S]*\[\[0\.99/,
  },
] as const;

for (const { name, bytes, reply } of good) {
  t.test(`${name} is answered`, async t => {
    const socket = await openSocket(server.inference);
    socket.write(bytes);
    t.match(await readUntil(socket, reply), reply);
    socket.destroy();
  });
}

t.test('HEAD has no body and leaves the connection usable, also after a failure', async t => {
  const socket = await openSocket(server.inference);
  socket.write('HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\nHEAD /ping HTTP/1.1\r\nHost: a\r\n\r\n');
  socket.write('GET /ping HTTP/1.1\r\nHost: a\r\n\r\n');
  const replies = await readUntil(socket, /\}\n$/);
  t.match(
    replies,
    /^HTTP\/1\.1 404 [^{]*\r\n\r\nHTTP\/1\.1 200 OK[^{]*\r\n\r\nHTTP\/1\.1 200 OK[^{]*\{/,
  );
  t.match(replies, /^[^{]*connection: close[^{]*content-length: 136/);
});

for (const value of [
  'close',
  'Close',
  'keep-alive, close',
  'close\r\nConnection: keep-alive',
  'keep-alive\r\nConnection: close',
]) {
  for (const path of ['/ping', '/nothing']) {
    t.test(
      `GET ${path} with connection: ${JSON.stringify(value)} is told once that it closes, and it does`,
      async t => {
        const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${value}\r\n\r\n`;
        const reply = await exchange(server.inference, request);
        t.same(reply.match(/^connection: .*$/gim), [
          reply.includes('Connection') ? 'Connection: close' : 'connection: close',
        ]);
      },
    );
  }
}

t.test('an oversized body that was read to its end leaves the connection usable', async t => {
  const socket = await openSocket(server.inference);
  socket.write(`${start}Content-Length: 300000\r\n\r\n`);
  socket.write(Buffer.alloc(300_000, '0,'));
  socket.write(`${start}${length}\r\n${row}`);
  const replies = await readUntil(socket, /200 OK[\s\S]*\[\[0\.99/);
  t.match(replies, /^HTTP\/1\.1 413 [\s\S]*body: expected at most 100000 bytes/);
  socket.destroy();
});

t.test('an oversized chunked body is refused with 413', async t => {
  const chunk = `2000\r\n${'0,'.repeat(4096)}\r\n`;
  const socket = await openSocket(server.inference);
  socket.write(`${start}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`);
  t.match(await readUntil(socket, /\}\n$/), /^HTTP\/1\.1 413 [\s\S]*, got more/);
  socket.destroy();
});

t.test('a content-length that will never come is answered at once and costs nothing', async t => {
  const socket = await openSocket(server.inference);
  socket.write(`${start}Content-Length: 9999999999\r\n\r\n0`);
  t.match(await readUntil(socket, /\}\n$/), /^HTTP\/1\.1 413 [\s\S]*, got 9999999999/);
});

t.test('70,000 chunks are an attack', async t => {
  const reply = await exchange(
    server.inference,
    `${start}Transfer-Encoding: chunked\r\n\r\n${'1\r\n0\r\n'.repeat(70_000)}0\r\n\r\n`,
  );
  t.match(reply, /^HTTP\/1\.1 400 [\s\S]*body: expected at most 65536 chunks, got more/);
});

t.test('an endless body of chunks is refused when there are too many, not at its end', async t => {
  const reply = await exchange(
    server.inference,
    `${start}Transfer-Encoding: chunked\r\n\r\n${'1\r\n0\r\n'.repeat(70_000)}`,
  );
  t.match(reply, /^HTTP\/1\.1 400 [\s\S]*body: expected at most 65536 chunks, got more/);
});

t.test('after all this the server still answers', async t => {
  t.equal((await postJson(`${server.inference}/predictions/iris`, row)).status, 200);
});

t.test('memory for a body follows what comes, not what is promised', async t => {
  const budget = createBudget(10_000_000);
  const body = createBody(6_000_000, { maxBytes: 6_000_000, budget });
  addChunk(body, new ArrayBuffer(10), false);
  t.ok(budget.usedBytes() <= 16_384, `${budget.usedBytes()} bytes for the first 10`);
  addChunk(body, new ArrayBuffer(100_000), false);
  t.ok(budget.usedBytes() <= 200_020, `${budget.usedBytes()} bytes for 100010`);
  releaseBody(body);
  releaseBody(body);
  t.equal(budget.usedBytes(), 0);
});

t.test('bodies that together exceed the budget are refused with 503', async t => {
  const budget = createBudget(100_000);
  const limits = { maxBytes: 90_000, budget };
  const first = createBody(80_000, limits);
  addChunk(first, new ArrayBuffer(80_000), true);
  t.equal(first.refusal, undefined);
  const second = createBody(80_000, limits);
  t.equal(addChunk(second, new ArrayBuffer(80_000), true), 'complete');
  t.match(second.refusal, { status: 503, message: /maxBufferedBytes/ });
  releaseBody(first);
  t.equal(addChunk(createBody(80_000, limits), new ArrayBuffer(80_000), true), 'complete');
});

const shares = [
  { name: 'a growing body may fill the whole budget', declared: 100_000, others: 0 },
  { name: 'and so may one of unknown length', declared: undefined, others: 0 },
  { name: 'a body that just fits beside others is taken', declared: undefined, others: 40_000 },
] as const;

for (const { name, declared, others } of shares) {
  t.test(name, async t => {
    const budget = createBudget(100_000);
    budget.take(others);
    const body = createBody(declared, { maxBytes: 100_000, budget });
    const sizeBytes = 100_000 - others;
    for (let sent = 1000; sent < sizeBytes; sent += 1000) {
      t.equal(addChunk(body, new ArrayBuffer(1000), false), 'more');
    }
    t.equal(addChunk(body, new ArrayBuffer(1000), true), 'complete');
    t.equal(body.refusal, undefined);
    t.equal(bytesOf(body).length, sizeBytes);
    t.equal(budget.usedBytes(), 100_000);
    releaseBody(body);
    t.equal(budget.usedBytes(), others);
  });
}
