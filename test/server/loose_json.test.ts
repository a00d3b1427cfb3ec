// SPDX-License-Identifier: Apache-2.0
// JSON with single quotes, and texts that would cost more than their length.
import t from 'tap';
import { parseLoosely } from '../../server/protocol/mms/loose_json.js';

const read = [
  { text: `{'a': 'b'}`, value: { a: 'b' } },
  { text: `{"it's": 'a "b"'}`, value: { "it's": 'a "b"' } },
  { text: String.raw`{'it\'s': "\"'\\"}`, value: { "it's": `"'\\` } },
  { text: String.raw`['\\', '\n', '']`, value: ['\\', '\n', ''] },
] as const;

for (const { text, value } of read) {
  t.test(`${text} is read`, async t => t.same(parseLoosely(Buffer.from(text)), value));
}

for (const text of [`{'a`, `{"a': 1}`, `{'a': "b}`, `{'a': 'b\\`, `{'a': 'b\\'}`, `'`, `{a: ''}`]) {
  t.test(`${text} is refused`, async t => {
    t.throws(() => parseLoosely(Buffer.from(text)), { code: 'INFER_BAD_INPUT' });
  });
}

// Where each quote is looked at with all that follows it, these take hours.
for (const part of ['\\"', '"', "\\'", '\\', 'a']) {
  t.test(`a million of ${part} behind a single quote end`, async t => {
    const text = `{'${part.repeat(1_000_000)}`;
    t.throws(() => parseLoosely(Buffer.from(text)), { code: 'INFER_BAD_INPUT' });
  });
}
