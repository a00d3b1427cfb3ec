// SPDX-License-Identifier: Apache-2.0
// The URLs that models may be fetched from: what the operator allows, and no address where credentials are handed out.
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { basename } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import { redact } from '../redact.js';
import { quoted } from './archive.js';
import { isArchiveName, nameProblem } from './extract.js';

/** A model to be fetched. */
export interface ModelUrl {
  /** Without a fragment. */
  readonly url: URL;
  /** Of the file. */
  readonly name: string;
  /** What has to come, in lower case; '' for anything. */
  readonly sha256: string;
}

export function isRemote(location: string): boolean {
  return /^(?:https?|s3):/i.test(location);
}

/** @throws  INFER_BAD_INPUT for a pattern that is no regular expression. */
export function readPatterns(patterns: readonly string[]): readonly RegExp[] {
  return patterns.map(pattern => {
    try {
      return new RegExp(`^(?:${pattern})$`, 'i');
    } catch (error) {
      const message = `allowedUrls: expected a regular expression, got ${quoted(pattern)}`;
      throw new InferenceError('INFER_BAD_INPUT', message, { cause: error });
    }
  });
}

const longestShown = 256;

/** A location for messages. */
export function shownUrl(location: string): string {
  return redact(location).slice(0, longestShown);
}

export function readUrl(location: string): ModelUrl {
  const url = parseUrl(location);
  const [, sha256] = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash) ?? [];
  if (url.hash !== '' && sha256 === undefined) {
    throw refused(location, 'expected #sha256= and 64 hexadecimal digits behind it, or nothing');
  }
  url.hash = '';
  if (url.protocol === 's3:' && (url.hostname === '' || url.search !== '')) {
    throw refused(location, 'expected s3://bucket/key');
  }
  const name = fileName(url.pathname);
  if (nameProblem(name) !== undefined || !(isArchiveName(name) || /\.onnx$/i.test(name))) {
    const expected = 'expected a path that ends in .mar, .zip, .model, .tar.gz, .tgz or .onnx';
    throw refused(location, expected);
  }
  return { url, name, sha256: sha256?.toLowerCase() ?? '' };
}

/** Where a redirect leads: without a fragment, which is not sent, so that no pattern is matched by it. */
export function redirected(from: URL, location: string): URL {
  const url = parseUrl(location, from);
  url.hash = '';
  return url;
}

/** A pattern may take a time that grows with the square of what it is matched with, or worse. */
const mostCharacters = 8192;

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url === undefined) throw missing(`Invalid model url: ${shownUrl(text)}`);
  const { length } = url.href;
  if (length <= mostCharacters) return url;
  throw refused(text, `expected a URL of at most ${mostCharacters} characters, got ${length}`);
}

/** '' where there is none. */
function fileName(pathname: string): string {
  try {
    return decodeURIComponent(basename(pathname));
  } catch {
    return '';
  }
}

const fetched: readonly string[] = ['http:', 'https:', 's3:'];

/** What never has to be percent-encoded. @source RFC 3986 section 2.3 */
const needless = /%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)/i;

/** @throws  INFER_MODEL_NOT_FOUND where no pattern matches, INFER_BAD_INPUT for what is never allowed. */
export function checkAllowed(url: URL, allowed: readonly RegExp[]): void {
  const { href, protocol, username, password, hostname, pathname } = url;
  if (username !== '' || password !== '') {
    throw refused(href, 'expected no user and password in it');
  }
  if (/%2f|%5c/i.test(pathname)) {
    // A server may take it for a slash, and `..` beside it would lead elsewhere than the pattern sees.
    throw refused(href, 'expected a path without %2F and %5C');
  }
  if (protocol === 's3:' && needless.test(pathname)) {
    // The key is the decoded path, so that it would not be what the pattern sees.
    throw refused(href, 'expected letters, digits, -, ., _ and ~ as they are, not percent-encoded');
  }
  if (!fetched.includes(protocol) || !allowed.some(rule => rule.test(href))) {
    const shown = shownUrl(href);
    throw missing(`Given URL ${shown} does not match any allowed URL(s), see allowedUrls`);
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && isForbidden(host)) throw forbiddenHost(host);
}

/** Where clouds hand out the credentials of the machine, whatever name leads there: Azure's, Oracle's, Alibaba's. */
const metadata = ['168.63.129.16', '192.0.0.192', '100.100.100.200'];
const forbidden = new BlockList();
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addSubnet('fd00:ec2::', 32, 'ipv6');
forbidden.addSubnet('64:ff9b:1::', 48, 'ipv6'); // translated to IPv4 by rules of the network's own (RFC 8215)
forbidden.addAddress('fd20:ce::254', 'ipv6');
forbid('169.254.0.0', 16);
for (const address of metadata) forbid(address, 32);

/** An IPv4 network, also where NAT64 (64:ff9b:) and 6to4 (2002:) embed it. */
function forbid(address: string, bits: number): void {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  forbidden.addSubnet(address, bits);
  forbidden.addSubnet(`64:ff9b::${groups}`, 96 + bits, 'ipv6');
  forbidden.addSubnet(`2002:${groups}::`, 16 + bits, 'ipv6');
}

function isForbidden(address: string): boolean {
  return forbidden.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function forbiddenHost(address: string): InferenceError {
  const message = `model: expected an address that is neither link-local nor of metadata, got ${address}`;
  return new InferenceError('INFER_BAD_INPUT', message);
}

/** Looks at the address that is connected to: a name may lead elsewhere the second time. @param find  node:dns lookup. */
export function guardLookup(find: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    find(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(one => one.address);
      const bad = error === null ? addresses.find(isForbidden) : undefined;
      callback(bad === undefined ? error : forbiddenHost(bad), found, family);
    });
  };
}

function refused(location: string, expected: string): InferenceError {
  const message = `model ${quoted(shownUrl(location))}: ${expected}`;
  return new InferenceError('INFER_BAD_INPUT', message);
}

/** @source MMS and TorchServe: clients know the texts that come here, and 404 beside them. */
function missing(message: string): InferenceError {
  return new InferenceError('INFER_MODEL_NOT_FOUND', message);
}
