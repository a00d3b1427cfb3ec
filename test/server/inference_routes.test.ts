// SPDX-License-Identifier: Apache-2.0
// Every way to ask for a prediction: routes, methods, names of models, fields of forms and queries.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { fixture, textOf } from '../helpers.js';
import { classes, failed, notAllowed, notFound, type Row, testRows } from './conformance.js';
import { call, digits, type FormBody, formOf, iris, startServer } from './helpers.js';

const server = await startServer({ models: [iris], args: ['--model-store', '/'] });
const legacy = await startServer({ models: [`NAME=${digits}`], args: ['--profile', 'mms-0.x'] });
const folder = await mkdtemp(join(tmpdir(), 'kitten-'));
t.teardown(async () => {
  await Promise.all([server.stop(), legacy.stop()]);
  await rm(folder, { recursive: true });
});

const rows = '[[5.1,3.5,1.4,0.2]]';
const [reference] = JSON.parse(textOf('test', 'fixtures', 'iris_heldout.json')).probabilities;
const probabilities = [Array(reference.length).fill(Number)];
const json = 'application/json';
const pairs = 'application/x-www-form-urlencoded';
const encodedRows = encodeURIComponent(rows);
const added = { two_inputs: fixture('two_inputs.onnx'), NAME: digits };
const ok = { status: 200, says: probabilities } as const;

function form(values: Readonly<Record<string, string>>): FormBody {
  const boundary = 'of-this-form';
  const parts = Object.entries(values).map(
    ([name, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return { boundary, bytes: Buffer.from(`${parts.join('')}--${boundary}--\r\n`) };
}

const noName = failed(400, 'BadRequestException', 'Parameter model_name is required.');

const models: readonly Row[] = Object.entries(added).map(([name, path]) => ({
  row: `register ${name}`,
  on: 'management',
  method: 'POST',
  path: `/models?model_url=${encodeURIComponent(path)}&model_name=${name}&initial_workers=1`,
  status: 200,
}));

const routes: readonly Row[] = [
  ...[
    '/predictions/iris',
    '/predictions/iris/1',
    '/predictions/iris/1/a/b',
    '/invocations',
    '/invocations?model_name=iris',
    '/invocations?model_name=iris&model_name=none',
    '/invocations?model_name=&x=1',
    '/models/iris/invoke',
    '/iris/predict',
  ].map((path): Row => ({ row: 'predict', path, type: json, body: rows, ...ok })),
  ...['GET', 'PUT', 'DELETE', 'PATCH', 'BREW'].map(
    (method): Row => ({
      row: 'any method',
      method,
      path: '/predictions/iris/',
      type: json,
      body: rows,
      ...ok,
    }),
  ),
  ...['POST', 'PUT', 'OPTIONS', 'BREW'].map(
    (method): Row => ({
      row: 'health by any method',
      method,
      path: '/ping/a/b',
      status: 200,
      says: { status: 'Healthy' },
    }),
  ),
  ...[
    '/predictions/iris',
    '/invocations',
    '/invocations?model_name=iris',
    '/models/iris/invoke',
    '/iris/predict',
  ].map(
    (path): Row => ({
      row: 'describe a model',
      method: 'OPTIONS',
      path,
      status: 200,
      says: { info: { title: 'RESTful API for: iris' } },
    }),
  ),
  ...[
    '/predictions/none',
    '/invocations?model_name=none',
    '/invocations?model_name=none&model_name=iris',
    '/models/none/invoke',
    '/none/predict',
  ].flatMap(path =>
    ['OPTIONS', 'POST'].map(
      (method): Row => ({
        row: 'an unknown model',
        method,
        path,
        status: 404,
        says: failed(404, 'ModelNotFoundException', 'Model not found: none'),
      }),
    ),
  ),
  ...[
    '/iris/invoke',
    '/iris/1/predict',
    '/models/iris/predict',
    '/models/iris/predictions',
    '/models/iris',
    '/predictions',
    '/models/iris/invoke/more',
    '//iris/predict',
    '/predictions//iris',
  ].map(
    (path): Row => ({ row: 'no route', path, type: json, body: rows, status: 404, says: notFound }),
  ),
  ...['GET', 'POST', 'DELETE'].map(
    (method): Row => ({ row: 'only OPTIONS', method, path: '/', status: 405, says: notAllowed }),
  ),
  { row: 'nothing below', path: '/api-description/x', status: 405, says: notAllowed },
];

const fields: readonly Row[] = [
  ...['features', 'body', 'data'].map(
    (name): Row => ({
      row: 'a pair',
      path: '/predictions/iris',
      type: pairs,
      body: `${name}=${encodedRows}`,
      ...ok,
    }),
  ),
  {
    row: 'the last of several',
    path: '/predictions/iris',
    type: pairs,
    body: `data=x&data=${rows}`,
    ...ok,
  },
  {
    row: 'the name of the input first, then body',
    path: '/predictions/iris',
    body: form({ data: 'x', body: 'x', features: rows }),
    ...ok,
  },
  {
    row: 'body before data',
    path: '/predictions/iris',
    body: form({ data: 'x', body: rows }),
    ...ok,
  },
  {
    row: 'JSON that curl calls a form',
    path: '/predictions/iris',
    type: pairs,
    body: '{"instances": [[5.1, 3.5, 1.4, 0.2]]}',
    status: 200,
    says: { predictions: probabilities },
  },
  {
    row: 'broken JSON that curl calls a form',
    path: '/predictions/iris',
    type: pairs,
    body: '{"instances": ',
    status: 400,
    says: failed(400, 'BadRequestException', /JSON/),
  },
  {
    row: 'broken JSON',
    path: '/predictions/iris',
    type: json,
    body: '[[1,2',
    status: 400,
    says: failed(400, 'BadRequestException', /JSON/),
  },
  {
    row: 'no field for the model',
    path: '/predictions/iris',
    type: pairs,
    body: 'a=1&b',
    status: 400,
    says: {
      message:
        'body: expected a field named one of "features", "body", "data", got the fields "a", "b"',
    },
  },
  {
    row: 'too many fields',
    path: '/predictions/iris',
    type: pairs,
    body: 'a&'.repeat(200),
    status: 400,
    says: { message: 'body: expected at most 100 fields, got more' },
  },
  { row: 'a query as input', path: `/iris/predict?data=${encodedRows}`, ...ok },
  {
    row: 'a query as input',
    path: `/models/iris/invoke?features=${encodedRows}`,
    type: json,
    body: 'x',
    ...ok,
  },
  { row: 'a query as input', path: `/invocations?model_name=iris&data=${encodedRows}`, ...ok },
  {
    row: 'a query that is no input',
    path: '/predictions/iris?features=x',
    type: json,
    body: rows,
    ...ok,
  },
  {
    row: 'a query beside the body',
    path: '/models/iris/invoke?other=x',
    type: json,
    body: rows,
    ...ok,
  },
  {
    row: 'fields over the query',
    path: '/models/iris/invoke?data=x',
    body: form({ data: rows }),
    ...ok,
  },
  {
    row: 'the name in the form',
    path: '/invocations',
    type: pairs,
    body: `model_name=two_inputs&a=[[0.5,1]]&b=[[1,2,3]]`,
    status: 200,
    says: { model_name: 'two_inputs' },
  },
  {
    row: 'the name in the query first',
    path: '/invocations?model_name=iris',
    body: form({ model_name: 'none', data: rows }),
    ...ok,
  },
  {
    row: 'more JSON in fields than is read for its shape',
    path: '/predictions/two_inputs',
    type: pairs,
    body: `a=[[0.5,1]]&b=[[1,2,3${' '.repeat(2 ** 20)}]]`,
    status: 400,
    says: { message: /^body: expected at most 1048576 bytes of JSON in fields/ },
  },
  {
    row: 'a field for each input',
    path: '/predictions/two_inputs',
    body: form({ b: '[[1,2,3]]', a: '[[0.5,1]]' }),
    status: 200,
    says: {
      outputs: [
        { name: 'sum', shape: [1, 1], data: [7.5] },
        { name: 'scaled', shape: [1, 2], data: [1, 2] },
      ],
    },
  },
  {
    row: 'a field for each input, one of them broken',
    path: '/predictions/two_inputs',
    body: form({ a: '[[0.5,1]]', b: '[[1,2' }),
    status: 400,
    says: { message: /^field "b": expected JSON, got / },
  },
  {
    row: 'a field deeper than any tensor',
    path: '/predictions/two_inputs',
    body: form({ a: `${'['.repeat(50_000)}${']'.repeat(50_000)}`, b: '[[1,2,3]]' }),
    status: 400,
  },
  {
    row: 'all inputs in one field',
    path: '/predictions/two_inputs',
    body: form({ data: '{"instances":[{"a":[0.5,1],"b":[1,2,3]}]}' }),
    status: 200,
    says: { predictions: [{ sum: [7.5], scaled: [1, 2] }] },
  },
];

const unnamed: readonly Row[] = [
  { row: 'remove', on: 'management', method: 'DELETE', path: '/models/iris', status: 200 },
  ...(['OPTIONS', 'POST'] as const).map(
    (method): Row => ({
      row: 'no model of the start is left',
      method,
      path: '/invocations',
      status: 400,
      says: noName,
    }),
  ),
  {
    row: 'an empty name',
    path: '/invocations?model_name=',
    type: json,
    body: rows,
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Model not found: '),
  },
];

testRows(t, server, models);
testRows(t, server, routes);
testRows(t, server, fields);

t.test('a compressed form is refused before it is read', async t => {
  const headers = { 'content-type': pairs, 'content-encoding': 'gzip' };
  const { status } = await call(`${server.inference}/invocations`, { headers, body: 'data=1' });
  t.equal(status, 415);
});

t.test('HEAD of a prediction has no body', async t => {
  const url = `${server.inference}/iris/predict?data=${encodedRows}`;
  const { status, text } = await call(url, { method: 'HEAD' });
  t.same([status, text], [200, '']);
});

const kitten = await sharp({
  create: {
    width: 300,
    height: 200,
    channels: 3,
    background: '#765',
    noise: { type: 'gaussian', mean: 120, sigma: 30 },
  },
})
  .jpeg()
  .toBuffer();
await writeFile(join(folder, 'kitten.jpg'), kitten);

/** As Multi Model Server's own documentation has them; with the answers of 0.x in the second. */
const commands = [
  {
    command: 'curl -X POST http://127.0.0.1:8080/predictions/NAME -F "data=@kitten.jpg"',
    base: server.inference,
    says: classes,
  },
  {
    command: 'curl -X POST http://127.0.0.1/NAME/predict -F "data=@kitten.jpg"',
    base: legacy.inference,
    says: { prediction: [classes] },
  },
  {
    command: 'curl http://127.0.0.1:8080/ping',
    base: server.inference,
    says: { status: 'Healthy' },
  },
  {
    command: 'curl http://127.0.0.1:8080/ping',
    base: legacy.inference,
    says: { health: 'healthy!' },
  },
] as const;

/** @source  POSIX, Shell Command Language 2.8.2. */
const notFoundByShell = 127;

/** Where there is no curl, the same bytes are sent without it. */
async function runCommand(command: string): Promise<string> {
  const settings = { cwd: folder, shell: true, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(command, settings);
  if (status === 0) return stdout;
  if (status !== notFoundByShell) throw new Error(`${command}: status ${status}: ${stderr}`);
  const [url = ''] = /http:\S+/.exec(command) ?? [];
  const options = command.includes('-F') ? { body: formOf('data', kitten, 'image/jpeg') } : {};
  return (await call(url, options)).text;
}

for (const { command, base, says } of commands) {
  t.test(command, async t => {
    const text = await runCommand(command.replace(/http:\/\/127\.0\.0\.1(:\d+)?/, base));
    t.match(JSON.parse(text), says);
  });
}

t.test('0.x has health at the top, and its other routes answer as those of 1.x', async t => {
  const top = await call(`${legacy.inference}/`);
  t.same(JSON.parse(top.text), { health: 'healthy!' });
  const body = formOf('data', kitten, 'image/jpeg');
  const reply = await call(`${legacy.inference}/predictions/NAME`, { body });
  t.match(JSON.parse(reply.text), classes);
  const refused = await call(`${legacy.inference}/NAME/predict`, { body: formOf('x', kitten) });
  t.match(JSON.parse(refused.text), { code: 400, message: /field named/ });
});

testRows(t, server, unnamed);
