// SPDX-License-Identifier: Apache-2.0
// The times of the server's own stages: what is counted when, and what the header says.
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { createHttp } from '../../server/http.js';
import { errors } from '../../server/protocol/mms/errors.js';
import type { HttpReply, Responder } from '../../server/route.js';
import { createDurations, sumOf } from '../../server/stages.js';
import { until } from '../helpers.js';
import { openClient } from './connections.js';
import { call, iris, openSocket, startServer } from './helpers.js';

const limits = { maxRequestBytes: 1000, maxBufferedBytes: 10_000, maxHeaderBytes: 4096 };

async function startHttp(t: Test, respond: Responder) {
  const http = await createHttp({ ...limits, errors });
  const address = { scheme: 'http', host: '127.0.0.1', port: 0 } as const;
  const url = `http://127.0.0.1:${await http.listen(address, { respond })}`;
  t.teardown(() => http.drain(0, 1000));
  return { http, url };
}

const plain: HttpReply = { status: 200, contentType: 'text/plain', body: 'fine' };
const timing = { parseUs: 1500, queueUs: 0.4, runUs: 20_000, formatUs: 250 };

const asked = [
  {
    name: 'an answer without stages of its own tells of its arrival',
    header: 'X-Server-Timing: 1',
    reply: plain,
    says: /^accept;dur=\d+\.\d{3}$/,
  },
  {
    name: 'a prediction tells of all stages in milliseconds',
    header: 'x-server-timing: 1',
    reply: { ...plain, timing },
    says: /^accept;dur=\d+\.\d{3}, parse;dur=1\.500, queue;dur=0\.000, run;dur=20\.000, format;dur=0\.250$/,
  },
  { name: 'who does not ask is told nothing', header: 'a: b', reply: { ...plain, timing } },
  { name: 'nor who asks for something else', header: 'x-server-timing: 2', reply: plain },
  {
    name: 'nor whose request reached no handler',
    header: 'x-server-timing: 1\r\nHost: b',
    reply: plain,
  },
] as const;

for (const { name, header, reply, ...rest } of asked) {
  t.test(name, async t => {
    const { url } = await startHttp(t, () => reply);
    const { ask, socket } = await openClient(url);
    const text = await ask(`GET / HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`);
    socket.destroy();
    const value = /^server-timing: (.*)$/im.exec(text ?? '')?.[1];
    if ('says' in rest) t.match(value, rest.says);
    else t.equal(value, undefined);
  });
}

t.test('the stages of a real prediction come from the addon', async t => {
  const server = await startServer({ models: [iris] });
  t.teardown(server.stop);
  const headers = { 'content-type': 'application/json', 'x-server-timing': '1' };
  const body = '[[5.1,3.5,1.4,0.2]]';
  const url = `${server.inference}/predictions/iris`;
  const reply = await call(url, { method: 'POST', headers, body });
  const entries = String(reply.headers['server-timing']).split(', ');
  const times = new Map(entries.map(entry => entry.split(';dur=') as [string, string]));
  t.same([...times.keys()], ['accept', 'parse', 'queue', 'run', 'format']);
  t.ok(Number(times.get('run')) > 0, `run ${times.get('run')}`);
  const plain = await call(url, {
    method: 'POST',
    headers: { ...headers, 'x-server-timing': '' },
    body,
  });
  t.equal(plain.headers['server-timing'], undefined);
});

t.test('a body that comes late counts as arriving', async t => {
  const { http, url } = await startHttp(t, () => plain);
  const { ask, socket } = await openClient(url);
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nX-Server-Timing: 1\r\nContent-Length: 2\r\n\r\nx');
  await until(() => http.stats().inFlight === 1);
  t.equal(http.stats().acceptSeconds.count, 0);
  const startMs = performance.now();
  await until(() => performance.now() - startMs > 30);
  const text = await ask('x');
  socket.destroy();
  const ms = Number(/accept;dur=([\d.]+)/.exec(text ?? '')?.[1]);
  t.ok(ms >= 30, `${ms} ms`);
  const { count, sum } = http.stats().acceptSeconds;
  t.equal(count, 1);
  t.ok(sum >= 0.03, `${sum} s`);
});

t.test(
  'a large answer is written when its client has taken it, and never when it leaves',
  async t => {
    const body = Buffer.alloc(2 ** 26); // more than any socket buffers
    const { http, url } = await startHttp(t, () => ({ ...plain, body }));
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const reader = await openSocket(url);
    reader.write(request);
    await once(reader, 'readable');
    t.equal(http.stats().acceptSeconds.count, 1);
    t.equal(http.stats().writeSeconds.count, 0);
    reader.resume();
    await until(() => http.stats().inFlight === 0);
    t.equal(http.stats().writeSeconds.count, 1);
    reader.destroy();
    const leaver = await openSocket(url);
    leaver.write(request);
    await once(leaver, 'readable');
    leaver.destroy();
    await until(() => http.stats().inFlight === 0);
    t.equal(http.stats().acceptSeconds.count, 2);
    t.equal(http.stats().writeSeconds.count, 1);
  },
);

t.test('times are counted up to and with the bound of a bucket, in seconds', async t => {
  const durations = createDurations();
  for (const ms of [0, 0.01, 0.011, 1, 10_000, 10_001]) durations.add(ms);
  const { count, sum, buckets } = durations.read();
  const upTo = new Map(buckets.map(({ le, count }) => [le, count]));
  t.equal(count, 6);
  t.ok(Math.abs(sum - 20.002021) < 1e-9, `${sum} s`);
  t.equal(upTo.get(0.00001), 2);
  t.equal(upTo.get(0.000025), 3);
  t.equal(upTo.get(0.0005), 3);
  t.equal(upTo.get(0.001), 4);
  t.equal(upTo.get(10), 5);
  t.equal(upTo.get(Number.POSITIVE_INFINITY), 6);
});

t.test('histograms of several threads add up bucket by bucket', async t => {
  const threads = [[0.02, 3], [3, 40], []].map(times => {
    const durations = createDurations();
    for (const ms of times) durations.add(ms);
    return durations.read();
  });
  const one = createDurations();
  for (const ms of [0.02, 3, 3, 40]) one.add(ms);
  t.same(sumOf(threads), one.read());
});
