// SPDX-License-Identifier: Apache-2.0
// The private key and the certificates that TLS is spoken with, checked before anything listens.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { InferenceError } from '../../lib/index.js';
import type { Config } from '../config.js';
import { readSecretFile, refused } from '../secret_file.js';
import { type KeystoreContent, readKeystore } from './keystore.js';

export interface Material {
  readonly key: KeyObject;
  /** The certificate of the key, then the one that issued it, and so on. */
  readonly chain: readonly X509Certificate[];
  /** What the operator should know. */
  readonly notes: readonly string[];
}

export type TlsSettings = Pick<
  Config,
  'tlsKeystore' | 'tlsCertificateFile' | 'tlsPrivateKeyFile' | 'tlsPassphrase' | 'tlsPassphraseFile'
>;

/** @source  keytool and MMS: the password of a keystore unless somebody says otherwise. */
const usualPassphrase = 'changeit';

/**
 * A keystore counts over the two files.
 * @returns  undefined when there is neither.
 * @throws   INFER_BAD_INPUT naming the file; no message tells anything of the key or the passphrase.
 */
export function readMaterial(settings: TlsSettings): Material | undefined {
  const { tlsKeystore, tlsCertificateFile, tlsPrivateKeyFile } = settings;
  if (tlsKeystore !== '') return ofKeystore(tlsKeystore, passphraseOf(settings));
  if (tlsCertificateFile === '' && tlsPrivateKeyFile === '') return undefined;
  if (tlsCertificateFile === '' || tlsPrivateKeyFile === '') {
    const got = tlsCertificateFile === '' ? 'tlsPrivateKeyFile' : 'tlsCertificateFile';
    throw refused(got, 'expected tlsCertificateFile and tlsPrivateKeyFile together, got one');
  }
  const secret = readSecretFile('tlsPrivateKeyFile', tlsPrivateKeyFile);
  const passphrase = passphraseOf(settings);
  const key = named(`tlsPrivateKeyFile: ${tlsPrivateKeyFile}`, () =>
    readKey(secret.bytes, passphrase),
  );
  const { bytes } = readSecretFile('tlsCertificateFile', tlsCertificateFile);
  return named(`tlsCertificateFile: ${tlsCertificateFile}`, () => {
    const certificates = readCertificates(bytes.toString('latin1'));
    return { key, chain: chainOf({ key, certificates }), notes: secret.notes };
  });
}

function ofKeystore(path: string, passphrase = usualPassphrase): Material {
  const { bytes, notes } = readSecretFile('tlsKeystore', path);
  return named(`tlsKeystore: ${path}`, () => {
    const content = readKeystore(bytes, passphrase);
    return { key: content.key, chain: chainOf(content), notes };
  });
}

/** One line end after it does not belong to a passphrase. */
function passphraseOf({ tlsPassphrase, tlsPassphraseFile }: TlsSettings): string | undefined {
  if (tlsPassphraseFile === '') return tlsPassphrase === '' ? undefined : tlsPassphrase;
  const { bytes } = readSecretFile('tlsPassphraseFile', tlsPassphraseFile);
  return bytes.toString().replace(/\r?\n$/, '');
}

/** What goes wrong inside gets the name of the file. */
function named<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InferenceError) throw error;
    throw refused(where, error instanceof Error ? error.message : String(error));
  }
}

function readKey(pem: Buffer, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch {
    const isEncrypted = /ENCRYPTED/.test(pem.toString('latin1'));
    if (isEncrypted && passphrase === undefined) {
      throw new Error('it is encrypted: expected tlsPassphrase or tlsPassphraseFile');
    }
    if (isEncrypted) throw new Error('the passphrase is not that of the key');
    throw new Error('expected a private key in PEM');
  }
}

function readCertificates(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('expected certificates in PEM, found none');
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`certificate ${index + 1} cannot be read`);
    }
  });
}

/** Puts the certificates in order. */
function chainOf({ key, certificates }: KeystoreContent): readonly X509Certificate[] {
  const own = certificates.find(certificate => certificate.checkPrivateKey(key));
  if (own === undefined) {
    throw new Error(`none of its ${certificates.length} certificates belongs to the private key`);
  }
  checkTime(own);
  const chain = [own];
  for (let last = own; ; ) {
    const next = certificates.find(other => !chain.includes(other) && last.checkIssued(other));
    if (next === undefined) return chain;
    chain.push(next);
    last = next;
  }
}

function checkTime({ validFrom, validTo }: X509Certificate): void {
  const now = Date.now();
  if (now > Date.parse(validTo)) throw new Error(`the certificate expired at ${validTo}`);
  if (now < Date.parse(validFrom)) throw new Error(`the certificate is valid from ${validFrom} on`);
}
