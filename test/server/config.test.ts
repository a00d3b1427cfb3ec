// SPDX-License-Identifier: Apache-2.0
// The table of settings: precedence, checks, and that docs/server.md shows the same.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  flagOf,
  type SettingRow,
  settingTable,
  threadShareOf,
  variableOf,
} from '../../server/config.js';
import { readConfig } from '../../server/settings.js';
import { usage } from '../../server/usage.js';
import { textOf } from '../helpers.js';

const folder = mkdtempSync(join(tmpdir(), 'inference-native-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function fileWith(content: unknown): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

t.test('without anything the defaults count', async t => {
  const config = readConfig([], {});
  for (const row of settingTable) t.same(config[row.key], row.default, row.key);
  t.ok(Object.isFrozen(config));
  t.match(config, {
    host: '127.0.0.1',
    port: 8080,
    managementPort: 8081,
    metricsPort: 8082,
    maxRequestBytes: 6553500,
  });
});

t.test('a flag wins over the environment, that over the file, that over the default', async t => {
  const config = fileWith({ port: 1, managementPort: 2, metricsPort: 3, logLevel: 'debug' });
  const environment = {
    INFERENCE_NATIVE_PORT: '4',
    INFERENCE_NATIVE_MANAGEMENT_PORT: '5',
    INFERENCE_NATIVE_CONFIG: '/does/not/exist',
  };
  const read = readConfig(['--config', config, '--port', '6'], environment);
  t.match(read, {
    port: 6,
    managementPort: 5,
    metricsPort: 3,
    logLevel: 'debug',
    maxImagePixels: 40_000_000,
  });
  t.equal(readConfig([], { INFERENCE_NATIVE_CONFIG: config }).metricsPort, 3);
});

t.test('models come bare, from the environment or from the file', async t => {
  t.same(readConfig(['a', '--port', '1', 'x=b'], { INFERENCE_NATIVE_MODELS: 'c' }).models, [
    'a',
    'x=b',
  ]);
  t.same(readConfig([], { INFERENCE_NATIVE_MODELS: 'c,y=d' }).models, ['c', 'y=d']);
  t.same(readConfig(['--config', fileWith({ models: ['e'] })], {}).models, ['e']);
  t.same(readConfig(['--models', 'f,g'], {}).models, ['f', 'g']);
  t.same(readConfig(['--models', 'f', '--models', 'g', 'h'], {}).models, ['f', 'g', 'h']);
});

t.test(
  'HTTP threads come from the file or the environment too, and share what all may hold',
  async t => {
    const config = readConfig(['--config', fileWith({ httpThreads: 3 })], {});
    t.match(config, { httpThreads: 3, maxBufferedBytes: 268_435_456, maxWaitingImages: 256 });
    t.match(threadShareOf(config), {
      httpThreads: 3,
      maxBufferedBytes: 89_478_485,
      maxWaitingImages: 85,
      maxRequestBytes: 6_553_500,
    });
    t.equal(readConfig([], { INFERENCE_NATIVE_HTTP_THREADS: '2' }).httpThreads, 2);
  },
);

const wrong = [
  {
    name: 'no model in the list of them',
    args: ['--models', ','],
    says: /^--models: expected a list of one or more texts, got \[\]/,
  },
  {
    name: 'an unknown flag',
    args: ['--prot', '1'],
    says: /^--prot: no such flag; known are --allowed-urls, --config, .*--default-workers, .*--port/,
  },
  { name: 'a flag without a value', args: ['--port'], says: /^--port: expected a value after it/ },
  {
    name: 'a flag for a value',
    args: ['--host', '--port', '1'],
    says: /^--host: expected a value after it, got "--port"/,
  },
  {
    name: 'a word for a number',
    args: ['--port', 'http'],
    says: /^--port: expected an integer from 0 to 65535, got "http"/,
  },
  {
    name: 'a fraction',
    args: ['--port', '1.5'],
    says: /^--port: expected an integer .*, got "1\.5"/,
  },
  {
    name: 'a port too large',
    args: ['--port=65536'],
    says: /^--port: expected an integer from 0 to 65535, got 65536/,
  },
  {
    name: 'an unknown level',
    args: ['--log-level', 'loud'],
    says: /^--log-level: expected one of debug, info, warn, error, got "loud"/,
  },
  {
    name: 'a body larger than all bodies',
    args: ['--max-buffered-bytes', '5'],
    says: /^maxRequestBytes: expected at most maxBufferedBytes \(5\), got 6553500/,
  },
  {
    name: 'a body larger than all bodies of one thread',
    args: ['--max-buffered-bytes', '20000000', '--http-threads', '4'],
    says: /^maxRequestBytes: expected at most maxBufferedBytes \/ httpThreads \(5000000\), got 6553500/,
  },
  {
    name: 'no HTTP thread',
    args: ['--http-threads', '0'],
    says: /^--http-threads: expected an integer from 1 to 64, got 0/,
  },
  {
    name: 'a file that is none',
    args: ['--config', join(folder, 'none')],
    says: /^--config .*none: expected a JSON file, got: ENOENT/,
  },
] as const;

for (const { name, args, says } of wrong) {
  t.test(`${name} is refused`, async t => {
    t.throws(() => readConfig(args, {}), { code: 'INFER_BAD_INPUT', message: says });
  });
}

t.test('a wrong variable is named', async t => {
  const message = /^INFERENCE_NATIVE_METRICS_PORT: expected an integer from 0 to 65535, got "x"/;
  t.throws(() => readConfig([], { INFERENCE_NATIVE_METRICS_PORT: 'x' }), { message });
});

const wrongFiles = [
  { content: '{', says: /expected a JSON file, got: / },
  { content: '[]', says: /expected a JSON object, got \[\]/ },
  {
    content: { ports: 1 },
    says: /no such key as "ports"; known are models, modelStore, workDir, maxPackageBytes, allowedUrls, host, port, /,
  },
  { content: { port: '8080' }, says: /"port": expected an integer .*, got "8080"/ },
  { content: { models: 'a' }, says: /"models": expected a list of one or more texts, got "a"/ },
  { content: { models: [] }, says: /"models": expected a list of one or more texts, got \[\]/ },
  { content: { host: '' }, says: /"host": expected a text, got ""/ },
] as const;

for (const { content, says } of wrongFiles) {
  t.test(`the file ${JSON.stringify(content)} is refused`, async t => {
    t.throws(() => readConfig(['--config', fileWith(content)], {}), {
      code: 'INFER_BAD_INPUT',
      message: says,
    });
  });
}

function takes({ type, range, choices }: SettingRow): string {
  if (type === 'integer') return `an integer from ${range?.[0]} to ${range?.[1]}`;
  if (type === 'choice') return `one of ${choices?.join(', ')}`;
  return type === 'list' ? 'texts, separated by commas where it is one text' : 'a text';
}

function rowOf(row: SettingRow): string {
  const value = Array.isArray(row.default) || row.default === '' ? 'none' : `\`${row.default}\``;
  const cells = [
    `\`${row.key}\``,
    `\`${flagOf(row.key)}\``,
    `\`${variableOf(row.key)}\``,
    takes(row),
    value,
    row.unit ?? '',
    row.description,
  ];
  return `| ${cells.join(' | ')} |`;
}

t.test('docs/server.md shows the table of settings', async t => {
  const lines = textOf('docs', 'server.md').split('\n');
  const start = lines.findIndex(line => line.startsWith('| Key | Flag |')) + 2;
  const rows = lines.slice(start, start + settingTable.length + 1);
  t.same(rows, [...settingTable.map(rowOf), '']);
});

t.test('the help shows every flag', async t => {
  for (const row of settingTable) t.ok(usage().includes(`${flagOf(row.key)} `), row.key);
});
