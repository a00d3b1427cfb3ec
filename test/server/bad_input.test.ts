// SPDX-License-Identifier: Apache-2.0
// Every bad request gets an answer that explains it, the next good one succeeds, and memory returns.
import t from 'tap';
import { fixture } from '../helpers.js';
import { arrays, texts, v2Bodies } from './bad_bodies.js';
import { envelopes } from './bad_envelopes.js';
import { media } from './bad_media.js';
import { call, digits, iris, metric, postJson, startServer } from './helpers.js';

const fixtures = [
  'two_inputs',
  'free_axes',
  'gather',
  'all_outputs_fixed',
  'wide_output',
  'identity_uint8',
  'identity_int64',
  'identity_float16',
  'identity_bool',
  'identity_string',
];
const models = [iris, digits, ...fixtures.map(name => fixture(`${name}.onnx`))];
const server = await startServer({
  models,
  args: ['--max-response-bytes', '3000000'],
  nodeArgs: ['--expose-gc', '--import', collectOnSignal()],
});
t.teardown(server.stop);
const bad = [...texts, ...arrays, ...v2Bodies, ...envelopes, ...media];
const residentBytes = 'inference_process_resident_memory_bytes';

/** Lets this test ask the server's process to collect garbage, which an idle process puts off. */
function collectOnSignal(): string {
  return `data:text/javascript,${encodeURIComponent("process.on('SIGUSR2', () => gc())")}`;
}

function send({ path, method = 'POST', type, headers, body = '' }: (typeof bad)[number]) {
  const contentType = type === undefined ? {} : { 'content-type': type };
  return call(server.inference + path, { method, headers: { ...contentType, ...headers }, body });
}

async function sendAll() {
  for (const request of bad) await send(request);
}

async function memoryAfterCollection(): Promise<number> {
  server.kill('SIGUSR2');
  return metric(server, residentBytes);
}

t.test('the table is long enough', async t => {
  t.ok(bad.length >= 40, `${bad.length} rows`);
});

for (const request of bad) {
  t.test(`${request.name.slice(0, 90)} is refused`, async t => {
    const { status, text, headers } = await send(request);
    const expected = request.status ?? 400;
    t.equal(status, expected, text);
    const { code, type, message } = JSON.parse(text);
    t.equal(code, expected);
    t.match(type, /^[A-Z]\w+Exception$/);
    t.match(message, request.says);
    t.equal(headers['content-type'], 'application/json');
    t.match(headers['x-request-id'], /^[0-9a-f-]{36}$/);
    const next = await postJson(`${server.inference}/predictions/iris`, [[5.1, 3.5, 1.4, 0.2]]);
    t.equal(next.status, 200, 'the next good request succeeds');
  });
}

t.test('memory returns after all of them, many times', async t => {
  await sendAll(); // what is only allocated once is there now
  const before = await memoryAfterCollection();
  for (let round = 0; round < 5; round++) await sendAll();
  const limit = before + 32 * 2 ** 20;
  let after = await memoryAfterCollection();
  for (let attempt = 0; after > limit && attempt < 50; attempt++)
    after = await memoryAfterCollection();
  t.ok(after <= limit, `${before} bytes before, ${after} after`);
  t.equal(await metric(server, 'inference_http_buffered_bytes'), 0);
});
