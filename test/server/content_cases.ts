// SPDX-License-Identifier: Apache-2.0
// Tables of bodies by content type: good ones with their answers, and those that are refused.
import { npyFile, zipFile } from './array_files.js';

export function npyOf(descr: string, shape: string, elements: ArrayBufferView): Buffer {
  const { buffer, byteOffset, byteLength } = elements;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  return npyFile(`{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`, bytes);
}

export const npy = 'application/x-npy';
export const npz = 'application/x-npz';
export const floats = npyOf('<f4', '(2, 2)', Float32Array.of(1, 2.5, -3, 4));
const columns = npyFile(
  "{'descr': '>f8', 'fortran_order': True, 'shape': (2, 2), }",
  Buffer.from('3ff0000000000000c00800000000000040040000000000004010000000000000', 'hex'),
);
export const both = [
  { name: 'a.npy', content: npyOf('<f4', '(1, 2)', Float32Array.of(1, 2)) },
  {
    name: 'b.npy',
    content: npyOf('<i8', '(1, 3)', BigInt64Array.of(10n, 20n, 30n)),
    deflated: true,
  },
];
export const rows = '[[1,2.5],[-3,4]]';

export const cases = [
  { model: 'identity_float32', type: 'text/csv', body: '1,2.5\n-3,4\n', gives: rows },
  {
    model: 'identity_float32',
    type: 'TEXT/CSV; charset=utf-8',
    body: ' 1, 2.5\r\n-3,4',
    gives: rows,
  },
  {
    model: 'identity_float32',
    type: 'text/csv',
    accept: 'text/csv',
    body: '1,2.5\n-3,nan\n',
    gives: '1,2.5\n-3,nan\n',
  },
  {
    model: 'identity_string',
    type: 'text/csv',
    accept: 'text/csv',
    body: '"a,b",c\n',
    gives: '"a,b",c\n',
  },
  {
    model: 'identity_bool',
    type: 'text/csv',
    accept: 'text/csv',
    body: 'True,0\n',
    gives: 'True,False\n',
  },
  { model: 'identity_float32', accept: 'text/csv', body: rows, gives: '1,2.5\n-3,4\n' },
  {
    model: 'identity_float32',
    type: 'application/jsonlines',
    body: '[1,2.5]\n[-3,4]\n',
    gives: `{"predictions":${rows}}`,
  },
  {
    model: 'identity_float32',
    type: 'application/x-ndjson',
    accept: 'application/x-ndjson',
    body: '{"x":[1,2.5]}\n{"x":[-3,4]}',
    gives: '[1,2.5]\n[-3,4]\n',
  },
  {
    model: 'identity_float32',
    type: 'application/json',
    accept: 'application/jsonlines',
    body: `{"instances":${rows}}`,
    gives: '[1,2.5]\n[-3,4]\n',
  },
  {
    model: 'identity_float32',
    type: 'application/json',
    body: '{"instances":[{"data":{"features":{"values":[1,2]}}},{"features":[3,4]}]}',
    gives: '{"predictions":[[1,2],[3,4]]}',
  },
  { model: 'identity_float32', type: npy, body: floats, gives: rows },
  {
    model: 'identity_float32',
    type: npy,
    accept: 'text/csv',
    body: floats,
    gives: '1,2.5\n-3,4\n',
  },
  {
    model: 'identity_float32',
    type: npy,
    accept: 'application/jsonlines',
    body: floats,
    gives: '[1,2.5]\n[-3,4]\n',
  },
  { model: 'identity_float32', type: npy, body: columns, gives: rows },
  {
    model: 'identity_int8',
    type: npy,
    body: npyOf('<i8', '(1, 2)', BigInt64Array.of(1n, -2n)),
    gives: '[[1,-2]]',
  },
  { model: 'scalar', type: npy, body: npyOf('<f4', '()', Float32Array.of(3)), gives: '6' },
  { model: 'scalar', type: 'text/csv', body: '3\n', gives: '6' },
  { model: 'two_inputs', type: npz, body: zipFile(both), gives: '{"sum":[[63]],"scaled":[[2,4]]}' },
  { model: 'two_inputs', type: npz, accept: 'text/csv', body: zipFile(both), gives: '63\n' },
  {
    model: 'two_inputs',
    type: npz,
    accept: 'application/jsonlines',
    body: zipFile(both),
    gives: '{"sum":[63],"scaled":[2,4]}\n',
  },
  {
    model: 'identity_float32',
    type: npz,
    body: zipFile([{ name: 'arr_0.npy', content: floats }]),
    gives: rows,
  },
  { model: 'identity_float32', accept: 'image/png, text/csv', body: rows, gives: '1,2.5\n-3,4\n' },
] as const;

export const refused = [
  {
    model: 'iris',
    status: 400,
    type: 'text/csv',
    body: 'a,b,c,d\n',
    says: /^line 1, column 1: expected a finite number .*, got "a" \(a line of names is not taken\)$/,
  },
  {
    model: 'iris',
    status: 400,
    type: 'text/csv',
    body: '1,2,3\n',
    says: /^line 1: expected 4 cells for "features"/,
  },
  {
    model: 'iris',
    status: 400,
    type: 'application/jsonlines',
    body: '[1,2,3,4]\n[1,2,3,4\n',
    says: /^line 2: expected JSON, got the end/,
  },
  {
    model: 'iris',
    status: 400,
    type: npy,
    body: npyOf('<f4', '(4,)', new Float32Array(4)),
    says: /^input "features": expected shape of 2 axes .*, got 1 axes$/,
  },
  {
    model: 'iris',
    status: 400,
    type: npy,
    body: npyOf('<f4', '(1, 3)', new Float32Array(3)),
    says: /^input "features": expected shape\[1\] to be 4/,
  },
  { model: 'iris', status: 400, type: npy, body: '\x93NUMPY', says: /^body: expected an NPY file/ },
  {
    model: 'iris',
    status: 400,
    type: npz,
    body: floats,
    says: /^body: expected an NPZ file, got /,
  },
  {
    model: 'two_inputs',
    status: 400,
    type: npz,
    body: zipFile(both.slice(0, 1)),
    says: /^input "b": missing/,
  },
  {
    model: 'two_inputs',
    status: 400,
    type: npz,
    body: zipFile([...both, { name: 'c.npy', content: floats }]),
    says: /^body: expected arrays named as the inputs "a", "b" of model "two_inputs", got "c"$/,
  },
  {
    model: 'two_inputs',
    status: 415,
    type: 'text/csv',
    body: '1,2\n',
    says: /^header content-type: expected application\/json, application\/jsonlines, application\/x-npz, multipart\/form-data, application\/x-www-form-urlencoded for model "two_inputs", got "text\/csv"$/,
  },
  { model: 'two_inputs', status: 415, type: npy, body: floats, says: /got "application\/x-npy"$/ },
  {
    model: 'iris',
    status: 415,
    type: 'application/octet-stream',
    body: floats,
    says: /^header content-type: expected application\/json, application\/jsonlines, text\/csv, application\/x-npy, application\/x-npz, multipart\/form-data, application\/x-www-form-urlencoded for model "iris", got "application\/octet-stream"$/,
  },
  { model: 'iris', status: 415, type: 'text/libsvm', body: '1', says: /got "text\/libsvm"$/ },
  {
    model: 'identity_string',
    status: 415,
    type: 'text/plain',
    body: '1',
    says: /got "text\/plain"$/,
  },
  {
    model: 'iris',
    status: 406,
    accept: 'text/html',
    body: '[[1,2,3,4]]',
    says: /^header accept: expected one of application\/json, .* for model "iris", got "text\/html"$/,
  },
  {
    model: 'squares',
    status: 406,
    accept: 'text/csv',
    body: '[[1,2,3,4]]',
    says: /^header accept: expected one of/,
  },
  {
    model: 'identity_string',
    status: 406,
    accept: npy,
    body: '[["a","b"]]',
    says: /^header accept: expected one of/,
  },
  {
    model: 'wide_output',
    status: 400,
    type: 'text/csv',
    accept: npy,
    body: '1\n',
    says: /at most 1000000 bytes \(maxResponseBytes\), got rows whose answer has about 1048704$/,
  },
] as const;
