// SPDX-License-Identifier: Apache-2.0
// Key and certificate as the HTTP library takes them: files in PEM, there only while the listeners are made.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Material, readMaterial, type TlsSettings } from './material.js';
import { selfSigned } from './self_signed.js';

export type { TlsSettings } from './material.js';

/** What an app of the HTTP library is made with. */
export interface TlsFiles {
  readonly certificateFile: string;
  /** Encrypted. */
  readonly keyFile: string;
  readonly passphrase: string;
}

export interface Tls extends TlsFiles {
  readonly notes: readonly string[];
}

/**
 * @param directory  empty, and closed to others.
 * @throws           INFER_BAD_INPUT naming the file that cannot be used.
 */
export async function createTls(settings: TlsSettings, directory: string): Promise<Tls> {
  const material = readMaterial(settings) ?? selfSigned();
  const passphrase = randomBytes(32).toString('hex');
  const certificateFile = join(directory, 'certificates.pem');
  const keyFile = join(directory, 'key.pem');
  await writeNew(certificateFile, material.chain.join('\n'));
  await writeNew(keyFile, encrypted(material, passphrase));
  return { certificateFile, keyFile, passphrase, notes: material.notes };
}

/** On a disk it is no use to whoever finds it later: the passphrase is in memory alone. */
function encrypted({ key }: Material, passphrase: string): string {
  const how = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return key.export(how).toString();
}

function writeNew(path: string, text: string): Promise<void> {
  return writeFile(path, text, { flag: 'wx', mode: 0o600 });
}
