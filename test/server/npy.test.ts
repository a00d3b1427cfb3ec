// SPDX-License-Identifier: Apache-2.0
// NPY files: those that NumPy wrote, broken ones, and many that are a few bytes away from good ones.
import t from 'tap';
import { elementTypes, InferenceError } from '../../lib/index.js';
import { toInput } from '../../server/decode/arrays.js';
import { type NpyArray, readNpy } from '../../server/decode/npy.js';
import { numbersOf } from '../../server/numbers.js';
import { textOf } from '../helpers.js';
import { npyHeaderText as header, npyFile, npyHeader } from './array_files.js';

interface Recorded {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly string[];
  readonly file: string;
}

// Written by NumPy: test/fixtures/make_npy.py.
const recorded = JSON.parse(textOf('test', 'fixtures', 'npy.json'));
const arrays: readonly Recorded[] = recorded.arrays;
const bytesOf = (base64: string) => Buffer.from(base64, 'base64');

function specOf({ type, shape }: NpyArray) {
  return { name: 'x', type, shape };
}

/** All values, row-major, as texts. */
async function valuesOf(array: NpyArray): Promise<string[]> {
  const { data } = await toInput(array, specOf(array), 'file');
  const { type, shape } = array;
  return type === 'float16'
    ? [...numbersOf({ type, shape, data })].map(String)
    : [...data].map(String);
}

t.test('what NumPy wrote is read', async t => {
  t.ok(arrays.length > 60, 'files were examined');
  for (const { name, shape, values, file } of arrays) {
    // At an odd place, and at one where elements can be looked at where they lie.
    for (const offset of [1, 64]) {
      const moved = Buffer.concat([Buffer.alloc(offset), bytesOf(file)]).subarray(offset);
      const array = readNpy(moved, 'file');
      t.same(array.shape, shape, name);
      t.same(await valuesOf(array), values, name);
    }
  }
});

t.test('elements are looked at where they lie, unless they have to be turned', async t => {
  const whole = new Uint8Array(256); // of an ArrayBuffer of its own, and so aligned
  const file = npyFile(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
    Buffer.alloc(8),
  );
  whole.set(file, 0);
  const { data } = readNpy(whole.subarray(0, file.length), 'file');
  t.equal((data as Float32Array).buffer, whole.buffer);
  const swapped = npyFile(
    "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
    Buffer.alloc(8),
  );
  whole.set(swapped, 0);
  const copy = readNpy(whole.subarray(0, swapped.length), 'file').data as Float32Array;
  t.not(copy.buffer, whole.buffer);
  t.equal(file.length, swapped.length);
});

for (const [name, says] of [
  [
    'objects',
    /^file: expected "descr" to be one of .*, got "\|O" \(Python objects, which are pickled and may run code\)$/,
  ],
  [
    'records',
    /^file: expected a header with "descr", "fortran_order" and "shape" of a plain array, got "'descr': \[/,
  ],
  ['complex numbers', /got "<c8" \(complex numbers\)$/],
  ['dates', /got "<M8\[s\]" \(dates\)$/],
  ['raw bytes', /got "\|V4" \(raw bytes or records\)$/],
] as const) {
  t.test(`${name} of NumPy are refused with the reason`, async t => {
    const error = refusalOf(() => readNpy(bytesOf(recorded.refused[name]), 'file'));
    t.match(error.message, says);
  });
}

function refusalOf(read: () => unknown): InferenceError {
  try {
    read();
  } catch (error) {
    if (error instanceof InferenceError && error.code === 'INFER_BAD_INPUT') return error;
    throw error;
  }
  throw new Error('it was read');
}

const four = Buffer.alloc(4);
const broken = [
  { name: 'nothing', file: Buffer.alloc(0), says: /^file: expected an NPY file, got no bytes$/ },
  { name: 'another file', file: Buffer.from('PK\x03\x04'), says: /got bytes of another kind$/ },
  {
    name: 'the magic alone',
    file: npyHeader('').subarray(0, 6),
    says: /^file: expected NPY of version/,
  },
  { name: 'version 4.0', file: npyFile('{}', four, 4), says: /version 1.0, 2.0 or 3.0, got 4\.0$/ },
  { name: 'no length', file: npyHeader('').subarray(0, 9), says: /a whole header, got 9 bytes$/ },
  {
    name: 'a header beyond the end',
    file: npyHeader(header('<f4', '(1,)')).subarray(0, 40),
    says: /a header of at most 30 bytes, got \d+$/,
  },
  {
    name: 'a header of 60,000 bytes',
    file: npyFile(' '.repeat(60_000), four),
    says: /at most 10000 bytes, got 60\d\d\d$/,
  },
  {
    name: 'a header of 4 GB',
    file: Buffer.concat([Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1'), four]),
    says: /at most 4 bytes, got 4294967295$/,
  },
  { name: 'no dictionary', file: npyFile('[]', four), says: /expected a header with "descr"/ },
  {
    name: 'an open dictionary',
    file: npyFile("{'descr': '<f4'", four),
    says: /expected a header with/,
  },
  {
    name: 'no shape',
    file: npyFile("{'descr': '<f4', 'fortran_order': False, }", four),
    says: /got "}"$/,
  },
  {
    name: 'a key twice',
    file: npyFile("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", four),
    says: /got "'descr': '<f8'/,
  },
  {
    name: 'another key',
    file: npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'run': 1}", four),
    says: /got "'run': 1}"/,
  },
  {
    name: 'a call in place of a value',
    file: npyFile("{'descr': exit(), 'fortran_order': False, 'shape': (1,)}", four),
    says: /got "'descr': exit\(\)/,
  },
  {
    name: 'bytes behind the dictionary',
    file: npyFile(`${header('<f4', '(1,)')}1`, four),
    says: /got "}1"$/,
  },
  {
    name: 'a negative axis',
    file: npyFile(header('<f4', '(-1,)'), four),
    says: /got "'shape': \(-1,\), }"$/,
  },
  {
    name: 'an axis of 2^31',
    file: npyFile(header('<f4', '(2147483648,)'), four),
    says: /shape\[0\] to be an integer from 0 to 2147483647, got "2147483648"$/,
  },
  {
    name: 'an axis of 40 digits',
    file: npyFile(header('<f4', `(${'9'.repeat(40)},)`), four),
    says: /shape\[0\] to be an integer/,
  },
  {
    name: 'two numbers in an axis',
    file: npyFile(header('<f4', '(1 1,)'), four),
    says: /shape\[0\] to be an integer/,
  },
  {
    name: 'a product beyond 64 bits',
    file: npyFile(header('<f4', '(2147483647, 2147483647, 2147483647)'), four),
    says: /a shape that an array can have, got \[2147483647, /,
  },
  {
    name: 'more elements than bytes',
    file: npyFile(header('<f4', '(3, 4)'), four),
    says: /expected 48 bytes behind the header for "<f4" and shape \[3, 4\], got 4$/,
  },
  {
    name: 'fewer elements than bytes',
    file: npyFile(header('<f4', '()'), Buffer.alloc(5)),
    says: /expected 4 bytes behind .*, got 5$/,
  },
  {
    name: 'many rows of nothing',
    file: npyFile(header('<f4', '(2147483647, 0)'), Buffer.alloc(0)),
    says: /axes of at most \d+, the bytes of the file, got \[2147483647, 0\]$/,
  },
  {
    name: 'more texts than are read in one go',
    file: npyFile(header('|S1', '(20000,)'), Buffer.alloc(20_000)),
    says: /at most 16384 texts of together 1048576 bytes, got 20000 of 20000$/,
  },
  {
    name: 'bytes where there are no elements',
    file: npyFile(header('<f4', '(0, 2147483647)'), four),
    says: /expected 0 bytes behind .*, got 4$/,
  },
  {
    name: '70 axes',
    file: npyFile(header('<f4', `(${'1, '.repeat(70)})`), four),
    says: /at most 64 axes, got 70$/,
  },
  {
    name: 'float128',
    file: npyFile(header('<f16', '(1,)'), Buffer.alloc(16)),
    says: /got "<f16"$/,
  },
  {
    name: 'an element type from a prototype',
    file: npyFile(header('<constructor', '(1,)'), four),
    says: /got "<constructor"$/,
  },
  {
    name: 'texts of no size',
    file: npyFile(header('<U0', '(1000000000,)'), Buffer.alloc(0)),
    says: /got "<U0"$/,
  },
  {
    name: 'a text beyond Unicode',
    file: npyFile(header('<U1', '(1,)'), Buffer.from([0, 0, 0, 1])),
    says: /^file\[0\]: expected UTF-32, got other bytes$/,
  },
  {
    name: 'a text that is no UTF-8',
    file: npyFile(header('|S1', '(2,)'), Buffer.from([97, 255])),
    says: /^file\[1\]: expected UTF-8/,
  },
] as const;

t.test('a broken file is refused with what is wrong in it', async t => {
  for (const { name, file, says } of broken) {
    t.match(refusalOf(() => readNpy(file, 'file')).message, says, name);
  }
});

/** A small generator with a period of 2^32. @source Numerical Recipes, "An Even Quicker Generator". */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutated(file: Buffer, random: (below: number) => number): Buffer {
  const near = " '{}(),:<>|=0123456789LTrueFalsifbudOUSV-";
  const copy = Buffer.from(file);
  // Anywhere, or among the elements, which may be anything.
  const start = random(2) === 0 ? 0 : Math.max(0, copy.length - 24);
  for (let change = random(3); change >= 0; change--) {
    const at = start + random(copy.length - start);
    copy[at] = random(2) === 0 ? random(256) : near.charCodeAt(random(near.length));
  }
  if (random(4) > 0) return copy;
  const cut = random(copy.length + 1);
  const tail = random(2) === 0 ? copy.subarray(0, 0) : copy.subarray(Math.max(0, cut - random(9)));
  return Buffer.concat([copy.subarray(0, cut), tail]);
}

t.test(
  'of 20,000 changed files each is refused in words or has the elements that its shape says',
  async t => {
    const random = createRandom(1);
    const files = arrays.map(({ file }) => bytesOf(file));
    let read = 0;
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      const file = mutated(files[random(files.length)] ?? Buffer.alloc(0), random);
      try {
        const { type, shape, data } = readNpy(file, 'file');
        const count = shape.reduce((product, size) => product * size, 1);
        if (data.length !== count || !Object.hasOwn(elementTypes, type))
          throw new Error(`${type} ${shape}`);
        read++;
      } catch (error) {
        const isClear = error instanceof InferenceError && error.code === 'INFER_BAD_INPUT';
        if (!isClear || !/^file(\[\d+\])?: expected .+, got .+/s.test(error.message)) {
          t.fail(`${error}`, { file: file.toString('base64') });
          return;
        }
        refused++;
      }
    }
    t.ok(read > 1000 && refused > 1000, `${read} read, ${refused} refused`);
  },
);
