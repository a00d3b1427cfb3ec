// SPDX-License-Identifier: Apache-2.0
// Signals: what was accepted is answered, then the process ends by itself.
import { once } from 'node:events';
import { createServer } from 'node:http';
import t from 'tap';
import { createLog } from '../../server/log.js';
import { watchSignals } from '../../server/signals.js';
import { fixture, until } from '../helpers.js';
import { openClient, rawPost, readReplies, spinBody } from './connections.js';
import {
  call,
  iris,
  metric,
  openSocket,
  postJson,
  type RunningServer,
  startServer,
} from './helpers.js';

const spin = fixture('spin.onnx');

/** Sends the same request again and again until a reply says that the connection ends. */
async function clientOf(server: RunningServer, path: string, body: string) {
  const { ask, socket } = await openClient(server.inference);
  const counts = { answered: 0, lost: 0, refused: 0 };
  for (let goesOn = true; goesOn; ) {
    const reply = await ask(rawPost(path, body));
    if (reply === undefined) counts.lost++;
    else if (reply.startsWith('HTTP/1.1 200 ')) counts.answered++;
    else counts.refused++;
    goesOn = reply !== undefined && !/^connection: close/im.test(reply);
  }
  socket.destroy();
  return counts;
}

const drains = [
  { signal: 'SIGTERM', threads: 1 },
  { signal: 'SIGINT', threads: 1 },
  { signal: 'SIGTERM', threads: 2 },
] as const;

for (const { signal, threads } of drains) {
  t.test(`${signal} under 64 connections to ${threads} HTTP threads loses no request`, async t => {
    const args = ['--http-threads', String(threads)];
    const server = await startServer({ models: [iris, spin], args });
    t.teardown(server.stop);
    const clients = Array.from({ length: 64 }, (_, index) =>
      index % 2 === 0
        ? clientOf(server, '/predictions/iris', '[[5.1,3.5,1.4,0.2]]')
        : clientOf(server, '/predictions/spin', spinBody(2000)),
    );
    while ((await metric(server, 'inference_completed_total{model="iris",version="1"}')) < 1000);
    server.kill(signal);
    const results = await Promise.all(clients);
    t.equal(await server.exited, 0, 'exit code');
    const sum = (key: 'answered' | 'lost' | 'refused') =>
      results.reduce((total, counts) => total + counts[key], 0);
    t.equal(sum('lost'), 0);
    t.equal(sum('refused'), 0);
    t.ok(sum('answered') >= 1000);
    t.match(server.log.map(({ event }) => event).slice(-2), ['drain_started', 'drain_ended']);
    t.equal(server.output().split('\n').length, 2, 'one line on standard output');
  });
}

function hasEvent(server: RunningServer, event: string): () => boolean {
  return () => server.log.some(line => line['event'] === event);
}

t.test('while draining, open connections get answers and no new one is taken', async t => {
  const server = await startServer({ models: [iris], args: ['--drain-grace-ms', '100'] });
  t.teardown(server.stop);
  const [busy, idle, asking] = await Promise.all([
    openSocket(server.inference),
    openSocket(server.inference),
    openSocket(server.inference),
  ]);
  const listing = await openSocket(server.management);
  const probes = await Promise.all([openSocket(server.inference), openSocket(server.inference)]);
  const idleClosed = once(idle, 'close');
  const post = rawPost('/predictions/iris', '[[5.1,3.5,1.4,0.2]]');
  busy.write(post.slice(0, -1)); // in flight until its last byte has come
  while ((await metric(server, 'inference_http_in_flight')) < 2);
  server.kill('SIGTERM');
  await until(hasEvent(server, 'drain_started'));
  asking.write('GET /ping HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(
    await readReplies(asking).next(),
    /^HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*"Unhealthy"/,
  );
  for (const [index, probe] of ['live', 'ready'].entries()) {
    const socket = probes[index] ?? asking;
    socket.write(`GET /v2/health/${probe} HTTP/1.1\r\nHost: a\r\n\r\n`);
    t.match(await readReplies(socket).next(), /^HTTP\/1\.1 503 [\s\S]*"live":false\}/);
  }
  const replies = readReplies(listing);
  listing.write('GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2));
  t.match(await replies.next(), /^HTTP\/1\.1 200 [\s\S]*Connection: close/);
  t.match(await replies.next(), /^HTTP\/1\.1 200 /, 'and so is what came with it');
  await t.rejects(call(`${server.inference}/ping`), 'a new connection is refused');
  busy.write(post.slice(-1));
  t.match(await readReplies(busy).next(), /^HTTP\/1\.1 200 [\s\S]*Connection: close/);
  await idleClosed;
  t.equal(await server.exited, 0);
});

t.test('work beyond the drain limit is cut, named and ends with 1', async t => {
  const server = await startServer({ models: [spin], args: ['--drain-timeout-ms', '100'] });
  t.teardown(server.stop);
  const socket = await openSocket(server.inference);
  socket.write(rawPost('/predictions/spin', spinBody(60_000_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) === 0);
  server.kill('SIGTERM');
  t.equal(await server.exited, 1);
  const cut = server.log.find(({ event }) => event === 'drain_cut');
  t.match(cut, {
    level: 'error',
    requests: [{ method: 'POST', path: '/predictions/spin', id: String }],
  });
});

t.test('a load balancer is told before connections are refused', async t => {
  const args = ['--drain-delay-ms', '3600000'];
  const server = await startServer({ models: [iris], args });
  t.teardown(server.stop);
  server.kill('SIGTERM');
  while ((await call(`${server.inference}/ping`)).status !== 503);
  const { status } = await postJson(`${server.inference}/predictions/iris`, '[[5.1,3.5,1.4,0.2]]');
  t.equal(status, 200, 'on a new connection');
  server.kill('SIGKILL');
});

t.test('a second signal ends the process at once', async t => {
  const server = await startServer({ models: [spin] });
  t.teardown(server.stop);
  const socket = await openSocket(server.inference);
  socket.on('error', () => {});
  socket.write(rawPost('/predictions/spin', spinBody(60_000_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) === 0);
  server.kill('SIGTERM');
  await until(hasEvent(server, 'drain_started'));
  server.kill('SIGINT');
  t.equal(await server.exited, 130);
});

t.test('the same signal within a second is the same wish', async t => {
  const log = createLog('error');
  let nowMs = 5000;
  const stop = watchSignals(log, () => nowMs);
  t.teardown(stop.end);
  process.emit('SIGTERM', 'SIGTERM');
  await stop.requested;
  nowMs += 999;
  process.emit('SIGTERM', 'SIGTERM'); // any other would end this process
  t.equal(stop.signal(), 'SIGTERM');
});

t.test('a client that goes away takes its queued request with it', async t => {
  const server = await startServer({ models: [spin] });
  t.teardown(server.stop);
  const cancelled = 'inference_errors_total{model="spin",version="1",code="INFER_CANCELLED"}';
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(server.inference)));
  for (const socket of sockets) socket.write(rawPost('/predictions/spin', spinBody(60_000_000)));
  while ((await metric(server, 'inference_requests_total{model="spin",version="1"}')) < 8);
  for (const socket of sockets) socket.destroy();
  while ((await metric(server, cancelled)) < 8);
  const { status } = await postJson(`${server.inference}/predictions/spin`, spinBody(2));
  t.equal(status, 200, 'the lanes are free for others');
});

t.test('a model that is being fetched is given up, and its client told', async t => {
  const slow = createServer(() => {}).listen(0, '127.0.0.1'); // takes requests, and never answers
  await once(slow, 'listening');
  t.teardown(() => slow.close());
  t.teardown(() => slow.closeAllConnections());
  const address = slow.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/m.onnx`;
  const args = ['--allowed-urls', 'http://127\\.0\\.0\\.1:.*', '--drain-timeout-ms', '60000'];
  const server = await startServer({ models: [iris], args });
  t.teardown(server.stop);
  const asked = once(slow, 'request');
  const answer = postJson(`${server.management}/models`, JSON.stringify({ url }));
  await asked;
  server.kill('SIGTERM');
  const { status, text } = await answer;
  t.match([status, text], [503, /the server ends, and fetches no models/]);
  t.equal(await server.exited, 0);
});
