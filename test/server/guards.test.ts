// SPDX-License-Identifier: Apache-2.0
// What guards a listener, piece by piece: what is refused before a body comes, sockets of the file system, notes at start.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { addressesOf, isLoopback, nameOf } from '../../server/address.js';
import { createResponder } from '../../server/app.js';
import { explainText } from '../../server/explain.js';
import { createHttp } from '../../server/http.js';
import type { Log } from '../../server/log.js';
import { defaultErrors } from '../../server/protocol/index.js';
import { textReply } from '../../server/reply.js';
import type { HttpRequest, Protocol, ServerContext } from '../../server/route.js';
import { prepareSecurity } from '../../server/security.js';
import { explainConfig, readConfig } from '../../server/settings.js';
import { exchange, runCommand } from './helpers.js';
import { ask, fileOf, folder, keystore } from './tls_files.js';

const limits = { maxRequestBytes: 2 ** 20, maxBufferedBytes: 2 ** 21, maxHeaderBytes: 4096 };
const tokenFile = fileOf('the-secret');

const whole = [
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  'HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
];
const tooLarge = [
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n`,
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(60)}`,
];

/** Lets nobody in. */
async function startClosed(t: Test, maxRequestBytes: number) {
  const http = await createHttp({ ...limits, maxRequestBytes, errors: defaultErrors });
  const admit = t.captureFn(() => defaultErrors.fromStatus(401, ''));
  const respond = Object.assign(() => textReply('text/plain', 'fine'), { admit });
  const port = await http.listen({ scheme: 'http', host: '127.0.0.1', port: 0 }, { respond });
  t.teardown(() => http.drain(0, 1000));
  return { url: `http://127.0.0.1:${port}`, admit, http };
}

t.test('who is not let in gets to know it, also while the body is sent', async t => {
  const { url } = await startClosed(t, 8 * 2 ** 20);
  const sent = request(url, { method: 'POST' });
  sent.end(Buffer.alloc(4 * 2 ** 20));
  const [response] = await once(sent, 'response');
  response.resume();
  t.equal(response.statusCode, 401);
});

t.test('a body that is not let in is not kept, and nothing behind it is a request', async t => {
  const { url, admit, http } = await startClosed(t, 100);
  for (const bytes of [...whole, ...tooLarge]) {
    const text = await exchange(url, bytes);
    t.match(text, /^HTTP\/1\.1 401 [\s\S]*connection: close/i, bytes.slice(0, 90));
  }
  const before = admit.args().length;
  for (const bytes of whole) {
    await exchange(url, `${bytes}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
  }
  t.equal(admit.args().length, before + whole.length);
  t.equal(http.stats().bufferedBytes, 0);
});

const hosts = [
  ...['127.0.0.1', '127.9.9.9', '127.1', 'LOCALHOST', '[::1]', '[0:0:0:0:0:0:0:1]'].map(host => ({
    host,
    is: true,
  })),
  { host: '[::ffff:127.0.0.1]', is: true },
  ...['127.example.com', '0.0.0.0', '::', '::2', 'fe80::1%lo', 'unix:/127.0.0.1'].map(host => ({
    host,
    is: false,
  })),
];

t.test('loopback addresses are known, however they are written', async t => {
  for (const { host, is } of hosts) {
    const [first] = addressesOf(readConfig(['--host', host], {}));
    t.equal(first !== undefined && isLoopback(first), is, host);
  }
});

/** One route of the management API, as a page of another site would reach it on this machine. */
function responderFor(args: readonly string[]) {
  const handle = () => textReply('text/plain', 'fine');
  const routes = () =>
    [{ listener: 'management', method: 'GET', path: '/models', handle }] as const;
  const protocol: Protocol = { name: 'one', errors: defaultErrors, routes };
  const context = { config: readConfig(args, {}) } as unknown as ServerContext;
  const options = { protocols: [protocol], errors: defaultErrors, context };
  return createResponder(options, { listeners: ['management'], isLoopback: true });
}

const site = 'https://page.example';
const fromSites = [
  { name: 'by default it is refused', args: [], origin: site, status: 403 },
  {
    name: 'the site of CORS may',
    args: ['--cors-allowed-origin', site],
    origin: site,
    status: 200,
  },
  { name: 'another may not', args: ['--cors-allowed-origin', site], origin: 'null', status: 403 },
  {
    name: 'all sites are not named',
    args: ['--cors-allowed-origin', '*'],
    origin: site,
    status: 403,
  },
  { name: 'with a token any may', args: ['--token-files', tokenFile], origin: site, status: 200 },
] as const;

for (const { name, args, origin, status } of fromSites) {
  t.test(`management on this machine, for a page of another site: ${name}`, async t => {
    const request = { method: 'GET', path: '/models', host: '127.0.0.1:1', origin };
    const reply = await responderFor(args)(request as unknown as HttpRequest);
    t.equal(reply.status, status);
  });
}

t.test(
  'who has no token is told before the body what is refused, and what is not there',
  async t => {
    const { admit } = responderFor(['--token-files', tokenFile]);
    const statusOf = (path: string, authorization = '') => {
      const otherHeaders = ['authorization', authorization];
      const request = { method: 'GET', path, host: '', origin: '', otherHeaders };
      return admit?.(request as unknown as HttpRequest)?.status;
    };
    t.equal(statusOf('/models'), 401);
    t.equal(statusOf('/models', 'Bearer the-secret'), undefined);
    t.equal(statusOf('/none'), 404);
  },
);

t.test('without tokens and CORS nothing is asked', async t => {
  t.equal(responderFor([]).admit, undefined);
});

const notes = [
  { args: [], says: [] },
  { args: ['--management-host', '0.0.0.0'], says: [/^management API: .*http:\/\/0\.0\.0\.0:8081/] },
  { args: ['--management-host', '::', '--token-files', tokenFile], says: [] },
  { args: ['--management-host', 'unix:/m.sock'], says: [] },
  { args: ['--token-files', fileOf('x', 0o644)], says: [/^tokenFiles: .*got mode 0644$/] },
  {
    args: ['--tls-keystore', keystore('keytool.p12')],
    says: [/^tlsKeystore: .*https:\/\/, got none: nothing speaks TLS$/],
  },
  { args: ['--host', 'https://127.0.0.1'], says: [/made a certificate that clients cannot check/] },
] as const;

for (const { args, says } of notes) {
  t.test(`${args.join(' ') || 'nothing'}: ${says.length === 0 ? 'no note' : says}`, async t => {
    const lines: { readonly message: string }[] = [];
    const log = { warn: (line: { readonly message: string }) => lines.push(line) };
    const directory = mkdtempSync(join(folder, 'scratch-'));
    const scratch = async () => ({
      directory,
      release: async () => rmSync(directory, { recursive: true }),
    });
    const { release } = await prepareSecurity(readConfig(args, {}), scratch, log as unknown as Log);
    t.equal(lines.length, says.length, JSON.stringify(lines));
    for (const [index, expected] of says.entries()) t.match(lines[index]?.message, expected);
    await release();
  });
}

const addresses = [
  { args: ['--host', 'HTTPS://[::a]', '--port', '1'], first: 'https://[::a]:1', count: 3 },
  { args: ['--host', 'unix:/a', '--management-host', 'unix:/a'], first: 'unix:/a', count: 2 },
  {
    args: ['--host', 'http://::1', '--port', '8082', '--metrics-host', '::1'],
    first: 'http://[::1]:8082',
    count: 2,
  },
  {
    args: ['--host', 'https://127.0.0.1', '--port', '8081'],
    first: 'https://127.0.0.1:8081',
    count: 3,
  },
] as const;

const noHosts = [
  {
    args: ['--host', 'https://h:8443'],
    says: /^host: expected a name or an IP address without a port, /,
  },
  {
    args: ['--management-host', 'https://'],
    says: /^managementHost: expected a name or an IP address/,
  },
  {
    args: ['--metrics-host', 'http://h/x'],
    says: /^metricsHost: expected a name or an IP address/,
  },
  { args: ['--host', 'unix:'], says: /^host: expected a name .*, got "unix:"/ },
  { args: ['--host', `unix:/${'a'.repeat(103)}`], says: /^host: expected unix: and a path of at/ },
] as const;

for (const { args, says } of noHosts) {
  t.test(`${args.join(' ').slice(0, 60)} is refused`, async t => {
    t.throws(() => readConfig(args, {}), { code: 'INFER_BAD_INPUT', message: says });
  });
}

for (const { args, first, count } of addresses) {
  t.test(`${args.join(' ')}: ${count} listeners`, async t => {
    const found = addressesOf(readConfig(args, {}));
    t.equal(found.length, count);
    t.equal(nameOf(found[0] ?? { scheme: 'http', host: '', port: 0 }), first);
  });
}

/** As a process leaves it that is killed. */
function leaveSocket(path: string): void {
  const end = 'process.kill(process.pid, "SIGKILL")';
  const program = `require('node:net').createServer().listen(process.argv[1], () => ${end})`;
  spawnSync(process.execPath, ['-e', program, path]);
}

t.test('a socket is taken over from a process that is gone, and from no other', async t => {
  const path = join(folder, 's.sock');
  const address = { scheme: 'unix', host: path, port: 0 } as const;
  const respond = () => textReply('text/plain', 'fine');
  const http = await createHttp({ ...limits, errors: defaultErrors });
  const other = createServer().listen(path);
  await once(other, 'listening');
  await t.rejects(http.listen(address, { respond }), {
    message: `cannot listen on unix:${path}: expected nothing there, got a socket that is in use`,
  });
  other.close();
  await once(other, 'close');
  writeFileSync(path, 'a file');
  await t.rejects(http.listen(address, { respond }), { message: /got a file of another kind$/ });
  rmSync(path);
  leaveSocket(path);
  t.ok(existsSync(path));
  await http.listen(address, { respond });
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal((await ask(`unix:${path}:/`)).text, 'fine');
  await http.drain(0, 1000);
});

t.test('the start is refused where a guard cannot be had', async t => {
  const required = () => readConfig(['--tokens', 'required', '--token-files', 'metrics=/x'], {});
  t.throws(required, { code: 'INFER_BAD_INPUT', message: /one for inference, management/ });
  const ports = ['--port', '0', '--management-port', '0', '--metrics-port', '0'];
  const { code, log } = await runCommand(['serve', ...ports, '--token-files', '/none']);
  t.equal(code, 1);
  t.match(log.at(-1), {
    event: 'start_failed',
    message: 'tokenFiles: /none: cannot be read (ENOENT)',
  });
});

t.test('settings tell no secrets', async t => {
  const text = explainText(explainConfig([], { INFERENCE_NATIVE_TLS_PASSPHRASE: 'the-secret' }));
  t.match(text, /^tlsPassphrase +set +INFERENCE_NATIVE_TLS_PASSPHRASE$/m);
  t.notMatch(text, 'the-secret');
  for (const content of ['{"tlsPassphrase": the-secret}', '{"tlsPassphrase": ["the-secret"]}']) {
    const read = () => readConfig(['--config', fileOf(content)], {});
    const error = t.throws(read, { code: 'INFER_BAD_INPUT' }) as unknown as Error;
    t.notMatch(error.message, 'secret');
  }
  const header = () => readConfig(['--cors-allowed-origin', 'a\r\nx: y'], {});
  t.throws(header, { message: /expected printable ASCII on one line/ });
});
