// SPDX-License-Identifier: Apache-2.0
// config.properties, MMS_* variables, mms.conf and the flags of multi-model-server as our settings.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { explainText } from '../../server/explain.js';
import type { Environment } from '../../server/layers.js';
import { explainMms, readCommandLine } from '../../server/mms/command_line.js';
import { readProperties } from '../../server/mms/file.js';
import { type MmsKey, mmsKeys } from '../../server/mms/keys.js';
import { parseProperties } from '../../server/mms/properties.js';
import { explainConfig } from '../../server/settings.js';
import { textOf } from '../helpers.js';

const folder = mkdtempSync(join(tmpdir(), 'mms-config-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const store = join(folder, 'store');
mkdirSync(store);
let made = 0;

function fileOf(text: string): string {
  const path = join(folder, `${made++}.properties`);
  writeFileSync(path, text);
  return path;
}

/** @source the text of java.util.Properties.load(Reader) in the documentation of Java. */
const texts: readonly { readonly text: string; readonly is: readonly unknown[] }[] = [
  { text: 'a=1\nb : 2\nc 3\n', is: ['a', '1', 1, 'b', '2', 2, 'c', '3', 3] },
  { text: '# no\n! no\n\n  \n\ta\t=\t1  ', is: ['a', '1  ', 5] },
  { text: 'fruits  apple, \\\n    pear, \\\r\n  # fig', is: ['fruits', 'apple, pear, # fig', 1] },
  { text: 'a=1\\\\\nb=2', is: ['a', '1\\', 1, 'b', '2', 2] },
  { text: 'a=1\\', is: ['a', '1', 1] },
  { text: 'k\\:e\\=y\\ s=v\\tw\\u0041\\z', is: ['k:e=y s', 'v\twAz', 1] },
  { text: 'cheeses', is: ['cheeses', '', 1] },
  { text: 'a==b=c', is: ['a', '=b=c', 1] },
  { text: '\uFEFFa=1', is: ['a', '1', 1] },
];

for (const { text, is } of texts) {
  t.test(`${JSON.stringify(text)} is read as Java reads it`, async t => {
    const found = parseProperties(text).flatMap(({ key, value, line }) => [key, value, line]);
    t.same(found, is);
  });
}

const mapped: readonly { readonly text: string; readonly config: object }[] = [
  { text: 'inference_address=http://0.0.0.0:9000', config: { host: '0.0.0.0', port: 9000 } },
  { text: 'inference_address=HTTP://host', config: { host: 'host', port: 80 } },
  { text: 'inference_address=http://[::1]:1/', config: { host: '::1', port: 1 } },
  {
    text: 'management_address=http://0.0.0.0',
    config: { managementHost: '0.0.0.0', managementPort: 8081 },
  },
  { text: 'metrics_address=http://h:7', config: { metricsHost: 'h', metricsPort: 7 } },
  { text: 'model_store=/models', config: { modelStore: '/models' } },
  { text: 'load_models=a.mar, x=b.mar ,', config: { models: ['a.mar', 'x=b.mar'] } },
  { text: 'load_models=ALL', config: { models: ['ALL'] } },
  { text: 'load_models=', config: { models: [] } },
  { text: 'max_request_size=10485760', config: { maxRequestBytes: 10_485_760 } },
  {
    text: 'max_request_size=1000000000',
    config: { maxRequestBytes: 1e9, maxBufferedBytes: 1e9 },
  },
  { text: 'max_response_size=2000000000', config: { maxResponseBytes: 2 ** 28 } },
  { text: 'number_of_netty_threads=0', config: { httpThreads: 1 } },
  {
    text: 'number_of_netty_threads=96',
    config: { httpThreads: 64, maxBufferedBytes: 64 * 6_553_500 },
  },
  { text: 'default_workers_per_model=3', config: { defaultWorkers: 3 } },
  { text: 'unregister_model_timeout=7', config: { unregisterTimeoutMs: 7000 } },
  { text: 'legacy_04_responses=TRUE', config: { profile: 'mms-0.x' } },
  { text: 'legacy_04_responses=false', config: { profile: 'mms' } },
  { text: 'default_response_timeout=2', config: { responseTimeoutMs: 120_000 } },
  {
    text: 'default_response_timeout_seconds=2\ndefault_response_timeout=5',
    config: { responseTimeoutMs: 2000 },
  },
  { text: 'default_response_timeout=-1', config: { responseTimeoutMs: 0 } },
  {
    text: 'allowed_urls=http://a/.*,file://.*',
    config: { allowedUrls: ['http://a/.*', 'file://.*'] },
  },
  { text: 'max_request_size=1\nmax_request_size=2', config: { maxRequestBytes: 2 } },
];

for (const { text, config } of mapped) {
  t.test(`${text.replace('\n', ' ')} becomes our setting`, async t => {
    const report = explainConfig(['--config', fileOf(text)], {});
    t.match(report.config, config);
    t.same(report.notes, []);
  });
}

const refused: readonly { readonly text: string; readonly says: string }[] = [
  { text: '\n\nmax_request_size=x', says: ':3: max_request_size: expected an integer, got "x"' },
  { text: 'max_request_size=-1', says: ':1: max_request_size: expected an integer from 1 to ' },
  { text: 'job_queue_size=many', says: ':1: job_queue_size: expected an integer, got "many"' },
  { text: 'debug=yes', says: ':1: debug: expected true or false, got "yes"' },
  {
    text: 'inference_address=localhost:80',
    says: ':1: inference_address: expected http://host:port, https://host:port or unix:/path, got "localhost:80"',
  },
  { text: 'inference_address=unix:m.sock', says: 'or unix:/path, got "unix:m.sock"' },
  { text: 'cors_allowed_origin=a\\nb', says: 'cors_allowed_origin: expected printable ASCII' },
  { text: 'inference_address=http://h:99999', says: 'expected an integer from 0 to 65535' },
  {
    text: 'enable_model_api=false',
    says: ':1: enable_model_api: expected true: this version always has the management API',
  },
  {
    text: 'model_store=$$NOT_SET$$',
    says: 'Invalid configuration: Invalid Environment Variable NOT_SET (',
  },
];

for (const { text, says } of refused) {
  t.test(`${JSON.stringify(text)} is refused`, async t => {
    const path = fileOf(text);
    const read = () => explainConfig(['--config', path], {});
    const error = t.throws(read, { code: 'INFER_BAD_INPUT' }) as unknown as Error;
    t.ok(error.message.includes(says), error.message);
    t.ok(error.message.includes(path), 'the file is named');
  });
}

t.test('every known key is used or has a reason, whatever its case may be', async t => {
  t.ok(mmsKeys.length > 50);
  const values = { text: 'x', integer: '7', boolean: 'true', address: 'http://h:1' };
  for (const row of mmsKeys) {
    const value = row.unless === 'true' ? 'false' : values[row.type];
    const { layer, notes } = readProperties(`${row.key}=${value}`, 'f', {});
    const kinds = notes.map(({ kind }) => kind);
    if (row.ignored !== undefined) t.same(kinds, ['ignored'], row.key);
    else if (row.unsupported !== undefined) t.same(kinds, ['unsupported'], row.key);
    else t.same(kinds, [], row.key);
    t.equal(
      layer.size > 0,
      row.settings !== undefined && Object.keys(row.settings(value)).length > 0,
    );
  }
  const { notes } = readProperties(
    'job_queue=1\ngrpc_inference_port=7070\nipex_enable=true',
    'f',
    {},
  );
  t.match(notes, [
    { kind: 'unknown', key: 'job_queue', source: 'f:1' },
    { kind: 'unsupported', key: 'grpc_inference_port', source: 'f:2' },
    { kind: 'ignored', key: 'ipex_enable', source: 'f:3' },
  ]);
  const usual = 'number_of_gpu=0\ndebug=FALSE\nenable_model_api=true';
  t.same(readProperties(usual, 'f', {}).notes, [], 'what we do anyway');
});

function explain(args: readonly string[], environment: Environment = {}) {
  return explainMms(readCommandLine(args), environment);
}

t.test(
  'variables that the file lets in win over flags, flags over ours, ours over the file',
  async t => {
    const lines = ['load_models=file.mar', 'max_request_size=10', 'max_response_size=11'];
    const variables = {
      MMS_LOAD_MODELS: 'variable.mar',
      MMS_VMARGS: 'none',
      INFERENCE_NATIVE_MAX_RESPONSE_BYTES: '12',
    };
    const shut = fileOf(lines.join('\n'));
    const args = ['--model-store', store, '--models', 'flag.mar', 'x=y.mar', '--mms-config'];
    const without = explain([...args, shut], variables);
    t.same(without.config.models, ['flag.mar', 'x=y.mar']);
    t.match(without.config, { modelStore: store, maxRequestBytes: 10, maxResponseBytes: 12 });
    t.match(without.sources, {
      models: '--models',
      maxRequestBytes: `${shut}:2: max_request_size`,
      maxResponseBytes: 'INFERENCE_NATIVE_MAX_RESPONSE_BYTES',
      port: 'default',
    });
    const open = fileOf([...lines, 'enable_envvars_config=true'].join('\n'));
    const { config, sources, notes } = explain([...args, open], variables);
    t.same(config.models, ['variable.mar']);
    t.equal(sources.models, 'MMS_LOAD_MODELS: load_models');
    t.same(notes, [], 'vmargs is no variable');
  },
);

t.test('the file is that of MMS_CONFIG_FILE, of the flag, or config.properties here', async t => {
  const one = fileOf('max_request_size=1');
  const two = fileOf('max_request_size=2');
  const chosen = explain(['--mms-config', one], { MMS_CONFIG_FILE: two });
  t.equal(chosen.config.maxRequestBytes, 2);
  t.equal(explain(['--mms-config', one]).config.maxRequestBytes, 1);
  const empty = explain(['--mms-config', one], { MMS_CONFIG_FILE: '' });
  t.equal(empty.config.maxRequestBytes, 1);
  t.equal(explain([]).config.maxRequestBytes, 6_553_500);
  const here = process.cwd();
  t.teardown(() => process.chdir(here));
  process.chdir(store);
  writeFileSync(join(store, 'config.properties'), 'max_request_size=3');
  t.teardown(() => rmSync(join(store, 'config.properties')));
  const { config, sources } = explain([]);
  t.equal(config.maxRequestBytes, 3);
  t.equal(sources.maxRequestBytes, 'config.properties:1: max_request_size');
});

t.test('the word sagemaker chooses one listener from variables that have to be set', async t => {
  const names = ['RESPONSE_TIMEOUT', 'NUM_MODEL_WORKERS', 'MAX_RESPONSE_SIZE', 'MAX_REQUEST_SIZE'];
  const environment = {
    ...Object.fromEntries(names.map(name => [`SAGEMAKER_${name}`, '60'])),
    SAGEMAKER_BIND_TO_PORT: '8088',
    SAGEMAKER_MODEL_STORE: '/',
    SAGEMAKER_HANDLER: 'service:handle',
  };
  const { config } = explain(['--mms-config', 'sagemaker'], environment);
  t.match(config, {
    host: '0.0.0.0',
    port: 8088,
    managementHost: '0.0.0.0',
    managementPort: 8088,
    modelStore: '/',
    maxRequestBytes: 60,
  });
  const missing = () => explain(['--mms-config', 'sagemaker'], {});
  t.throws(missing, { message: /Invalid Environment Variable SAGEMAKER_BIND_TO_PORT/ });
});

const emptied = [
  { variable: 'MMS_LOAD_MODELS', value: '', file: 'load_models=a.mar', key: 'models', is: [] },
  {
    variable: 'MMS_NUMBER_OF_NETTY_THREADS',
    value: '0',
    file: 'number_of_netty_threads=5',
    key: 'httpThreads',
    is: 1,
  },
  { variable: 'MMS_MODEL_STORE', value: '', file: 'model_store=/', key: 'modelStore', is: '' },
] as const;

for (const { variable, value, file, key, is } of emptied) {
  t.test(`${variable}=${value} takes back what the file says`, async t => {
    const path = fileOf(`enable_envvars_config=true\n${file}`);
    t.same(explain(['--mms-config', path], { [variable]: value }).config[key], is);
    t.notSame(explain(['--mms-config', path]).config[key], is);
  });
}

const lines: readonly { readonly args: readonly string[]; readonly says: string }[] = [
  { args: ['--strat'], says: '--strat: no such flag; known are --start, start, --stop, ' },
  { args: ['--start', '--stop'], says: 'expected one of start and stop, got both' },
  { args: ['--mms-config'], says: '--mms-config: expected a value after it, got null' },
  { args: ['--model-store', '--start'], says: '--model-store: expected a value after it' },
  { args: ['--models'], says: '--models: expected a value after it, got null' },
  { args: ['--mms-config', '/no'], says: '--mms-config file not found: /no' },
  { args: ['--model-store', '/no'], says: '--model-store directory not found: /no' },
  { args: ['constructor'], says: 'constructor: no such flag; known are --start, ' },
  { args: ['--stop=no'], says: '--stop: expected no value, got "no"' },
  { args: ['--models', 'a=b.mar'], says: '--model-store is required to load model locally.' },
];

for (const { args, says } of lines) {
  t.test(`"${args.join(' ')}" is refused`, async t => {
    const error = t.throws(() => explain(args), { code: 'INFER_BAD_INPUT' }) as unknown as Error;
    t.ok(error.message.startsWith(says), error.message);
  });
}

t.test('flags take their values in all spellings', async t => {
  t.match(readCommandLine(['--models', 'a', 'b=c', '--foreground', '--model-store=s']), {
    action: 'start',
    models: ['a', 'b=c'],
    foreground: true,
    modelStore: 's',
  });
  t.equal(explain(['--models', 'ALL']).config.models[0], 'ALL', 'needs no store by itself');
  const { notes } = explain(['--log-config', 'log4j2.xml']);
  t.match(notes, [{ kind: 'ignored', key: 'log-config', source: '--log-config' }]);
});

t.test('the explanation names each value, its source, and what had no effect', async t => {
  const path = fileOf('max_request_size=9\nkeystore_pass=secret\nwhat=1');
  const text = explainText(explainConfig(['--config', path, '--port', '1', 'a', 'b'], {}));
  const rows = text.split('\n');
  t.match(rows[0], /^models +a,b +--models$/);
  t.ok(rows.some(row => /^port +1 +--port$/.test(row)));
  t.ok(rows.some(row => /^maxRequestBytes +9 +.*:1: max_request_size$/.test(row)));
  t.ok(rows.some(row => /^drainGraceMs +1000 +default$/.test(row)));
  t.match(text, /^tlsPassphrase +set +.*:2: keystore_pass$/m);
  t.match(text, `unknown: what (${path}:3): there is no such key\n`);
  t.notMatch(text, 'secret');
});

t.test('a pattern that is none is refused before anything is started', async t => {
  const path = fileOf('allowed_urls=http://a/(');
  const read = () => explain(['--mms-config', path]);
  t.throws(read, { code: 'INFER_BAD_INPUT', message: /allowedUrls: .*"http:\/\/a\/\("/ });
});

t.test('the explanation shows no secrets of URLs', async t => {
  const text = explainText(explain(['--models', 'a=https://secret:secret@h/a.mar?secret#secret']));
  t.match(text, /^models +a=https:\/\/h\/a.mar +--models$/m);
  t.notMatch(text, 'secret');
});

/** What docs/mms.md says about a key. */
function meaning({ ignored, unsupported, unless, refused: never }: MmsKey): string {
  if (ignored !== undefined) return `ignored: ${ignored}`;
  const but = unless === undefined ? '' : `, unless \`${unless}\``;
  if (unsupported !== undefined) return `not yet supported${but}: ${unsupported}`;
  return never === undefined ? 'used' : `\`${never.value}\` is refused`;
}

t.test('docs/mms.md shows the table of keys', async t => {
  const lines = textOf('docs', 'mms.md').split('\n');
  const start = lines.findIndex(line => line.startsWith('| Key |')) + 2;
  const rows = mmsKeys.map(row => {
    const named = row.variable ?? (row.isVariable && `MMS_${row.key.toUpperCase()}`);
    const variable = named === undefined ? '' : `\`${named}\``;
    return `| \`${row.key}\` | ${row.type} | ${variable} | ${meaning(row)} |`;
  });
  t.same(lines.slice(start, start + rows.length + 1), [...rows, '']);
});
