// SPDX-License-Identifier: Apache-2.0
// Keys and certificates for tests of TLS, and requests over it and over Unix sockets.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import forge from 'node-forge';
import t from 'tap';
import { fixture } from '../helpers.js';

export const folder = mkdtempSync(join(tmpdir(), 'tls-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let made = 0;

/** A new file that is closed to others. */
export function fileOf(content: string | Buffer, mode = 0o600): string {
  const path = join(folder, `${made++}.pem`);
  writeFileSync(path, content, { mode });
  return path;
}

export function keystore(name: string): string {
  return fixture(join('tls', name));
}

export interface Validity {
  readonly from?: string;
  readonly to?: string;
}

/** An RSA key with a certificate of its own. */
export function keyPair({ from = '2020-01-01', to = '2120-01-01' }: Validity = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const certificate = forge.pki.createCertificate();
  const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  certificate.publicKey = forge.pki.publicKeyFromPem(spki);
  certificate.validity.notBefore = new Date(from);
  certificate.validity.notAfter = new Date(to);
  const name = [{ name: 'commonName', value: 'pem.test' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  certificate.sign(forge.pki.privateKeyFromPem(pkcs1), forge.md.sha256.create());
  return { key: privateKey, pkcs1, certificate: forge.pki.certificateToPem(certificate) };
}

/** The key in PKCS #8, encrypted. */
export function encryptedKey(key: KeyObject, passphrase: string): string {
  const cipher = 'aes-256-cbc';
  return key.export({ type: 'pkcs8', format: 'pem', cipher, passphrase }).toString();
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of OpenSSL: what the client can do. */
  readonly ciphers?: string;
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  /** What the other side showed; undefined without TLS. */
  readonly certificate: PeerCertificate | undefined;
}

/** @param url  `http:`, `https:` of any certificate, or `unix:PATH:` and the path of the request. */
export async function ask(url: string, { body = '', ...options }: Ask = {}): Promise<Answer> {
  const [, socketPath, path] = /^unix:([^:]+):(.*)$/.exec(url) ?? [];
  const own = { agent: false, rejectUnauthorized: false, ...options };
  const outgoing =
    socketPath !== undefined
      ? plainRequest({ ...own, socketPath, path })
      : url.startsWith('https:')
        ? tlsRequest(url, own)
        : plainRequest(url, own);
  const response = once(outgoing, 'response');
  outgoing.end(body);
  const [incoming] = await response;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { statusCode: status, headers, socket } = incoming;
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  return { status, headers, text: Buffer.concat(chunks).toString(), certificate };
}
