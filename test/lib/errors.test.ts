// SPDX-License-Identifier: Apache-2.0
// InferenceError: the code table, the wording of values, and the stack of the caller.
import t from 'tap';
import { describe, errorCodes, quote, quoteAll, toInferenceError } from '../../lib/errors.js';
import { InferenceError, loadModel, type Model } from '../../lib/index.js';
import { parseJson } from '../../lib/json.js';
import { failure, fixture, textOf } from '../helpers.js';

t.test('native code and lib have the same codes in the same order', async t => {
  const names = textOf('native/base/error.h').match(/"(INFER_[A-Z_]+)"/g) ?? [];
  t.same(
    names.map(name => name.slice(1, -1)),
    errorCodes,
  );
});

t.test('an InferenceError carries code, detail and cause', async t => {
  const cause = new Error('disk');
  const error = new InferenceError('INFER_INTERNAL', 'text', { detail: 'why', cause });
  t.match(error, {
    name: 'InferenceError',
    code: 'INFER_INTERNAL',
    detail: 'why',
    message: 'text',
  });
  t.equal(error.cause, cause);
  t.ok(error instanceof Error);
  const plain = new InferenceError('INFER_CLOSED', 'text');
  t.notOk('detail' in plain || 'cause' in plain);
});

const reasons = [
  {
    name: 'a native error',
    reason: { code: 'INFER_CLOSED', message: 'm', detail: 'd' },
    code: 'INFER_CLOSED',
    message: 'm',
  },
  {
    name: 'an unknown code',
    reason: { code: 'INFER_NOTHING', message: 'm' },
    code: 'INFER_INTERNAL',
    message: 'unexpected failure: Object',
  },
  {
    name: 'a common error',
    reason: new TypeError('odd'),
    code: 'INFER_INTERNAL',
    message: 'unexpected failure: odd',
  },
  { name: 'a string', reason: 'odd', code: 'INFER_INTERNAL', message: 'unexpected failure: "odd"' },
  {
    name: 'nothing',
    reason: undefined,
    code: 'INFER_INTERNAL',
    message: 'unexpected failure: undefined',
  },
];
for (const { name, reason, code, message } of reasons) {
  t.test(`${name} becomes an InferenceError`, async t => {
    const error = toInferenceError(reason);
    t.ok(error instanceof InferenceError);
    t.match(error, { code, message });
    t.equal(toInferenceError(error), error, 'and stays the same one');
  });
}

const hostile = new Proxy(
  {},
  {
    getPrototypeOf: () => {
      throw new Error('no');
    },
  },
);
const values: readonly (readonly [value: unknown, text: string])[] = [
  [undefined, 'undefined'],
  [null, 'null'],
  [true, 'true'],
  [0, '0'],
  [-0, '-0'],
  [Number.NaN, 'NaN'],
  [5n, '5n'],
  ['a', '"a"'],
  ['a\n\0', '"a\\n\\u0000"'],
  ['a'.repeat(99), `"${'a'.repeat(60)}..."`],
  [Symbol('s'), 'a symbol'],
  [() => 1, 'a function'],
  [[1, 2], 'Array of 2'],
  [{}, 'Object'],
  [Object.create(null), 'Object'],
  [new Map(), 'Map'],
  [new (class extends Array {})(), 'Array of 0'],
  [hostile, 'an object'],
];
for (const [value, text] of values) {
  t.test(`a message writes a value as ${text.slice(0, 20)}`, async t =>
    t.equal(describe(value), text),
  );
}

t.test('long lists of names are cut', async t => {
  const names = Array.from({ length: 25 }, (_, index) => `n${index}`);
  t.equal(quoteAll([]), 'none');
  t.equal(quoteAll(['a', 'b"']), '"a", "b\\""');
  t.match(quoteAll(names), /"n19" and 5 more$/);
  t.equal(quote('a'), '"a"');
});

const broken: readonly (readonly [text: string, line: number, column: number])[] = [
  ['', 1, 1],
  [' ', 1, 2],
  ['{', 1, 2],
  ['[1,]', 1, 4],
  ['[1 2]', 1, 4],
  ['{"a"}', 1, 5],
  ['{"a":}', 1, 6],
  ['{"a":1,}', 1, 8],
  ['{,}', 1, 2],
  ['[,]', 1, 2],
  ['{"a":1}}', 1, 8],
  ['[}', 1, 2],
  ['1 2', 1, 3],
  ['01', 1, 1],
  ['-', 1, 1],
  ['1.', 1, 1],
  ['.5', 1, 1],
  ['+1', 1, 1],
  ['1e', 1, 1],
  ['nul', 1, 1],
  ['True', 1, 1],
  ["{'a':1}", 1, 2],
  ['"a', 1, 1],
  ['"\\x"', 1, 1],
  ['"a\nb"', 1, 1],
  ['{\n "a": [\n  1,\n  oops\n]}', 4, 3],
  ['// note\n{}', 1, 1],
  ['{"a":1}\n\u00a0', 2, 1],
  ['\uFEFF{"a" 1}', 1, 6],
  ['NaN', 1, 1],
];
for (const [text, line, column] of broken) {
  t.test(`JSON ${JSON.stringify(text)} is wrong at ${line}:${column}`, async t => {
    t.throws(() => JSON.parse(text.replace('\uFEFF', '')), 'it is wrong');
    t.match(parseJson(text), { problem: { line, column } });
  });
}

t.test('JSON with a byte-order mark is read', async t => {
  t.same(parseJson('\uFEFF{"a":[1,-2.5e3,"\\u00fc",true,false,null,{}]}'), {
    value: { a: [1, -2500, 'ü', true, false, null, {}] },
  });
});

/** Named, so that the stack can be searched for it. */
async function askingCaller(model: Model, index: bigint): Promise<unknown> {
  return await model.predict({ index: new BigInt64Array([index]) });
}

t.test('an error of the engine shows who called predict()', async t => {
  const model = await loadModel(fixture('gather.onnx'));
  t.teardown(() => model.close());
  const error = await failure(askingCaller(model, 99n));
  t.equal(error.code, 'INFER_ENGINE_FAILED');
  t.match(error.stack, /^InferenceError: .*\n(.*\n)*? +at async askingCaller/);
});

t.test('errors are made with stacks switched off, too', async t => {
  const { stackTraceLimit } = Error;
  t.teardown(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  Error.stackTraceLimit = 0;
  const error = await failure(loadModel('none.onnx'));
  t.equal(error.stack, `InferenceError: ${error.message}`);
});

t.test('a refused input shows who called predict(), and nothing of this package', async t => {
  const model = await loadModel(fixture('gather.onnx'));
  t.teardown(() => model.close());
  const askingWrongly = () => model.predict({});
  const error = await failure(askingWrongly());
  t.match(error.stack, /^InferenceError: input "index": missing.*\n +at askingWrongly/);
});
