// SPDX-License-Identifier: Apache-2.0
// Raw tensors over real sockets: every element type both ways, framing, header lengths, compression.
import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import t from 'tap';
import { readHeaderBytes } from '../../server/protocol/v2/infer.js';
import { fixture } from '../helpers.js';
import { bodyOf, openClient } from './connections.js';
import { call, startServer } from './helpers.js';
import { post, readAnswer, type WireTensor, wireBody } from './v2_wire.js';

interface TypeCase {
  readonly type: string;
  readonly datatype: string;
  /** Two elements as JSON; none for half floats. */
  readonly data?: string;
  readonly raw: string;
}

/** Raw bytes in hexadecimal. @source  IEEE 754 and two's complement, little-endian. */
const types: readonly TypeCase[] = [
  { type: 'float32', datatype: 'FP32', data: '[0.5,-Infinity]', raw: '0000003f000080ff' },
  {
    type: 'float64',
    datatype: 'FP64',
    data: '[0.5,1e+300]',
    raw: '000000000000e03f9c7500883ce4377e',
  },
  { type: 'float16', datatype: 'FP16', raw: '003800fc' },
  { type: 'bfloat16', datatype: 'BF16', raw: '003f80ff' },
  { type: 'int8', datatype: 'INT8', data: '[1,-128]', raw: '0180' },
  { type: 'int16', datatype: 'INT16', data: '[1,-32768]', raw: '01000080' },
  { type: 'int32', datatype: 'INT32', data: '[1,-2147483648]', raw: '0100000000000080' },
  {
    type: 'int64',
    datatype: 'INT64',
    data: '[9007199254740993,-1]',
    raw: '0100000000002000ffffffffffffffff',
  },
  { type: 'uint8', datatype: 'UINT8', data: '[1,255]', raw: '01ff' },
  { type: 'uint16', datatype: 'UINT16', data: '[1,65535]', raw: '0100ffff' },
  { type: 'uint32', datatype: 'UINT32', data: '[1,4294967295]', raw: '01000000ffffffff' },
  {
    type: 'uint64',
    datatype: 'UINT64',
    data: '[1,18446744073709551615]',
    raw: '0100000000000000ffffffffffffffff',
  },
  { type: 'bool', datatype: 'BOOL', data: '[true,false]', raw: '0100' },
  { type: 'string', datatype: 'BYTES', data: '["","a\\u0000"]', raw: '00000000020000006100' },
];
const server = await startServer({
  models: types.map(({ type }) => fixture(`identity_${type}.onnx`)),
  args: ['--max-request-bytes', '1000000'],
});
t.teardown(server.stop);
const pathOf = (type: string) => `/v2/models/identity_${type}/infer`;
const urlOf = (type: string) => server.inference + pathOf(type);

for (const { type, datatype, data, raw: hex } of types) {
  t.test(`${datatype} is the same raw and as JSON, in and out`, async t => {
    const raw = Buffer.from(hex, 'hex');
    const tensor = { name: 'x', datatype, shape: [1, 2] };
    const forms = [
      { name: 'raw', body: wireBody([{ ...tensor, raw }]) },
      ...(data === undefined
        ? []
        : [{ name: 'JSON', body: { body: jsonBody(datatype, data), headers: {} } }]),
    ];
    for (const { name, body } of forms) {
      const parts = { outputs: [{ name: 'y', parameters: { binary_data: true } }] };
      const asRaw = await post(urlOf(type), addMembers(body, parts));
      t.equal(asRaw.status, 200, asRaw.text);
      t.equal(asRaw.headers['content-type'], 'application/octet-stream');
      const answer = readAnswer(asRaw, asRaw.body);
      t.equal(answer.headerBytes % 64, 0, 'aligned');
      t.equal(answer.raw['y']?.toString('hex'), hex, `raw from ${name}`);
      if (data === undefined) continue;
      const asJson = await post(urlOf(type), body);
      t.equal(asJson.headers['inference-header-content-length'], undefined);
      t.match(asJson.text, `"shape":[1,2],"data":${data}}]}`, `JSON from ${name}`);
    }
  });

  t.test(`${datatype} without elements keeps its shape`, async t => {
    const raw = Buffer.alloc(0);
    const parameters = { binary_data_output: true };
    const body = wireBody([{ name: 'x', datatype, shape: [0, 2], raw }], { parameters });
    const reply = await post(urlOf(type), body);
    t.equal(reply.status, 200, reply.text);
    const { json, raw: all } = readAnswer(reply, reply.body);
    t.match(json.outputs, [{ shape: [0, 2], parameters: { binary_data_size: 0 } }]);
    t.equal(all['y']?.length, 0);
  });
}

/** By hand, because JSON.stringify() would change the numbers. */
function jsonBody(datatype: string, data: string): Buffer {
  return Buffer.from(
    `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1,2],"data":${data}}]}`,
  );
}

/** The same request with more members at its end. */
function addMembers(
  { body, headers }: ReturnType<typeof wireBody>,
  members: object,
): ReturnType<typeof wireBody> {
  const length = Number(headers['inference-header-content-length'] ?? body.length);
  const json = `${body.toString('utf8', 0, length - 1)},${JSON.stringify(members).slice(1)}`;
  const more = Buffer.from(json);
  const isRaw = headers['inference-header-content-length'] !== undefined;
  return {
    body: Buffer.concat([more, body.subarray(length)]),
    headers: isRaw ? { 'inference-header-content-length': String(more.length) } : {},
  };
}

const small = wireBody([
  { name: 'x', datatype: 'INT32', shape: [1, 2], raw: Buffer.from('0100000002000000', 'hex') },
]);
const smallAnswer = /"data":\[1,2\]\}\]\}$/;

t.test('a request split at any byte is answered the same, also in chunks', async t => {
  const { ask, socket } = await openClient(server.inference);
  const length = small.headers['inference-header-content-length'];
  const start = `POST ${pathOf('int32')} HTTP/1.1\r\nHost: a\r\nINFERENCE-Header-content-LENGTH: ${length}\r\n`;
  const body = small.body.toString('latin1');
  const head = `${start}Content-Length: ${body.length}\r\n\r\n`;
  const whole = bodyOf(await ask(head + body));
  t.match(whole, smallAnswer);
  socket.setNoDelay(true);
  const different: number[] = [];
  for (let at = 1; at < body.length; at++) {
    await new Promise(resolve => socket.write(head + body.slice(0, at), 'latin1', resolve));
    await new Promise(setImmediate);
    if (bodyOf(await ask(body.slice(at))) !== whole) different.push(at);
  }
  t.strictSame(different, []);
  const chunks = [...body].map(byte => `1\r\n${byte}\r\n`).join('');
  const chunked = await ask(`${start}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  t.equal(bodyOf(chunked), whole, 'in chunks of one byte');
  socket.destroy();
});

t.test('the raw data of the only input need no JSON at all', async t => {
  const raw = Buffer.from('0100000002000000', 'hex');
  const reply = await post(urlOf('int32'), {
    body: raw,
    headers: { 'inference-header-content-length': '0' },
  });
  t.equal(reply.status, 200, reply.text);
  t.equal(readAnswer(reply, reply.body).raw['y']?.toString('hex'), raw.toString('hex'));
});

t.test('large raw tensors and many strings come back', async t => {
  const floats = Buffer.from(new Float32Array(100_000).map((_, index) => index).buffer);
  const parameters = { binary_data_output: true };
  const tensor: WireTensor = { name: 'x', datatype: 'FP32', shape: [50_000, 2], raw: floats };
  const reply = await post(urlOf('float32'), wireBody([tensor], { parameters }));
  t.equal(reply.status, 200, reply.text.slice(0, 300));
  t.ok(readAnswer(reply, reply.body).raw['y']?.equals(floats));
  const text = Buffer.from('\x05\0\0\0ab\0\xff\n', 'latin1');
  const texts = Buffer.concat(new Array(40_000).fill(text));
  const strings: WireTensor = { name: 'x', datatype: 'BYTES', shape: [20_000, 2], raw: texts };
  const other = await post(urlOf('string'), wireBody([strings], { parameters }));
  t.equal(other.status, 200, other.text.slice(0, 300));
  t.ok(readAnswer(other, other.body).raw['y']?.equals(texts));
});

const compressions = [
  { coding: 'gzip', shrink: gzipSync, grow: gunzipSync },
  { coding: 'deflate', shrink: deflateSync, grow: inflateSync },
] as const;

for (const { coding, shrink, grow } of compressions) {
  t.test(`${coding} in and out, where lengths count inflated bytes`, async t => {
    const raw = Buffer.alloc(8000);
    const parameters = { binary_data_output: true, note: '-'.repeat(1000) };
    const tensor = { name: 'x', datatype: 'FP32', shape: [1000, 2], raw };
    const { body, headers } = wireBody([tensor], { parameters });
    const small = shrink(body);
    t.ok(Number(headers['inference-header-content-length']) > small.length, 'beyond the length');
    const sent = { body: small, headers: { ...headers, 'content-encoding': coding } };
    const reply = await post(urlOf('float32'), sent, { 'accept-encoding': coding });
    t.equal(reply.status, 200, reply.text.slice(0, 300));
    t.equal(reply.headers['content-encoding'], coding);
    t.ok(reply.body.length < 1000, `${reply.body.length} bytes`);
    t.ok(readAnswer(reply, grow(reply.body)).raw['y']?.equals(raw));
  });

  t.test(`what ${coding} blows up ends at the limit`, async t => {
    const body = shrink(Buffer.alloc(50_000_000));
    t.ok(body.length < 100_000, `${body.length} bytes`);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        post(urlOf('float32'), { body, headers: { 'content-encoding': coding } }),
      ),
    );
    for (const { status, text } of replies) {
      t.equal(status, 400);
      t.match(JSON.parse(text).error, /^body: expected at most 1000000 bytes once inflated/);
    }
  });
}

t.test('what a client does not ask for in earnest is not compressed', async t => {
  const ask = (accepted: string, rows: number) => {
    const raw = Buffer.alloc(rows * 8);
    const tensor = { name: 'x', datatype: 'FP32', shape: [rows, 2], raw };
    return post(urlOf('float32'), wireBody([tensor]), { 'accept-encoding': accepted });
  };
  for (const [accepted, rows, coding] of [
    ['gzip, deflate', 1, undefined],
    ['gzip, deflate', 1000, 'gzip'],
    ['deflate, gzip;q=0.5, br', 1000, 'deflate'],
    ['identity, gzip;q=0.5', 1000, undefined],
    ['gzip;q=0', 1000, undefined],
    ['br, zstd, *', 1000, undefined],
  ] as const) {
    const { status, headers } = await ask(accepted, rows);
    t.equal(status, 200);
    t.equal(headers['content-encoding'], coding, accepted);
  }
});

/** Numbers that follow each other by chance, the same in every run. @source  mulberry32. */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomLength(chance: () => number): string {
  const pick = Math.floor(chance() * 8);
  const number = Math.floor(chance() * 2 ** 53);
  if (pick < 3) return String(Math.floor(chance() * small.body.length * 2));
  if (pick === 3) return String(-number);
  if (pick === 4) return `${number}${number}`;
  if (pick === 5) return number.toString(36);
  if (pick === 6) return (chance() * 1e3).toExponential();
  return ['9223372036854775808', '0x10', '1,2', '+5', '٣', '1 2', '--1', '1e2'][number % 8] ?? '';
}

t.test('ten thousand lengths of the JSON are either within the body or refused', async t => {
  const chance = chances(7);
  let taken = 0;
  for (let round = 0; round < 10_000; round++) {
    const text = randomLength(chance);
    try {
      const bytes = readHeaderBytes(text, small.body.length) ?? -1;
      if (!(bytes >= 0 && bytes <= small.body.length)) t.fail(text);
      taken++;
    } catch (error) {
      const { message } = error as Error;
      if (!/^(Unable to parse|inference header size should be in range)/.test(message))
        t.fail(text);
    }
  }
  t.ok(taken > 1000 && taken < 9000, `${taken} within the body`);
});

t.test('a few hundred of them over HTTP are answered, and the right one still works', async t => {
  const chance = chances(11);
  const statuses = new Map<number, number>();
  for (let round = 0; round < 300; round++) {
    const length = randomLength(chance);
    if (length === '٣') continue; // no header can hold it
    const headers = { 'inference-header-content-length': length };
    const { status } = await call(urlOf('int32'), { body: small.body, headers });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  const good = await post(urlOf('int32'), small);
  t.match(good.text, smallAnswer);
  const right = Number(small.headers['inference-header-content-length']);
  t.strictSame(
    [...statuses.keys()].filter(status => status !== 200),
    [400],
  );
  t.ok((statuses.get(400) ?? 0) > 250, `of JSON of ${right} bytes`);
});
