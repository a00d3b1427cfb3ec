// SPDX-License-Identifier: Apache-2.0
// mms.conf of Multi Model Server 0.x: models, where to listen, and what has no effect.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { explainMms, readCommandLine } from '../../server/mms/command_line.js';

const folder = mkdtempSync(join(tmpdir(), 'mms-conf-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let made = 0;

function confOf(text: string): string {
  const path = join(folder, `${made++}.conf`);
  writeFileSync(path, text);
  return path;
}

function explain(args: readonly string[]) {
  return explainMms(readCommandLine(args), {});
}

const conf = `# comment
$ comment
[MMS Arguments]
--models
resnet=a.model squeezenet=b.model

--service
optional

--gen-api
[gunicorn arguments]
--workers
4
[Nginx Configurations]
server {
    listen       8080; # for clients
    location / { proxy_pass http://unix:/tmp/mms_app.sock; }
}
[MXNet Environment Variables]
OMP_NUM_THREADS=1
`;

t.test('mms.conf of 0.x gives models and port, and the rest is named', async t => {
  const path = confOf(conf);
  const { config, sources, notes } = explain(['start', '--mms-config', path]);
  t.match(config, { host: '0.0.0.0', port: 8080, modelStore: '' });
  t.same(config.models, ['resnet=a.model', 'squeezenet=b.model']);
  t.equal(sources.models, `${path}:4: load_models`);
  t.match(notes, [
    { kind: 'ignored', key: '--workers', source: `${path}:12` },
    { kind: 'ignored', key: 'location', source: `${path}:17`, reason: 'there is no nginx here' },
    { kind: 'ignored', key: 'proxy_pass', source: `${path}:17` },
    { kind: 'ignored', key: 'OMP_NUM_THREADS', source: `${path}:20` },
  ]);
  const unknown = confOf('[MMS Arguments]\n[Apache]\n');
  const message = `${unknown}:2: expected a section of mms, gunicorn, nginx, mxnet, got "Apache"`;
  t.throws(() => explain(['--mms-config', unknown]), { message });
});

const listens = [
  { listen: 'listen 8080;', is: { host: '0.0.0.0', port: 8080 } },
  { listen: 'listen *:8080 default_server reuseport;', is: { host: '0.0.0.0', port: 8080 } },
  { listen: 'server { listen 127.0.0.1:9000; }', is: { host: '127.0.0.1', port: 9000 } },
  { listen: 'listen [::1]:9000;', is: { host: '::1', port: 9000 } },
  { listen: 'listen localhost;', is: { host: 'localhost', port: 80 } },
  { listen: 'listen 10.0.0.1;', is: { host: '10.0.0.1', port: 80 } },
  { listen: '# listen 1; \n  # server { listen 2; }', is: { host: '127.0.0.1', port: 8080 } },
  { listen: 'listen 443 ssl;', is: { host: 'https://0.0.0.0', port: 443 } },
  {
    listen: 'ssl_certificate /c.pem;\nssl_certificate_key /k.pem;',
    is: { tlsCertificateFile: '/c.pem', tlsPrivateKeyFile: '/k.pem' },
  },
  { listen: 'listen 443;\nssl on;', is: { host: 'https://0.0.0.0', port: 443 } },
  { listen: 'listen 443;\nssl off;', is: { host: '0.0.0.0', port: 443 } },
  {
    listen: 'listen 80;\nlisten 443 ssl;\nlisten unix:/tmp/s;',
    is: { host: 'https://0.0.0.0', port: 443 },
    dropped: [3, 5],
  },
  { listen: 'listen unix:/tmp/s;', is: { host: 'unix:/tmp/s' } },
  { listen: 'listen a:b:c;', says: /:3: inference_address: expected http:\/\/host:port/ },
] as const;

for (const { listen, ...then } of listens) {
  t.test(`nginx's "${listen}" says where to listen`, async t => {
    const path = confOf(`[MMS Arguments]\n[Nginx]\n${listen}\n`);
    const read = () => explain(['--mms-config', path]);
    if ('says' in then) {
      t.throws(read, { code: 'INFER_BAD_INPUT', message: then.says });
      return;
    }
    const { config, notes } = read();
    t.match(config, then.is);
    const dropped = 'dropped' in then ? then.dropped : [];
    t.match(
      notes,
      dropped.map(line => ({ kind: 'unsupported', source: `${path}:${line}` })),
    );
    t.equal(notes.length, dropped.length);
  });
}
