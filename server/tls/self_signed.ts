// SPDX-License-Identifier: Apache-2.0
// A key with a certificate that nobody vouches for: enough to encrypt, and to try TLS.
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import forge from 'node-forge';
import type { Material } from './material.js';

const validDays = 365;

/** @source  MMS makes one where `https:` is asked for without a key. */
export function selfSigned(): Material {
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: pem,
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  const fromMs = Date.now() - 3_600_000; // clocks of clients may be behind
  certificate.validity.notBefore = new Date(fromMs);
  certificate.validity.notAfter = new Date(fromMs + validDays * 86_400_000);
  const name = [{ name: 'commonName', value: hostname() }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: alternatives() },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  const own = new X509Certificate(forge.pki.certificateToPem(certificate));
  const what =
    'expected a keystore, or a key and a certificate; made a certificate that clients cannot check';
  const notes = [`${what}, SHA-256 ${own.fingerprint256}, valid to ${own.validTo}`];
  return { key: createPrivateKey(privateKey), chain: [own], notes };
}

/** @source  RFC 5280 section 4.2.1.6: 2 is a DNS name, 7 an IP address. */
function alternatives(): readonly object[] {
  return [
    { type: 2, value: hostname() },
    { type: 2, value: 'localhost' },
    { type: 7, ip: '127.0.0.1' },
    { type: 7, ip: '::1' },
  ];
}
