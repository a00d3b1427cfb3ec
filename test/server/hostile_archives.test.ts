// SPDX-License-Identifier: Apache-2.0
// Archives that try to get out, to fill the disk or to confuse: each refused with its reason, and nothing of it stays.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { crc32 } from '../../server/packages/crc32.js';
import { createPackages } from '../../server/packages/index.js';
import { failure, fixture } from '../helpers.js';
import { type TarEntry, tarGzOf, tarOf, type ZipEntry, zipOf } from './archives.js';

const folder = mkdtempSync(join(tmpdir(), 'hostile-archives-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const workDir = join(folder, 'work', 'deep', 'down');
const limits = { maxBytes: 2 ** 22, maxEntries: 100, maxRatio: 20, idleMs: 1, mostMs: 1 };
const settings = { modelStore: '', workDir, maxPackageBytes: 1, allowedUrls: [] };
const packages = await createPackages(settings, limits);

const model = readFileSync(fixture('affine.onnx'));
const good = { name: 'model.onnx', data: model };
const many = Array.from({ length: 101 }, (_, index) => ({ name: `file-${index}` }));
const deep = `${'d/'.repeat(40)}f`;
const branches = Array.from({ length: 4 }, (_, index) => ({
  name: `${index}/${'d/'.repeat(29)}f`,
}));
const manyAbove = /expected at most 100 files and directories with those above them, got more/;
const link = { name: 'l', data: '/etc/passwd', mode: 0o120777 };

interface Case {
  readonly name: string;
  readonly entries: readonly ZipEntry[];
  readonly says: RegExp;
}

/** Names that no archive may have, in zip and in tar. */
const names: readonly { readonly is: string; readonly name: string; readonly says: RegExp }[] = [
  { is: 'a path above', name: '../outside', says: /entry "\.\.\/outside": .* got one with "\.\."/ },
  { is: 'a path above from below', name: 'a/../../outside', says: /got one with "\.\."/ },
  { is: 'an absolute path', name: '/tmp/outside', says: /got an absolute one/ },
  { is: 'a drive letter', name: 'C:/outside', says: /got one with a drive letter/ },
  { is: 'a backslash', name: '..\\outside', says: /without backslashes/ },
  { is: 'a line feed', name: 'a\nb', says: /entry "a\\nb": expected a name without control/ },
  { is: 'many directories', name: deep, says: /at most 32 directories/ },
];

const zips: readonly Case[] = [
  ...names.map(({ is, name, says }) => ({ name: is, entries: [good, { name }], says })),
  { name: 'a NUL', entries: [{ name: 'a\0b' }], says: /entry "a\\u0000b": .* control characters/ },
  { name: 'no name', entries: [{ name: '' }], says: /entry "": expected a name/ },
  { name: 'a long name', entries: [{ name: 'n'.repeat(2000) }], says: /at most 1024 bytes/ },
  { name: 'a long part', entries: [{ name: 'n'.repeat(300) }], says: /at most 255 bytes/ },
  { name: 'Latin-1', entries: [{ name: Buffer.from([0xe9]) }], says: /expected a name in UTF-8/ },
  {
    name: 'a symbolic link',
    entries: [link],
    says: /entry "l": expected a file or directory, got a symbolic link/,
  },
  { name: 'a device', entries: [{ name: 'd', mode: 0o020666 }], says: /got a device/ },
  { name: 'a pipe', entries: [{ name: 'p', mode: 0o010666 }], says: /got a named pipe/ },
  { name: 'the same name twice', entries: [good, good], says: /expected each name once/ },
  {
    name: 'names that differ in case',
    entries: [good, { name: 'MODEL.onnx' }],
    says: /entry "MODEL.onnx": expected each name once/,
  },
  {
    name: 'names that differ in how a letter is composed',
    entries: [{ name: 'caf\u00e9' }, { name: 'cafe\u0301' }],
    says: /expected each name once/,
  },
  {
    name: 'a file that is also a directory',
    entries: [{ name: 'a', data: 'x' }, { name: 'a/b' }],
    says: /entry "a\/b": expected each name once/,
  },
  { name: 'many entries', entries: many, says: /expected at most 100 entries, got 101 or more/ },
  { name: 'many directories above few entries', entries: branches, says: manyAbove },
  {
    name: 'a long name that is found before anything is unpacked',
    entries: [link, { name: 'n/'.repeat(513) }],
    says: /at most 1024 bytes/,
  },
  {
    name: 'a long extra field',
    entries: [link, { ...good, extra: Buffer.alloc(4100) }],
    says: /entry "model.onnx": expected extra fields and a comment of at most 4096 bytes, got 4100/,
  },
  {
    name: 'a long comment beside an extra field',
    entries: [link, { ...good, comment: 'c'.repeat(4000), extra: Buffer.alloc(100) }],
    says: /entry "model.onnx": expected extra fields and a comment of .* got 4100/,
  },
  {
    name: 'a bomb',
    entries: [good, { name: 'bomb', data: Buffer.alloc(2 ** 21) }],
    says: /entry "bomb": expected at most \d+ bytes in all \(20 times the size of the archive\)/,
  },
  {
    name: 'more than the limit',
    entries: [{ name: 'big', data: Buffer.alloc(5_000_000), stored: true }],
    says: /entry "big": expected at most 4194304 bytes in all \(maxPackageBytes\), got 5000000/,
  },
  {
    name: 'a bomb that announces little',
    entries: [{ name: 'bomb', data: Buffer.alloc(2 ** 21), size: 10 }],
    says: /entry "bomb": expected 10 bytes, as it announces, got more/,
  },
  {
    name: 'more announced than there is',
    entries: [{ name: 'a', data: 'abc', size: 10 }],
    says: /entry "a": expected 10 bytes, as it announces, got 3/,
  },
  {
    name: 'content that is not deflated',
    entries: [{ name: 'a', data: 'abc', stored: true, method: 8 }],
    says: /entry "a": damaged: /,
  },
  {
    name: 'entries that overlap',
    entries: [good, { ...good, name: 'again.onnx', sharedWith: 0 }],
    says: /entry "[a-z.]+": expected bytes of its own, but it overlaps another entry/,
  },
  {
    name: 'a wrong checksum',
    entries: [{ ...good, crc: 1 }],
    says: /entry "model.onnx": damaged: expected checksum 00000001, got [0-9a-f]{8}/,
  },
  { name: 'encryption', entries: [{ ...good, flags: 0x801 }], says: /expected no encryption/ },
  { name: 'another method', entries: [{ ...good, method: 12 }], says: /method 0 or 8.*method 12/ },
  {
    name: 'a directory with content',
    entries: [{ name: 'd/', data: 'x' }],
    says: /entry "d\/": expected a directory without content, got 1 bytes/,
  },
  { name: 'directories alone', entries: [{ name: 'd/' }], says: /expected at least one file/ },
];

const tars: readonly { name: string; entries: readonly TarEntry[]; says: RegExp }[] = [
  ...names.map(({ is, name, says }) => ({ name: is, entries: [good, { name }], says })),
  {
    name: 'a symbolic link and a file through it',
    entries: [{ name: 'l', type: '2', link: '/tmp' }, { name: 'l/outside' }],
    says: /entry "l": expected a file or directory, got a symbolic link/,
  },
  {
    name: 'a hard link',
    entries: [good, { name: 'l', type: '1', link: '/etc/passwd' }],
    says: /got a hard link/,
  },
  { name: 'a device', entries: [{ name: 'd', type: '3' }], says: /got a device/ },
  { name: 'a pipe', entries: [{ name: 'p', type: '6' }], says: /got a named pipe/ },
  {
    name: 'an unknown kind',
    entries: [good, { name: 'x', type: 'Z' }],
    says: /expected a file or/,
  },
  { name: 'names twice', entries: [good, { name: 'Model.onnx' }], says: /expected each name once/ },
  { name: 'many entries', entries: many, says: /expected at most 100 entries/ },
  { name: 'many directories above few entries', entries: branches, says: manyAbove },
  {
    name: 'a bomb',
    entries: [{ name: 'bomb', data: Buffer.alloc(2 ** 21) }],
    says: /entry "bomb": expected at most \d+ bytes in all \(20 times/,
  },
  {
    name: 'more announced than there is',
    entries: [{ name: 'a', data: 'abc', size: 5000 }],
    says: /no readable tar archive: /,
  },
  { name: 'a wrong checksum', entries: [{ ...good, checksum: 7 }], says: /checksum failure/ },
];

const zip = zipOf([good]);
const tar = tarGzOf([good]);

/** A gzip file whose first byte of content comes out alone: the rest is more than one chunk of the file behind it. */
function gzipSlowly(content: Buffer): Buffer {
  const stored = (bytes: Buffer, isLast = 0) => {
    const head = Buffer.from([isLast, 0, 0, 0xff, 0xff]);
    head.writeUInt16LE(bytes.length, 1);
    head.writeUInt16LE(0xffff ^ bytes.length, 3);
    return Buffer.concat([head, bytes]);
  };
  const nothing = Array.from({ length: 60_000 }, () => stored(Buffer.alloc(0)));
  const end = Buffer.alloc(8);
  end.writeUInt32LE(crc32(content), 0);
  end.writeUInt32LE(content.length, 4);
  const head = Buffer.from('1f8b08000000000000ff', 'hex');
  const [first, rest] = [content.subarray(0, 1), content.subarray(1)];
  return Buffer.concat([head, stored(first), ...nothing, stored(rest, 1), end]);
}

const files: readonly { name: string; file: string; bytes: Buffer; says: RegExp }[] = [
  ...zips.map(({ name, entries, says }) => ({ name, file: 'a.mar', bytes: zipOf(entries), says })),
  ...tars.map(({ name, entries, says }) => ({
    name,
    file: 'a.tgz',
    bytes: tarGzOf(entries),
    says,
  })),
  { name: 'nothing', file: 'a.mar', bytes: Buffer.alloc(0), says: /expected a zip archive, got/ },
  { name: 'text', file: 'a.zip', bytes: Buffer.from('text'), says: /begins with 0x74657874/ },
  { name: 'a zip', file: 'a.tar.gz', bytes: zip, says: /expected a gzip file, got .* 0x504b/ },
  { name: 'a gzip', file: 'a.model', bytes: tar, says: /expected a zip archive, got .* 0x1f8b/ },
  {
    name: 'another file before a zip',
    file: 'a.mar',
    bytes: Buffer.concat([Buffer.from('#!/bin/sh\n'), zip]),
    says: /expected a zip archive, got a file that begins with 0x23212f62/,
  },
  {
    name: 'a truncated zip',
    file: 'a.mar',
    bytes: zip.subarray(0, zip.length - 30),
    says: /no readable zip archive: /,
  },
  {
    name: 'a million announced entries',
    file: 'a.mar',
    bytes: zipOf([good], 65_534),
    says: /expected at most 100 entries, got 65534/,
  },
  {
    name: 'a truncated gzip',
    file: 'a.tgz',
    bytes: tar.subarray(0, tar.length - 20),
    says: /no readable gzip file: /,
  },
  {
    name: 'a gzip with a wrong checksum',
    file: 'a.tgz',
    bytes: Buffer.concat([tar.subarray(0, -8), Buffer.alloc(8)]),
    says: /no readable gzip file: /,
  },
  {
    name: 'a gzip in the gzip',
    file: 'a.tgz',
    bytes: gzipSync(tar),
    says: /expected a tar archive in the gzip file, got another gzip file/,
  },
  {
    name: 'a gzip in the gzip whose first byte comes alone',
    file: 'a.tgz',
    bytes: gzipSlowly(tar),
    says: /expected a tar archive in the gzip file, got another gzip file/,
  },
  {
    name: 'a gzip of text',
    file: 'a.tgz',
    bytes: gzipSync(Buffer.alloc(2000, 'text')),
    says: /no readable tar archive: /,
  },
  {
    name: 'zeros without end behind the tar',
    file: 'a.tgz',
    bytes: gzipSync(Buffer.concat([tarOf([good]), Buffer.alloc(2 ** 22)])),
    says: /unpacks to more than the \d+ bytes allowed \(20 times the size of the archive\)/,
  },
];

function everything(): string[] {
  return readdirSync(folder, { recursive: true }).map(String).sort();
}

t.test('the archives of the helpers are good when nothing is wrong with them', async t => {
  for (const [name, bytes] of [['a.mar', zip] as const, ['a.tgz', tar] as const]) {
    writeFileSync(join(folder, name), bytes);
    const source = await packages.open(join(folder, name), true);
    t.same(readdirSync(source.path), ['model.onnx']);
    await source.release();
  }
});

for (const { name, file, bytes, says } of files) {
  t.test(`${file} with ${name} is refused and leaves nothing`, async t => {
    const path = join(folder, file);
    writeFileSync(path, bytes);
    const before = everything();
    const { code, message } = await failure(packages.open(path, true));
    t.equal(code, 'INFER_MODEL_INVALID');
    t.match(message, says);
    t.match(message, new RegExp(`^archive "${file}": `));
    t.same(everything(), before);
  });
}

t.test('a gzip whose first byte of content comes alone is read as any other', async t => {
  const path = join(folder, 'slow.tgz');
  writeFileSync(path, gzipSlowly(tarOf([good])));
  const source = await packages.open(path, true);
  t.same(readdirSync(source.path), ['model.onnx']);
  await source.release();
});

t.test('what comes behind the end of a tar archive is not gathered', async t => {
  const roomy = { ...limits, maxBytes: 2 ** 27, maxRatio: 2000 };
  const { open, close } = await createPackages(settings, roomy);
  const path = join(folder, 'zeros.tgz');
  writeFileSync(path, gzipSync(Buffer.concat([tarOf([good]), Buffer.alloc(2 ** 24)])));
  const { concat } = Buffer;
  let joinedBytes = 0;
  Buffer.concat = (list, ...more) => {
    for (const { length } of list) joinedBytes += length;
    return concat(list, ...more);
  };
  t.teardown(() => {
    Buffer.concat = concat;
  });
  const { release } = await open(path, true);
  t.ok(joinedBytes < 2 ** 20, `${joinedBytes} bytes`);
  await release();
  await close();
});

t.test('file descriptors are back', async t => {
  const open = () => readdirSync('/proc/self/fd').length;
  const [bad = Buffer.alloc(0), ...others] = files.map(({ bytes }) => bytes);
  t.ok(others.length > 50);
  writeFileSync(join(folder, 'b.mar'), bad);
  await failure(packages.open(join(folder, 'b.mar'), true));
  const before = open();
  for (const { file, bytes } of files) {
    writeFileSync(join(folder, file), bytes);
    await failure(packages.open(join(folder, file), true));
  }
  t.equal(open(), before);
});
