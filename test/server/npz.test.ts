// SPDX-License-Identifier: Apache-2.0
// Arrays of NumPy as inputs: their numbers as the type of the input, archives of them, and sparse matrices.
import t from 'tap';
import type { ModelInfo } from '../../lib/index.js';
import { toInput } from '../../server/decode/arrays.js';
import { createDecoding } from '../../server/decode/index.js';
import { type NpyArray, readNpy } from '../../server/decode/npy.js';
import { readNpz } from '../../server/decode/npz.js';
import { toDense } from '../../server/decode/sparse.js';
import { numbersOf } from '../../server/numbers.js';
import { failure, textOf } from '../helpers.js';
import { npyHeaderText as header, npyFile, zipFile } from './array_files.js';

// Written by NumPy: test/fixtures/make_npy.py.
const recorded = JSON.parse(textOf('test', 'fixtures', 'npy.json'));
const archive = (name: string) => Buffer.from(recorded.archives[name], 'base64');
const four = Buffer.alloc(4);

t.test('numbers become the type of the input, as if they had come as JSON', async t => {
  const array = (descr: string, elements: ArrayBufferView): NpyArray => {
    const bytes = Buffer.from(elements.buffer, elements.byteOffset, elements.byteLength);
    const count = bytes.length / Number(descr.slice(2));
    return readNpy(npyFile(header(descr, `(${count},)`), bytes), 'body');
  };
  const doubles = array('<f8', new Float64Array([0.1, -2, Number.NaN]));
  const cases = [
    { from: doubles, type: 'float32', gives: Float32Array.of(0.1, -2, Number.NaN) },
    { from: doubles, type: 'float16', gives: Uint16Array.of(0x2e66, 0xc000, 0x7e00) },
    { from: doubles, type: 'bfloat16', gives: Uint16Array.of(0x3dcd, 0xc000, 0x7fc0) },
    {
      from: array('<i8', BigInt64Array.of(-1n, 5n)),
      type: 'float32',
      gives: Float32Array.of(-1, 5),
    },
    { from: array('<i8', BigInt64Array.of(-1n, 5n)), type: 'int8', gives: Int8Array.of(-1, 5) },
    { from: array('<f8', Float64Array.of(1, -3)), type: 'int64', gives: BigInt64Array.of(1n, -3n) },
    {
      from: array('<f2', Uint16Array.of(0x3c00, 0xc000)),
      type: 'float64',
      gives: Float64Array.of(1, -2),
    },
    { from: array('|b1', Uint8Array.of(0, 1)), type: 'int32', gives: Int32Array.of(0, 1) },
    { from: array('<i4', Int32Array.of(0, 1)), type: 'bool', gives: Uint8Array.of(0, 1) },
    {
      from: array('<f8', Float64Array.of(1e39)),
      type: 'float32',
      says: /^body, element 0: expected a value for "x" \(float32 \[-1\]\), got 1e\+39$/,
    },
    {
      from: array('<f8', Float64Array.of(1, 65520)),
      type: 'float16',
      says: /^body, element 1: expected a value for .*, got 65520$/,
    },
    {
      from: array('<f8', Float64Array.of(1, 1.5)),
      type: 'int32',
      says: /^body, element 1: .*, got 1\.5$/,
    },
    { from: array('<f8', Float64Array.of(Number.NaN)), type: 'int64', says: /got NaN$/ },
    { from: array('<i8', BigInt64Array.of(2n ** 40n)), type: 'int32', says: /got 1099511627776$/ },
    { from: array('<i8', BigInt64Array.of(-1n)), type: 'uint64', says: /got -1$/ },
    { from: array('<i4', Int32Array.of(2)), type: 'bool', says: /got 2$/ },
    {
      from: array('|S1', Uint8Array.of(65)),
      type: 'float32',
      says: /^body: expected elements for "x" .*, got elements of type string$/,
    },
    { from: doubles, type: 'string', says: /got elements of type float64$/ },
  ] as const;
  for (const row of cases) {
    const result = toInput(row.from, { name: 'x', type: row.type, shape: [-1] }, 'body');
    if ('says' in row) t.match((await failure(result)).message, row.says, row.type);
    else t.same((await result).data, row.gives, row.type);
  }
});

t.test('16-bit floats are rounded like those of NumPy', async t => {
  // Every float16 is itself, and half-way values go to the even neighbour.
  const bits = Uint16Array.from({ length: 65_536 }, (_, index) => index);
  const all: NpyArray = { type: 'float16', shape: [65_536], data: bits, isFortran: false };
  const values = numbersOf({ ...all });
  const exact = { type: 'float64', shape: [65_536], data: values, isFortran: false } as const;
  const back = await toInput(exact, { name: 'x', type: 'float16', shape: [-1] }, 'body');
  const differ = bits.filter((own, at) => !Number.isNaN(values[at]) && back.data[at] !== own);
  t.equal(differ.length, 0);
  const middles = Float64Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 65_519);
  const halves = { ...exact, shape: [5], data: middles };
  const rounded = await toInput(halves, { name: 'x', type: 'float16', shape: [-1] }, 'body');
  t.same(rounded.data, Uint16Array.of(0x3c00, 0x3c02, 0, 2, 0x7bff));
});

t.test('archives of NumPy are read, stored and compressed', async t => {
  for (const name of ['stored', 'compressed']) {
    const found = await readNpz(archive(name), 1000);
    t.same([...found.keys()], ['x']);
    t.same(found.get('x')?.data, Float32Array.of(0, 1, 2, 3, 4, 5), name);
  }
});

t.test('archives are unpacked in turn, and no more wait than may', async t => {
  const limits = { maxRequestBytes: 1000, maxImagePixels: 1, maxWaitingImages: 1 };
  const { decode } = createDecoding({ ...limits, httpThreads: 64 });
  const inputs = [{ name: 'x', type: 'float32', shape: [-1, 3] }];
  const signature = { inputs, outputs: [] };
  const info = { name: 'm', limits: {}, signature } as unknown as ModelInfo;
  const { signal } = new AbortController();
  const type = { contentType: 'application/x-npz', contentEncoding: '' };
  const ask = async () => decode({ body: archive('compressed'), ...type, signal }, info);
  const [first, second, third] = [ask(), ask(), ask()];
  const error = await failure(third);
  t.match(error, { code: 'INFER_QUEUE_FULL', message: /1 images or archives wait/ });
  for (const decoded of [await first, await second]) {
    t.match(decoded, { kind: 'tensors', areImages: false, tensors: { x: { shape: [2, 3] } } });
  }
});

t.test('sparse matrices of SciPy become dense ones', async t => {
  for (const name of ['csr', 'csc', 'coo']) {
    const dense = await toDense(await readNpz(archive(name), 10_000));
    t.same(dense.shape, [2, 3]);
    t.same(dense.data, Float64Array.of(1, 0, 2.5, 0, 0, 3), name);
  }
  const error = await failure(readNpz(archive('dia'), 10_000).then(toDense));
  t.match(error.message, /^entry "format.npy": expected csr, csc or coo, got "dia"$/);
});

t.test('a sparse matrix that contradicts itself is refused', async t => {
  const good = await readNpz(archive('csr'), 10_000);
  const coo = await readNpz(archive('coo'), 10_000);
  const int = (...values: number[]): NpyArray => {
    return {
      type: 'int32',
      shape: [values.length],
      data: Int32Array.from(values),
      isFortran: false,
    };
  };
  const cases = [
    {
      from: good,
      change: { indices: int(0, 3, 2) },
      says: /^entry "indices.npy": expected places from 0 to below 3, got 3$/,
    },
    { from: good, change: { indices: int(0, -1, 2) }, says: /got -1$/ },
    { from: good, change: { indices: int(0) }, says: /expected 3 places as in "data", got 1$/ },
    {
      from: good,
      change: { indptr: int(0, 2) },
      says: /^entry "indptr.npy": expected 3 places from 0 to 3, ascending/,
    },
    { from: good, change: { indptr: int(0, 4, 3) }, says: /ascending/ },
    { from: good, change: { indptr: int(0, 2, 4) }, says: /ascending/ },
    {
      from: good,
      change: { shape: int(2, 3, 4) },
      says: /^entry "shape.npy": expected two sizes, got 2,3,4$/,
    },
    { from: good, change: { shape: int(-2, 3) }, says: /expected two sizes, got -2,3$/ },
    {
      from: good,
      change: { shape: int(100_000, 100_000) },
      says: /at most 67108864 bytes with its zeros, got 100000 x 100000$/,
    },
    {
      from: good,
      change: { data: undefined },
      says: /^body: expected numbers "data" of a sparse matrix, got the arrays /,
    },
    {
      from: coo,
      change: { row: int(0, 0, 2) },
      says: /^entry "row.npy": expected places from 0 to below 2, got 2$/,
    },
    { from: coo, change: { col: int(0) }, says: /^entry "col.npy": expected 3 places/ },
  ] as const;
  for (const { from, change, says } of cases) {
    const changed = new Map(from);
    for (const [name, array] of Object.entries(change)) {
      if (array === undefined) changed.delete(name);
      else changed.set(name, array);
    }
    t.match((await failure(toDense(changed))).message, says);
  }
});

t.test(
  'an archive that is none, or unpacks to too much, is refused before it is unpacked',
  async t => {
    const x = npyFile(header('<f4', '(1,)'), four);
    const good = zipFile([{ name: 'x.npy', content: x }]);
    const damaged = Buffer.from(good);
    damaged[good.indexOf(four, 100)] = 1;
    const cases = [
      { name: 'nothing', file: Buffer.alloc(0), says: /^body: expected an NPZ file, got / },
      { name: 'an NPY file', file: x, says: /^body: expected an NPZ file, got / },
      {
        name: 'half of it',
        file: good.subarray(0, good.length / 2),
        says: /^body: expected an NPZ file, got /,
      },
      {
        name: 'another kind of entry',
        file: zipFile([{ name: 'x.txt', content: x }]),
        says: /^body: expected entries that end in .npy, got "x.txt"$/,
      },
      {
        name: 'an array twice',
        file: zipFile([
          { name: 'x.npy', content: x },
          { name: 'x.npy', content: x },
        ]),
        says: /^body: expected each array once, got "x"$/,
      },
      {
        name: 'a wrong checksum',
        file: damaged,
        says: /^entry "x.npy": expected undamaged bytes, got others/,
      },
      {
        name: 'a size that lies',
        file: zipFile([{ name: 'x.npy', content: x, deflated: true, claims: 20 }]),
        says: /^entry "x.npy": expected undamaged bytes, got /,
      },
      {
        name: 'an entry that is no array',
        file: zipFile([{ name: 'x.npy', content: four }]),
        says: /^entry "x.npy": expected an NPY file/,
      },
      {
        name: 'a bomb',
        file: zipFile([{ name: 'x.npy', content: Buffer.alloc(2 ** 20), deflated: true }]),
        says: /^body: expected an NPZ file of at most 10000 bytes \(maxRequestBytes\), got 1048576$/,
      },
      {
        name: '101 arrays',
        file: zipFile(
          Array.from({ length: 101 }, (_, at) => ({ name: `${at}.npy`, content: four })),
        ),
        says: /^body: expected at most 100 arrays, got more$/,
      },
    ] as const;
    for (const { name, file, says } of cases) {
      const error = await failure(readNpz(file, 10_000));
      t.match(error, { code: 'INFER_BAD_INPUT', message: says }, name);
    }
  },
);
