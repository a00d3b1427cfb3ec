// SPDX-License-Identifier: Apache-2.0
// Traffic of one model shared out among its versions: over real sockets, changed while requests come.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { bodyOf, openClient, rawPost } from './connections.js';
import { call, iris, metric, startServer } from './helpers.js';

const rows = '[[5.1,3.5,1.4,0.2]]';

const server = await startServer({
  models: [iris],
  args: ['--http-threads', '2', '--model-store', '/'],
});
t.teardown(server.stop);
const copy = await mkdtemp(join(tmpdir(), 'variants-')); // the same files twice would be one loaded model with one count
t.teardown(() => rm(copy, { recursive: true }));
await cp(iris, copy, { recursive: true });
for (const [path, version] of [
  [iris, '1'],
  [copy, '2'],
] as const) {
  const url = `${server.management}/models?url=${encodeURIComponent(path)}&model_name=m&initial_workers=1&model_version=${version}`;
  await call(url, { method: 'POST' }); // what fails here fails every test below
}

function predict(headers: Record<string, string> = {}, name = 'm') {
  const all = { 'content-type': 'application/json', ...headers };
  return call(`${server.inference}/predictions/${name}`, { headers: all, body: rows });
}

async function share(value: unknown, method = 'PUT') {
  const headers = { 'content-type': 'application/json' };
  const body = value === undefined ? '' : JSON.stringify(value);
  const { status, text } = await call(`${server.management}/models/m/traffic`, {
    method,
    headers,
    body,
  });
  return { status, value: JSON.parse(text) };
}

function variants(a: number, b: number) {
  return [
    { name: 'A', version: '1', weight: a },
    { name: 'B', version: '2', weight: b },
  ];
}

const told = 'x-amzn-invoked-production-variant';

t.test('without shares the answer names no variant', async t => {
  t.equal((await predict()).headers[told], undefined);
  t.same((await share(undefined, 'GET')).value, { variants: [] });
});

t.test('a name in the header decides, also for a variant without a weight', async t => {
  t.same(await share({ variants: variants(0, 1) }), {
    status: 200,
    value: { variants: variants(0, 1) },
  });
  const before = await metric(server, 'inference_completed_total{model="m",version="1"}');
  for (const name of ['A', 'B']) {
    const reply = await predict({ 'X-Amzn-SageMaker-Target-Variant': name });
    t.match([reply.status, reply.headers[told]], [200, name]);
  }
  t.equal(await metric(server, 'inference_completed_total{model="m",version="1"}'), before + 1);
  const unknown = await predict({ 'X-Amzn-SageMaker-Target-Variant': 'C' });
  t.match(
    [unknown.status, unknown.text],
    [400, /target-variant: expected one of \\"A\\", \\"B\\", got \\"C\\"/i],
  );
  for (let request = 0; request < 20; request++) t.equal((await predict()).headers[told], 'B');
  t.equal(
    (await predict({}, 'm/1')).headers[told],
    undefined,
    'a version in the path is its own answer',
  );
});

t.test('a key stays with its variant', async t => {
  await share({ variants: variants(1, 1), stickyHeader: 'X-User' });
  const seen = new Set<unknown>();
  for (let user = 0; user < 20; user++) {
    const first = (await predict({ 'x-user': `${user}` })).headers[told];
    seen.add(first);
    for (let again = 0; again < 3; again++) {
      t.equal((await predict({ 'x-user': `${user}` })).headers[told], first);
    }
  }
  t.equal(seen.size, 2);
});

t.test('shares change under load without an error, and the metrics count them', async t => {
  const countOf = (name: string) =>
    metric(server, `inference_variant_requests_total{model="m",variant="${name}"}`);
  const clients = await Promise.all(Array.from({ length: 8 }, () => openClient(server.inference)));
  t.teardown(() => clients.map(({ socket }) => socket.destroy()));
  let done = false;
  const wrong: string[] = [];
  const load = clients.map(async ({ ask }) => {
    while (!done) {
      const reply = await ask(rawPost('/predictions/m', rows));
      if (!/^HTTP\/1\.1 200 [\s\S]*Production-Variant: [AB]\r/.test(reply ?? ''))
        wrong.push(bodyOf(reply));
    }
  });
  for (const [a, b] of [
    [0, 1],
    [1, 0],
    [0, 1],
  ] as const) {
    t.equal((await share({ variants: variants(a, b) })).status, 200);
    const [idle, busy] = a === 0 ? ['A', 'B'] : ['B', 'A'];
    const [still, from] = [await countOf(idle), await countOf(busy)];
    while ((await countOf(busy)) < from + 100);
    t.equal(await countOf(idle), still, 'from the answer on every request goes by the new shares');
  }
  done = true;
  await Promise.all(load);
  t.same(wrong.slice(0, 3), []);
});

t.test('an answer that is an error names the variant that it comes from', async t => {
  await share({ variants: variants(1, 0) });
  const headers = { 'content-type': 'application/json' };
  const url = `${server.inference}/predictions/m`;
  for (const [type, body, status] of [
    [headers, '[[1]]', 400],
    [headers, '{', 400],
    [{ 'content-type': 'text/plain' }, 'x', 415],
  ] as const) {
    const reply = await call(url, { headers: type, body });
    t.match([reply.status, reply.headers[told]], [status, 'A'], body);
  }
  const scale = (workers: number) =>
    call(`${server.management}/models/m/1?min_worker=${workers}&synchronous=true`, {
      method: 'PUT',
    });
  t.equal((await scale(0)).status, 200);
  const idle = await predict();
  t.match([idle.status, idle.headers[told]], [503, 'A']);
  t.equal((await scale(1)).status, 200);
  t.match((await predict()).headers[told], 'A');
});

t.test('a version with a share cannot be removed until the shares are', async t => {
  const remove = () => call(`${server.management}/models/m/2`, { method: 'DELETE' });
  const refused = await remove();
  t.match([refused.status, refused.text], [409, /variant \\"B\\"/]);
  const counted = async () => (await call(`${server.metrics}/metrics`)).text.match(/,variant="/g);
  t.equal((await counted())?.length, 2);
  await share({ variants: variants(0, 1).slice(1) });
  t.equal((await counted())?.length, 1, 'a variant that goes takes its count along');
  t.same((await share(undefined, 'DELETE')).value, { variants: [] });
  t.equal(await counted(), null);
  t.equal((await remove()).status, 200);
});

const wrong = [
  { says: 'body: ', value: [1] },
  { says: 'variants: expected an array of 1 to 10', value: {} },
  { says: 'variants: expected an array of 1 to 10', value: { variants: [] } },
  { says: 'variants\\[0\\].name', value: { variants: [{ name: '-a', version: '1', weight: 1 }] } },
  {
    says: 'variants\\[0\\].weight',
    value: { variants: [{ name: 'a', version: '1', weight: -1 }] },
  },
  {
    says: 'variants\\[0\\].more',
    value: { variants: [{ name: 'a', version: '1', weight: 1, more: 1 }] },
  },
  { says: 'variants: expected a weight above 0', value: { variants: variants(0, 0) } },
  { says: 'each name once', value: { variants: [...variants(1, 1), ...variants(1, 1)] } },
  { says: 'stickyHeader', value: { variants: variants(1, 1), stickyHeader: 'a b' } },
  { says: 'stickyHeader', value: { variants: variants(1, 1), stickyHeader: 'Host' } },
  { says: 'stickyHeader', value: { variants: variants(1, 1), stickyHeader: 'X-Server-Timing' } },
] as const;

for (const { says, value } of wrong) {
  t.test(`${JSON.stringify(value)} is refused`, async t => {
    t.match(await share(value), { status: 400, value: { message: new RegExp(says) } });
  });
}

t.test('a variant of a version that is not there is refused', async t => {
  const missing = { variants: [{ name: 'A', version: '9', weight: 1 }] };
  t.match(await share(missing), { status: 404, value: { type: 'ModelVersionNotFoundException' } });
});
