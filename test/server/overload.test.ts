// SPDX-License-Identifier: Apache-2.0
// More than can be done: refused at once, with 503 and when to come back.
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { InferenceError } from '../../lib/index.js';
import { createHttp } from '../../server/http.js';
import { errors } from '../../server/protocol/mms/errors.js';
import type { HttpReply, Responder } from '../../server/route.js';
import { fixture, until } from '../helpers.js';
import { openClient, rawPost } from './connections.js';
import { call, digits, iris, metric, openSocket, postJson, startServer } from './helpers.js';

/** A directory with spin.onnx and these settings. */
async function spinWith(name: string, settings: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'inference-native-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await copyFile(fixture('spin.onnx'), join(folder, 'model.onnx'));
  await writeFile(join(folder, 'model.json'), JSON.stringify({ name, ...settings }));
  return folder;
}

const narrow = await spinWith('narrow', { batching: { maxQueue: 1 }, placement: { lanes: 1 } });
const hasty = await spinWith('hasty', { limits: { timeoutMs: 20 } });
const args = [
  '--max-request-bytes',
  '60000',
  '--max-buffered-bytes',
  '100000',
  '--max-waiting-images',
  '1',
];
const server = await startServer({ models: [iris, digits, narrow, hasty], args });
t.teardown(server.stop);

function spin(turns: number) {
  return {
    inputs: [
      { name: 'x', datatype: 'FP32', shape: [1, 64], data: new Array(64).fill(1) },
      { name: 'iterations', datatype: 'INT64', shape: [], data: [turns] },
    ],
  };
}

t.test('a full queue tells the client when to come back', async t => {
  const url = `${server.inference}/predictions/narrow`;
  const replies = await Promise.all(Array.from({ length: 12 }, () => postJson(url, spin(100_000))));
  const refused = replies.filter(({ status }) => status === 503);
  t.ok(refused.length >= 9, `${refused.length} of 12`);
  t.ok(replies.some(({ status }) => status === 200));
  for (const { headers, text } of refused) {
    t.equal(headers['retry-after'], '1');
    t.match(JSON.parse(text), {
      code: 503,
      type: 'ServiceUnavailableException',
      message: /queue is full/,
    });
  }
});

t.test(
  'when to come back is what the queue is expected to take, and up to a quarter more',
  async t => {
    const full = new InferenceError('INFER_QUEUE_FULL', 'full', { retryAfterMs: 8100 });
    const seconds = Array.from({ length: 200 }, () =>
      Number(errors.fromError(full).headers?.['retry-after']),
    );
    t.equal(Math.min(...seconds), 9);
    t.equal(Math.max(...seconds), 11);
  },
);

t.test('a missed deadline is a 504 that says so', async t => {
  const { status, text, headers } = await postJson(
    `${server.inference}/predictions/hasty`,
    spin(10_000_000),
  );
  t.equal(status, 504);
  t.notOk('retry-after' in headers, 'it would take as long again');
  t.match(JSON.parse(text), { code: 504, type: 'GatewayTimeoutException', message: /deadline/ });
  t.notMatch(JSON.stringify(server.log), /terminate flag/, 'which is no news for the log');
});

t.test('bodies of all connections together stay within their memory', async t => {
  const head = 'POST /predictions/iris HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const holding = await openSocket(server.inference);
  holding.write(`${head}Content-Length: 60000\r\n\r\n${' '.repeat(59_000)}`);
  while ((await metric(server, 'inference_http_buffered_bytes')) < 59_000);
  const second = await openSocket(server.inference);
  second.write(`${head}Content-Length: 60000\r\n\r\n${' '.repeat(60_000)}`);
  const [reply] = await once(second, 'data');
  t.match(reply.toString(), /^HTTP\/1\.1 503 [\s\S]*retry-after: 1[\s\S]*maxBufferedBytes/);
  holding.write(`${' '.repeat(980)}[[5.1,3.5,1.4,0.2]] `);
  const [answer] = await once(holding, 'data');
  t.match(answer.toString(), /^HTTP\/1\.1 200 /, 'the first is not disturbed');
  t.equal((await postJson(`${server.inference}/predictions/iris`, '[[1,2,3,4]]')).status, 200);
  t.equal(await metric(server, 'inference_http_buffered_bytes'), 0);
  holding.destroy();
});

t.test('a body that its handler has released leaves its memory to others', async t => {
  let end = (_: HttpReply) => {};
  const http = await createHttp({
    maxRequestBytes: 1000,
    maxBufferedBytes: 1000,
    maxHeaderBytes: 4096,
    errors,
  });
  const respond: Responder = request => {
    t.equal(http.stats().bufferedBytes, 900);
    t.equal(request.body.length, 900);
    request.releaseBody();
    return new Promise(resolve => (end = resolve));
  };
  const port = await http.listen({ scheme: 'http', host: '127.0.0.1', port: 0 }, { respond });
  const { ask, socket } = await openClient(`http://127.0.0.1:${port}`);
  const reply = ask(rawPost('/', ' '.repeat(900)));
  await until(() => http.stats().acceptSeconds.count === 1);
  t.match(http.stats(), { inFlight: 1, bufferedBytes: 0 });
  end({ status: 200, contentType: 'text/plain', body: 'fine' });
  t.match(await reply, /^HTTP\/1\.1 200 /);
  t.match(http.stats(), { inFlight: 0, bufferedBytes: 0 });
  socket.destroy();
  await http.drain(0, 1000);
});

t.test('more images than can wait are refused at once', async t => {
  const plain = { width: 4000, height: 4000, channels: 3, background: 'red' } as const;
  const image = await sharp({ create: plain }).webp({ lossless: true }).toBuffer();
  const url = `${server.inference}/predictions/digits`;
  const headers = { 'content-type': 'image/webp' };
  const replies = await Promise.all(
    Array.from({ length: 12 }, () => call(url, { body: image, headers })),
  );
  const refused = replies.filter(({ status }) => status === 503);
  t.ok(refused.length >= 6, `${refused.length} of 12`);
  for (const { headers: said, text } of refused) {
    t.equal(said['retry-after'], '1');
    t.match(JSON.parse(text).message, /queue is full, 1 images or archives wait/);
  }
  t.equal(await metric(server, 'inference_images_refused_total'), refused.length);
  t.equal(await metric(server, 'inference_images_waiting'), 0);
  t.equal((await call(url, { body: image, headers })).status, 200);
});
