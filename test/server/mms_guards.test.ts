// SPDX-License-Identifier: Apache-2.0
// The keys of Multi Model Server and TorchServe about TLS, sockets, tokens and pages of other sites.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Environment } from '../../server/layers.js';
import { explainMms, readCommandLine } from '../../server/mms/command_line.js';

const folder = mkdtempSync(join(tmpdir(), 'mms-guards-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let made = 0;

function explain(text: string, environment: Environment = {}) {
  const path = join(folder, `${made++}.properties`);
  writeFileSync(path, text);
  return explainMms(readCommandLine(['--mms-config', path]), environment);
}

const mapped: readonly { readonly text: string; readonly config: object }[] = [
  { text: 'inference_address=https://h', config: { host: 'https://h', port: 443 } },
  {
    text: 'management_address=HTTPS://[::1]',
    config: { managementHost: 'https://::1', managementPort: 8444 },
  },
  { text: 'metrics_address=https://h', config: { metricsHost: 'https://h', metricsPort: 8445 } },
  { text: 'management_address=unix:/tmp/m.sock', config: { managementHost: 'unix:/tmp/m.sock' } },
  { text: 'keystore=/k.p12', config: { tlsKeystore: '/k.p12' } },
  { text: 'keystore_pass=word', config: { tlsPassphrase: 'word' } },
  { text: 'private_key_file=/k.pem', config: { tlsPrivateKeyFile: '/k.pem' } },
  { text: 'certificate_file=/c.pem', config: { tlsCertificateFile: '/c.pem' } },
  { text: 'cors_allowed_origin=*', config: { corsAllowedOrigin: '*' } },
  { text: 'cors_allowed_methods=GET, POST', config: { corsAllowedMethods: 'GET, POST' } },
  { text: 'cors_allowed_headers=', config: { corsAllowedHeaders: '' } },
  { text: 'disable_token_authorization=true', config: { tokens: 'optional', tokenFiles: [] } },
];

for (const { text, config } of mapped) {
  t.test(`${text} becomes our setting`, async t => {
    const report = explain(text);
    t.match(report.config, config);
    t.same(report.notes, []);
  });
}

t.test('TorchServe tokens that are asked for need a file', async t => {
  const file = 'disable_token_authorization=false';
  const says = /^tokenFiles: expected one for inference, management, metrics/;
  const refuse = (text: string, environment: Environment = {}) =>
    t.throws(() => explain(text, environment), { message: says });
  refuse(file);
  const variable = { TS_DISABLE_TOKEN_AUTHORIZATION: 'false' };
  refuse('enable_envvars_config=true\ndisable_token_authorization=true', variable);
  t.equal(explain('', variable).config.tokens, 'optional', 'not let in');
  const given = { INFERENCE_NATIVE_TOKEN_FILES: '/run/tokens' };
  t.equal(explain(file, given).config.tokens, 'required');
});
