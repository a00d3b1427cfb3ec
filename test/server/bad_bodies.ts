// SPDX-License-Identifier: Apache-2.0
// Bad JSON bodies: text that is no JSON, wrong shapes and values, wrong V2 requests.
import { type BadRequest, row } from './bad_requests.js';

/** Text that is no request of any form. */
export const texts: readonly BadRequest[] = [
  row('iris', '', /^body: expected JSON, got no bytes$/),
  row('iris', 'nope', /^body: expected JSON, got "nope" at position 0$/),
  row('iris', '[[NaN,1,2,3]]', /^body: expected JSON, got "NaN,.* at position 2 \(JSON has no NaN/),
  row(
    'iris',
    '[[1,Infinity,2,3]]',
    /^body: expected JSON, got .* at position 4 \(JSON has no NaN and/,
  ),
  row('iris', '[[1,2,3,-Infinity]]', /^body: expected JSON, got .* at position 8 \(JSON has no/),
  row('iris', '[[1,2,3,4]', /^body: expected JSON, got the end of the text at position 10$/),
  row(
    'iris',
    Buffer.from([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]),
    /^body: expected JSON in UTF-8, got/,
  ),
  row('iris', '['.repeat(120), /^body: expected at most 100 levels of nesting, got more/),
  row(
    'iris',
    '{"instances":'.repeat(10_000),
    /^body: expected at most 100 levels of nesting, got more/,
  ),
  row('iris', '['.repeat(1_000_000), /^body: expected at most 100 levels of nesting, got more/),
  row(
    'iris',
    '{}',
    /^body: expected \{"inputs".* or \{"instances".* or a nested array, got an object$/,
  ),
  row('iris', 'null', /^body: expected .*, got null$/),
  row('iris', '5.1', /^body: expected .*, got 5\.1$/),
];

/** Bare arrays and instances whose shape or values are wrong. */
export const arrays: readonly BadRequest[] = [
  row('iris', '[[1,2,3]]', /^body\[0\]: expected 4 values along axis 1 of "features" .*, got 3$/),
  row(
    'iris',
    '[[1,2,3,4,5]]',
    /^body\[0\]: expected 4 values along axis 1 of "features" .*, got 5$/,
  ),
  row('iris', '[[1,2,3,4],[1,2]]', /^body\[1\]: expected an array of 4 .*, got an array of 2$/),
  row(
    'iris',
    '[[1,2,3,4],[1,2,3,[4]]]',
    /^body\[1\]\[3\]: expected a finite number .*, got an array of 1$/,
  ),
  row('iris', '[1,2,3,4]', /^body\[0\]: expected an array for axis 1 of "features" .*, got 1$/),
  row(
    'iris',
    '[[[1,2,3,4]]]',
    /^body\[0\]: expected 4 values along axis 1 of "features" .*, got 1$/,
  ),
  row(
    'iris',
    '[["5.1",1,2,3]]',
    /^body\[0\]\[0\]: expected a finite number .*, got the string "5\.1"$/,
  ),
  row('iris', '[[1,null,2,3]]', /^body\[0\]\[1\]: expected a finite number .*, got null$/),
  row('iris', '[[1,2,true,3]]', /^body\[0\]\[2\]: expected a finite number .*, got true$/),
  row(
    'iris',
    '[[1,2,3,1e999]]',
    /^body\[0\]\[3\]: expected a finite number .*, got a number beyond float64$/,
  ),
  row(
    'iris',
    '[[1,2,3,1e39]]',
    /^body\[0\]\[3\]: expected a finite number within float32 .*, got 1e\+39$/,
  ),
  row('iris', '{"instances":5}', /^instances: expected an array of rows, got 5$/),
  row(
    'iris',
    '{"instances":[[1,2]]}',
    /^instances\[0\]: expected 4 values along axis 1 .*, got 2$/,
  ),
  row(
    'iris',
    '{"instances":[{"petals":[1]}]}',
    /^instances\[0\]: expected only inputs of model "iris" \("features"\), got "petals"$/,
  ),
  row(
    'iris',
    '{"instances":[{"features":[1,2,3,"x"]}]}',
    /^instances\[0\]\.features\[3\]: expected .*, got the string "x"$/,
  ),
  row(
    'iris',
    '{"instances":[{"features":[1,2,3,4]},7]}',
    /^instances\[1\]: expected an object like the first, got 7$/,
  ),
  row(
    'all_outputs_fixed',
    '{"instances":[[1,2],[3,4]]}',
    /^instances: expected a model whose outputs have a row for each, got 1 rows for 2 instances$/,
  ),
  row(
    'wide_output',
    '[[1]]',
    /^body: expected rows whose answer has at most 3000000 bytes .*, got rows .* about 3145728$/,
  ),
  row('gather', '[[7]]', /^the model failed: .*indices element out of data bounds, idx=7/),
  row('two_inputs', '[[1,2]]', /^body: expected objects in .* inputs "a", "b", got an array$/),
  row(
    'two_inputs',
    '{"instances":[[1,2]]}',
    /^instances\[0\]: expected an object by input name, .*, got an array$/,
  ),
  row(
    'two_inputs',
    '{"instances":[{"a":[1,2]}]}',
    /^instances\[0\]: expected a value for input "b", got none$/,
  ),
  row(
    'identity_uint8',
    '[[256,0]]',
    /^body\[0\]\[0\]: expected an integer from 0 to 255 .*, got 256$/,
  ),
  row(
    'identity_uint8',
    '[[0,-1]]',
    /^body\[0\]\[1\]: expected an integer from 0 to 255 .*, got -1$/,
  ),
  row('identity_uint8', '[[1.5,0]]', /^body\[0\]\[0\]: expected an integer .*, got 1\.5$/),
  row(
    'identity_int64',
    '[[9223372036854775808,0]]',
    /^body\[0\]\[0\]: expected an integer from -9223372036854775808 to 9.* got 9223372036854775808$/,
  ),
  row(
    'identity_float16',
    '[[1,70000]]',
    /^body\[0\]\[1\]: expected a finite number within float16 .*, got 70000$/,
  ),
  row('identity_bool', '[[true,2]]', /^body\[0\]\[1\]: expected true, false, 1 or 0 .*, got 2$/),
  row('identity_string', '[["a",1]]', /^body\[0\]\[1\]: expected a string .*, got 1$/),
];

/** A V2 body for iris with parts replaced. */
function v2(input: object, rest: object = {}): string {
  const good = { name: 'features', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
  return JSON.stringify({ inputs: [{ ...good, ...input }], ...rest });
}

const twice = JSON.stringify({
  inputs: [1, 2].map(() => ({
    name: 'features',
    datatype: 'FP32',
    shape: [1, 4],
    data: [1, 2, 3, 4],
  })),
});
const prototype =
  '{"inputs":[{"name":"__proto__","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]}';

export const v2Bodies: readonly BadRequest[] = [
  row('iris', '{"inputs":5}', /^inputs: expected an array of tensors, got 5$/),
  row(
    'iris',
    '{"inputs":[]}',
    /^inputs: expected all inputs of model "iris", got none named "features"$/,
  ),
  row('iris', '{"inputs":[7]}', /^inputs\[0\]: expected an object, got 7$/),
  row(
    'iris',
    v2({ name: 'petals' }),
    /^inputs\[0\]\.name: expected an input of model "iris" \("features"\), got the string "petals"$/,
  ),
  row('iris', prototype, /^inputs\[0\]\.name: expected an input .*, got the string "__proto__"$/),
  row('iris', twice, /^inputs\[1\]\.name: expected each input once, got "features" again$/),
  row(
    'iris',
    v2({ datatype: 'INT32' }),
    /^inputs\[0\]\.datatype: expected "FP32" for "features" .*, got the string "INT32"$/,
  ),
  row(
    'iris',
    v2({ datatype: undefined }),
    /^inputs\[0\]\.datatype: expected "FP32" .*, got nothing$/,
  ),
  row('iris', v2({ shape: 4 }), /^inputs\[0\]\.shape: expected an array of integers, got 4$/),
  row('iris', v2({ shape: [4] }), /^inputs\[0\]\.shape: expected 2 axes for "features" .*, got 1$/),
  row(
    'iris',
    v2({ shape: [-1, 4] }),
    /^inputs\[0\]\.shape\[0\]: expected an integer from 0 .*, got -1$/,
  ),
  row(
    'iris',
    v2({ shape: [1.5, 4] }),
    /^inputs\[0\]\.shape\[0\]: expected an integer from 0 .*, got 1\.5$/,
  ),
  row(
    'iris',
    v2({ shape: [1, 3] }),
    /^inputs\[0\]\.shape\[1\]: expected 4 for "features" .*, got 3$/,
  ),
  row(
    'iris',
    v2({ shape: [2147483648, 4] }),
    /^inputs\[0\]\.shape\[0\]: expected .* to 2147483647, got 2147483648$/,
  ),
  row('iris', v2({ shape: [1e30, 4] }), /^inputs\[0\]\.shape\[0\]: expected .*, got 1e\+30$/),
  row(
    'iris',
    v2({ shape: [2147483647, 4] }),
    /^inputs\[0\]\.shape\[0\]: expected at most \d+, the bytes of the body, got 2147483647$/,
  ),
  row('iris', v2({ shape: [60, 4] }), /^inputs\[0\]\.data: expected 240 elements .*, got 4$/),
  ...[
    [2147483647, 0],
    [0, 2147483647],
    [300000000, 0],
  ].map(shape =>
    row(
      'free_axes',
      JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape, data: [] }] }),
      /^inputs\[0\]\.shape\[[01]\]: expected at most \d+, the bytes of the body, got \d{9,}$/,
    ),
  ),
  row(
    'iris',
    v2({ data: [1, 2, 3] }),
    /^inputs\[0\]\.data: expected 4 elements for shape \[1, 4\], got 3$/,
  ),
  row(
    'iris',
    v2({ data: undefined }),
    /^inputs\[0\]\.data: expected an array of elements .*, got nothing$/,
  ),
  row(
    'iris',
    v2({
      shape: [2, 4],
      data: [
        [1, 2, 3, 4],
        [5, 6, 7],
      ],
    }),
    /^inputs\[0\]\.data\[1\]: expected an array of 4 .*, got an array of 3$/,
  ),
  row(
    'iris',
    v2({ data: [1, 2, 'x', 4] }),
    /^inputs\[0\]\.data\[2\]: expected a finite number .*, got the string "x"$/,
  ),
  row(
    'iris',
    v2({ parameters: { binary_data_size: 16 } }),
    /^inputs\[0\]\.parameters\.binary_data_size: expected none, .*, got 16$/,
  ),
  row('iris', v2({}, { id: 7 }), /^id: expected a string, got 7$/),
  row('iris', v2({}, { outputs: 7 }), /^outputs: expected an array of objects, got 7$/),
  row(
    'iris',
    v2({}, { outputs: [{ name: 'class' }] }),
    /^outputs\[0\]\.name: expected an output of model "iris" \("probabilities"\), got the string "class"$/,
  ),
  row(
    'iris',
    v2({}, { outputs: Array(1000).fill({ name: 'probabilities' }) }),
    /^outputs\[1\]\.name: expected each output once, got "probabilities" again$/,
  ),
  row(
    'two_inputs',
    '{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]}]}',
    /^inputs: expected all inputs .*, got none named "b"$/,
  ),
];
