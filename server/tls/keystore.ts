// SPDX-License-Identifier: Apache-2.0
// A keystore in PKCS #12 -> its first private key and all of its certificates.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import forge from 'node-forge';

export interface KeystoreContent {
  readonly key: KeyObject;
  readonly certificates: readonly X509Certificate[];
}

/** First bytes of what Java's keytool wrote before Java 9: JKS and JCEKS. */
const javaStarts: readonly number[] = [0xfeedfeed, 0xcececece];

/**
 * Node reads such files, but does not give their key out again, and the HTTP library takes files in PEM only.
 * @throws  an Error with what was expected.
 */
export function readKeystore(bytes: Buffer, passphrase: string): KeystoreContent {
  if (bytes.length >= 4 && javaStarts.includes(bytes.readUInt32BE())) {
    const how =
      'keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12';
    throw new Error(`expected PKCS #12, got a Java keystore; to convert it: ${how}`);
  }
  const bags = openBags(bytes, passphrase);
  const key = bags.map(keyOf).find(found => found !== undefined);
  if (key === undefined) throw new Error('expected a private key in it, found none');
  const certificates = bags.flatMap(bag => certificateOf(bag) ?? []);
  return { key, certificates };
}

function openBags(bytes: Buffer, passphrase: string): readonly forge.pkcs12.Bag[] {
  let parsed: forge.asn1.Asn1;
  try {
    parsed = forge.asn1.fromDer(bytes.toString('binary'));
  } catch {
    throw new Error('expected PKCS #12, got something else');
  }
  try {
    const { safeContents } = forge.pkcs12.pkcs12FromAsn1(parsed, false, passphrase);
    return safeContents.flatMap(content => content.safeBags);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    if (/password|MAC/i.test(reason)) throw new Error('the passphrase is not that of the keystore');
    throw new Error(`expected PKCS #12 that can be read: ${reason}`);
  }
}

const keyBags: readonly unknown[] = [
  forge.pki.oids['keyBag'],
  forge.pki.oids['pkcs8ShroudedKeyBag'],
];

/** What is no RSA key the library leaves as it is. */
function keyOf({ type, key, asn1 }: forge.pkcs12.Bag): KeyObject | undefined {
  if (!keyBags.includes(type)) return undefined;
  const info = key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1;
  return createPrivateKey({ key: derOf(info), format: 'der', type: 'pkcs8' });
}

function certificateOf({ type, cert, asn1 }: forge.pkcs12.Bag): X509Certificate | undefined {
  if (type !== forge.pki.oids['certBag']) return undefined;
  return new X509Certificate(derOf(cert ? forge.pki.certificateToAsn1(cert) : asn1));
}

function derOf(value: forge.asn1.Asn1): Buffer {
  return Buffer.from(forge.asn1.toDer(value).getBytes(), 'binary');
}
