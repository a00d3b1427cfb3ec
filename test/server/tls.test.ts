// SPDX-License-Identifier: Apache-2.0
// Keys and certificates of every form over real TLS, and those that are refused.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t from 'tap';
import { createHttp } from '../../server/http.js';
import { errors } from '../../server/protocol/mms/errors.js';
import { textReply } from '../../server/reply.js';
import type { Responder } from '../../server/route.js';
import { createTls, type TlsSettings } from '../../server/tls/index.js';
import { readMaterial } from '../../server/tls/material.js';
import { failure, until } from '../helpers.js';
import { exchange, openSocket } from './helpers.js';
import { ask, encryptedKey, fileOf, folder, keyPair, keystore } from './tls_files.js';

const limits = { maxRequestBytes: 2 ** 23, maxBufferedBytes: 2 ** 24, maxHeaderBytes: 4096 };
const none: TlsSettings = {
  tlsKeystore: '',
  tlsCertificateFile: '',
  tlsPrivateKeyFile: '',
  tlsPassphrase: '',
  tlsPassphraseFile: '',
};
const pair = keyPair();
const other = keyPair();
const ec = readMaterial({ ...none, tlsKeystore: keystore('openssl_ec.p12') });
if (ec === undefined) throw new Error('expected the key of a fixture');
const passphrase = 'the secret of the test';
const tlsCertificateFile = fileOf(pair.certificate);

const working: readonly { readonly name: string; readonly settings: Partial<TlsSettings> }[] = [
  { name: 'ec.test', settings: { tlsKeystore: keystore('openssl_ec.p12') } },
  { name: 'legacy.test', settings: { tlsKeystore: keystore('openssl_legacy.p12') } },
  {
    name: 'keytool.test',
    settings: { tlsKeystore: keystore('keytool.p12'), tlsPassphrase: 'changeit' },
  },
  { name: 'pem.test', settings: { tlsCertificateFile, tlsPrivateKeyFile: fileOf(pair.pkcs1) } },
  {
    name: 'pem.test',
    settings: {
      tlsCertificateFile: fileOf(`${other.certificate}\n${pair.certificate}`),
      tlsPrivateKeyFile: fileOf(encryptedKey(pair.key, passphrase)),
      tlsPassphraseFile: fileOf(`${passphrase}\n`),
    },
  },
  {
    name: 'ec.test',
    settings: {
      tlsCertificateFile: fileOf(ec.chain.join('\n')),
      tlsPrivateKeyFile: fileOf(ec.key.export({ type: 'sec1', format: 'pem' })),
    },
  },
];

const fine: Responder = () => textReply('text/plain', 'fine');

async function startTls(settings: Partial<TlsSettings>, respond: Responder = fine) {
  const directory = mkdtempSync(join(folder, 'made-'));
  const tls = await createTls({ ...none, ...settings }, directory);
  const http = await createHttp({ ...limits, errors });
  const port = await http.listen({ scheme: 'https', host: '127.0.0.1', port: 0 }, { respond, tls });
  return { url: `https://127.0.0.1:${port}/`, http, tls, directory };
}

for (const { name, settings } of working) {
  t.test(`${Object.keys(settings).join(' and ')} serve ${name}`, async t => {
    const { url, http, directory } = await startTls(settings);
    const { status, text, certificate } = await ask(url, { body: 'x', method: 'POST' });
    t.match({ status, text }, { status: 200, text: 'fine' });
    t.equal(certificate?.subject.CN, name);
    await http.drain(0, 1000);
    for (const file of readdirSync(directory)) {
      t.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file);
    }
    t.match(readFileSync(join(directory, 'key.pem'), 'utf8'), /ENCRYPTED/, 'no key in the clear');
  });
}

t.test('the chain follows the certificate of the key', async t => {
  t.same(
    ec.chain.map(({ subject }) => subject),
    ['CN=ec.test', 'CN=root.test'],
  );
});

t.test('without a key one is made, for this machine, and said so', async t => {
  const { url, http, tls } = await startTls({});
  const { certificate } = await ask(url);
  t.match(certificate?.subjectaltname, /DNS:localhost, IP Address:127\.0\.0\.1/);
  t.match(tls.notes, [certificate?.fingerprint256 ?? 'none']);
  await http.drain(0, 1000);
});

t.test('what is weak is not spoken', async t => {
  const { url, http } = await startTls({ tlsKeystore: keystore('keytool.p12') });
  const strong = { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const;
  t.equal((await ask(url, strong)).status, 200, 'what MMS spoke');
  for (const ciphers of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA']) {
    await t.rejects(
      ask(url, { ciphers, maxVersion: 'TLSv1.2' }),
      { message: /handshake failure/ },
      ciphers,
    );
  }
  await t.rejects(ask(url, { maxVersion: 'TLSv1.1' }), 'TLS 1.1');
  await http.drain(0, 1000);
});

t.test('large bodies go both ways, to a reader that waits too', async t => {
  const echo: Responder = ({ body }) => textReply('text/plain', Buffer.concat([body, body]));
  const { url, http } = await startTls({ tlsKeystore: keystore('openssl_ec.p12') }, echo);
  const body = randomBytes(3 * 2 ** 20).toString('hex'); // 6 MiB
  const { status, text } = await ask(url, { method: 'POST', body });
  t.equal(status, 200);
  t.ok(text === body + body);
  await http.drain(0, 1000);
});

t.test('what is no TLS ends its own connection, and a drain ends idle ones', async t => {
  const { url, http } = await startTls({ tlsKeystore: keystore('openssl_ec.p12') });
  const plain = await exchange(url, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.notMatch(plain, 'HTTP/1.1');
  const half = await openSocket(url);
  half.write(Buffer.from('160301', 'hex')); // the beginning of a handshake
  const idle = connect({ port: Number(new URL(url).port), rejectUnauthorized: false });
  await once(idle, 'secureConnect');
  const closed = [once(half, 'close'), once(idle, 'close')];
  half.resume();
  idle.resume();
  t.equal((await ask(url)).status, 200);
  await until(() => http.stats().connections === 2);
  t.same(await http.drain(0, 60_000), []);
  await Promise.all(closed);
});

const past = keyPair({ to: '2021-01-01' });
const future = keyPair({ from: '2119-01-01' });
const encrypted = fileOf(encryptedKey(pair.key, passphrase));
const refused: readonly { readonly settings: Partial<TlsSettings>; readonly says: RegExp }[] = [
  {
    settings: { tlsKeystore: keystore('openssl_ec.p12'), tlsPassphrase: passphrase },
    says: /^tlsKeystore: .*openssl_ec.p12: the passphrase is not that of the keystore$/,
  },
  {
    settings: { tlsKeystore: keystore('keytool.jks') },
    says: /keytool.jks: expected PKCS #12, got a Java keystore; .*keytool -importkeystore/,
  },
  { settings: { tlsKeystore: keystore('no_key.p12') }, says: /no_key.p12: expected a private key/ },
  { settings: { tlsKeystore: fileOf('') }, says: /expected PKCS #12, got something else/ },
  { settings: { tlsKeystore: fileOf(pair.pkcs1) }, says: /expected PKCS #12, got something else/ },
  { settings: { tlsKeystore: '/none.p12' }, says: /^tlsKeystore: \/none.p12: cannot be read/ },
  { settings: { tlsKeystore: folder }, says: /expected a regular file/ },
  { settings: { tlsCertificateFile }, says: /^tlsCertificateFile: .*together, got one/ },
  { settings: { tlsPrivateKeyFile: encrypted }, says: /^tlsPrivateKeyFile: .*together, got one/ },
  {
    settings: { tlsCertificateFile, tlsPrivateKeyFile: encrypted },
    says: /^tlsPrivateKeyFile: .*: it is encrypted: expected tlsPassphrase/,
  },
  {
    settings: { tlsCertificateFile, tlsPrivateKeyFile: encrypted, tlsPassphrase: 'another secret' },
    says: /^tlsPrivateKeyFile: .*: the passphrase is not that of the key$/,
  },
  {
    settings: { tlsCertificateFile, tlsPrivateKeyFile: fileOf('no key') },
    says: /^tlsPrivateKeyFile: .*: expected a private key in PEM$/,
  },
  {
    settings: { tlsCertificateFile: fileOf('none'), tlsPrivateKeyFile: fileOf(pair.pkcs1) },
    says: /^tlsCertificateFile: .*: expected certificates in PEM, found none$/,
  },
  {
    settings: { tlsCertificateFile, tlsPrivateKeyFile: fileOf(other.pkcs1) },
    says: /^tlsCertificateFile: .*: none of its 1 certificates belongs to the private key$/,
  },
  {
    settings: {
      tlsCertificateFile: fileOf(past.certificate),
      tlsPrivateKeyFile: fileOf(past.pkcs1),
    },
    says: /: the certificate expired at Jan {2}1 00:00:00 2021 GMT$/,
  },
  {
    settings: {
      tlsCertificateFile: fileOf(future.certificate),
      tlsPrivateKeyFile: fileOf(future.pkcs1),
    },
    says: /: the certificate is valid from Jan {2}1 00:00:00 2119 GMT on$/,
  },
];

for (const { settings, says } of refused) {
  t.test(`refused: ${says.source}`, async t => {
    const directory = mkdtempSync(join(folder, 'made-'));
    const { code, message } = await failure(createTls({ ...none, ...settings }, directory));
    t.equal(code, 'INFER_BAD_INPUT');
    t.match(message, says);
    t.notMatch(message, /secret/);
    t.same(readdirSync(directory), []);
  });
}

t.test('files that others may read are named', async t => {
  const tlsPrivateKeyFile = fileOf(pair.pkcs1, 0o644);
  const { notes } = readMaterial({ ...none, tlsCertificateFile, tlsPrivateKeyFile }) ?? {};
  t.match(notes, [/^tlsPrivateKeyFile: .*closed to other users \(0600\), got mode 0644$/]);
});
