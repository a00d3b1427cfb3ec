// SPDX-License-Identifier: Apache-2.0
// Several HTTP threads on one port: whose answer is whose, what they share, and how they end.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fixture, root, until } from '../helpers.js';
import { bodyOf, type Client, openClient, rawPost, spinBody } from './connections.js';
import { call, digits, exchange, iris, metric, startServer } from './helpers.js';

/** Connections one after the other: they go to the threads in turn, the main one first. */
async function openClients(t: Test, url: string, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) clients.push(await openClient(url));
  t.teardown(() => clients.map(({ socket }) => socket.destroy()));
  return clients;
}

function threadArgs(threads: number): string[] {
  return ['--http-threads', String(threads)];
}

function get(path: string, header = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${header}\r\n`;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise(resolve => probe.close(resolve));
  return String(typeof address === 'object' ? address?.port : 0);
}

t.test('three threads share the connections, and each gets its own answers', async t => {
  const model = fixture('identity_float32.onnx');
  const server = await startServer({ models: [`echo=${model}`], args: threadArgs(3) });
  t.teardown(server.stop);
  const clients = await openClients(t, server.inference, 9);
  const rounds = 20;
  const wrong: string[] = [];
  const ask = async ({ ask }: Client, number: number) => {
    for (let round = 0; round < rounds; round++) {
      const sent = `[[${number},${round}],[${number * 1000 + round},-1]]`;
      const path = round % 2 === 0 ? '/predictions/echo' : '/invocations'; // the only model of the start
      const got = bodyOf(await ask(rawPost(path, sent)));
      if (got !== sent) wrong.push(`${sent}: ${got}`);
    }
  };
  await Promise.all(clients.map(ask));
  t.same(wrong, []);
  const { text } = await call(`${server.metrics}/metrics`);
  for (const sample of [
    'inference_http_thread_responses_total{thread="0"} 60',
    'inference_http_thread_responses_total{thread="1"} 60',
    'inference_http_thread_responses_total{thread="2"} 60',
    'inference_http_responses_total{code="200"} 180',
    'inference_http_accept_seconds_count 181', // with the one that reads this
    'inference_http_write_seconds_count 180',
    'inference_http_connections 10',
    'inference_requests_total{model="echo",version="1"} 180',
  ]) {
    t.ok(text.includes(`\n${sample}\n`), sample);
  }
  t.match(text, /event_loop_delay_seconds\{thread="2",quantile="0\.99"\} \d/);
  await Promise.all(clients.map(({ ask }) => ask(get('/nowhere'))));
  t.equal(await metric(server, 'inference_http_responses_total{code="404"}'), 9);
  t.equal(JSON.parse(server.output()).httpThreads, 3);
});

t.test('every thread answers for the whole server where all APIs share its port', async t => {
  const port = await freePort();
  const args = ['--port', port, '--management-port', port, '--metrics-port', port];
  const server = await startServer({ models: [iris], args: [...args, ...threadArgs(2)] });
  t.teardown(server.stop);
  const clients = await openClients(t, server.inference, 4);
  const askAll = (bytes: string) => Promise.all(clients.map(({ ask }) => ask(bytes)));
  const described = (await askAll(get('/models/iris'))).map(reply =>
    bodyOf(reply).replace(/"memoryUsage": \d+/g, ''),
  );
  t.match(described[0], /"modelName": "iris"[\s\S]*"startTime"/);
  t.same(described, Array(4).fill(described[0]), 'the main thread loaded it once');
  for (const reply of await askAll(get('/metrics'))) {
    t.match(bodyOf(reply), /inference_http_connections 4\n/);
    t.match(bodyOf(reply), /thread_responses_total\{thread="1"\} [1-9]/);
  }
  for (const reply of await askAll(get('/models', 'Origin: http://elsewhere\r\n'))) {
    t.match(reply, /^HTTP\/1\.1 403 /);
  }
});

t.test('limits and decoders hold on every thread', async t => {
  const limits = ['--max-header-bytes', '4096', '--max-request-bytes', '60000'];
  const args = [...limits, '--max-buffered-bytes', '200000', ...threadArgs(2)];
  const server = await startServer({ models: [digits], args });
  t.teardown(server.stop);
  const images = await openClients(t, server.inference, 2);
  const image = readFileSync(join(root, 'models', 'digits', 'samples', '7.png'), 'latin1');
  for (const { ask } of images) {
    t.match(
      bodyOf(await ask(rawPost('/predictions/digits', image, 'image/png'))),
      /^\[\{"class":"7"/,
    );
  }
  const long = get('/ping', `X-Long: ${'x'.repeat(5000)}\r\n`);
  for (const reply of [
    await exchange(server.inference, long),
    await exchange(server.inference, long),
  ]) {
    t.match(reply, /^HTTP\/1\.1 431 /);
  }
  const [holding, other, refused] = await openClients(t, server.inference, 3);
  const large = rawPost('/predictions/digits', ' '.repeat(60_000));
  holding?.socket.write(large.slice(0, -1000), 'latin1');
  while ((await metric(server, 'inference_http_buffered_bytes')) < 59_000);
  t.match(await other?.ask(large), /^HTTP\/1\.1 400 /, 'the other thread has memory of its own');
  t.match(
    await refused?.ask(large),
    /^HTTP\/1\.1 503 [\s\S]*maxBufferedBytes/,
    'each has its part',
  );
});

t.test('log lines of all threads come whole, with the number of the thread', async t => {
  const model = fixture('spin_batch.onnx');
  const server = await startServer({ models: [model], args: threadArgs(3) });
  t.teardown(server.stop);
  const none = { inputs: [{ name: 'x', datatype: 'FP32', shape: [0, 64], data: [] }] };
  for (const { ask } of await openClients(t, server.inference, 3)) {
    t.match(
      await ask(rawPost('/predictions/spin_batch', JSON.stringify(none))),
      /^HTTP\/1\.1 500 /,
    );
  }
  t.equal(await server.stop(), 0);
  const failed = server.log.filter(({ event }) => event === 'request_failed');
  t.same(
    failed.map(({ thread }) => thread),
    [undefined, 1, 2],
  );
  t.match(failed[2], { level: 'error', err: { code: 'INFER_ENGINE_FAILED' } });
  t.same(
    server.log.filter(line => 'text' in line),
    [],
  );
});

t.test('work beyond the drain limit is cut and named on every thread', async t => {
  const args = ['--drain-timeout-ms', '100', ...threadArgs(2)];
  const server = await startServer({ models: [fixture('spin.onnx')], args });
  t.teardown(server.stop);
  for (const { socket } of await openClients(t, server.inference, 2)) {
    socket.write(rawPost('/predictions/spin', spinBody(60_000_000)));
  }
  while ((await metric(server, 'inference_requests_total{model="spin",version="1"}')) < 2);
  server.kill('SIGTERM');
  t.equal(await server.exited, 1);
  const cut = server.log.find(({ event }) => event === 'drain_cut');
  const path = '/predictions/spin';
  t.match(cut?.['requests'], [
    { path, id: String },
    { path, id: String },
  ]);
});

t.test('a second signal ends all threads at once', async t => {
  const server = await startServer({ models: [fixture('spin.onnx')], args: threadArgs(3) });
  t.teardown(server.stop);
  for (const { socket } of await openClients(t, server.inference, 3)) {
    socket.write(rawPost('/predictions/spin', spinBody(60_000_000)));
  }
  while ((await metric(server, 'inference_requests_total{model="spin",version="1"}')) < 3);
  server.kill('SIGTERM');
  await until(() => server.log.some(({ event }) => event === 'drain_started'));
  server.kill('SIGINT');
  t.equal(await server.exited, 130);
});

/** Node flags that run this in every thread but the main one when the process gets SIGUSR2. */
function onSignal(code: string): string[] {
  const module = `
    import { writeSync } from 'node:fs';
    import { BroadcastChannel, isMainThread } from 'node:worker_threads';
    const channel = new BroadcastChannel('signal');
    if (isMainThread) process.on('SIGUSR2', () => channel.postMessage(''));
    else channel.onmessage = () => { ${code} };
    channel.unref();`;
  return ['--import', `data:text/javascript,${encodeURIComponent(module)}`];
}

t.test('the end of a thread ends the server, which answers what the others accepted', async t => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const asked = once(silent, 'connection');
  const { port } = silent.address() as AddressInfo;
  const server = await startServer({
    models: [fixture('spin.onnx')],
    args: [...threadArgs(2), '--allowed-urls', 'http://127.*'],
    nodeArgs: onSignal('process.exit(7)'),
  });
  t.teardown(server.stop);
  const [client] = await openClients(t, server.inference, 2);
  const url = encodeURIComponent(`http://127.0.0.1:${port}/a.mar`);
  const fetching = call(`${server.management}/models?url=${url}`, { method: 'POST' });
  const [socket] = await asked;
  t.teardown(() => silent.close(socket.destroy()));
  const reply = client?.ask(rawPost('/predictions/spin', spinBody(300_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) === 0);
  server.kill('SIGUSR2');
  t.match(await reply, /^HTTP\/1\.1 200 /);
  t.match((await fetching).text, /the server ends, and fetches no models any more/);
  t.equal(await server.exited, 1);
  t.notOk(server.log.some(({ event }) => event === 'drain_failed'));
  const lost = server.log.find(({ event }) => event === 'thread_lost');
  t.match(lost, { level: 'fatal', thread: 1, exitCode: 7 });
});

t.test('a thread that is stuck does not keep the server from ending', async t => {
  const server = await startServer({
    models: [iris],
    args: ['--drain-timeout-ms', '100', ...threadArgs(2)],
    nodeArgs: onSignal("writeSync(2, 'stuck\\n'); for (;;);"),
  });
  t.teardown(server.stop);
  server.kill('SIGUSR2');
  await until(() => server.log.some(({ text }) => text === 'stuck'));
  server.kill('SIGTERM');
  t.equal(await server.exited, 1);
  const failed = server.log.find(({ event }) => event === 'drain_failed');
  t.match(failed, { level: 'error', message: /^HTTP thread 1: did not answer within 100 ms/ });
});

t.test('a thread that cannot start ends the start with its reason', async t => {
  const module = `
    import { isMainThread } from 'node:worker_threads';
    if (!isMainThread) process.exit(3);`;
  const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(module)}`];
  const start = startServer({ models: [iris], args: threadArgs(2), nodeArgs });
  await t.rejects(start, /ended with 1: .*start_failed.*HTTP thread 1: ended with 3/);
});
