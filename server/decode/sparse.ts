// SPDX-License-Identifier: Apache-2.0
// A sparse matrix as SciPy's save_npz() writes it -> the matrix with its zeros.
import { numbersOf } from '../numbers.js';
import { eachInSlices } from './arrays.js';
import { badInput, quote, quoteAll } from './describe.js';
import type { NpyArray } from './npy.js';

type Arrays = ReadonlyMap<string, NpyArray>;

/** Whether an NPZ file holds such a matrix; its `format` is a text without an axis. */
export function isSparse(arrays: Arrays): boolean {
  return arrays.get('format')?.type === 'string';
}

/** A few bytes can stand for many zeros. */
const mostBytes = 64 * 2 ** 20;

/**
 * @returns  float64, or int64 or uint64 where the values are; entries of one place are added up, as in SciPy.
 * @throws   INFER_BAD_INPUT for another format than csr, csc and coo, and for indices outside of the matrix.
 * @source   SciPy's scipy.sparse.save_npz() and the definitions of its csr_matrix, csc_matrix and coo_matrix.
 */
export async function toDense(arrays: Arrays): Promise<NpyArray> {
  const format = textOf(arrays);
  const [rows, columns] = shapeOf(arrays);
  const values = valuesOf(arrays);
  const size = rows * columns;
  if (Math.max(rows, 1) * Math.max(columns, 1) * 8 > mostBytes) {
    const got = `${rows} x ${columns}`;
    throw badInput('body', `a matrix of at most ${mostBytes} bytes with its zeros`, got);
  }
  const isBig = values instanceof BigInt64Array || values instanceof BigUint64Array;
  const dense = isBig ? new (kindOf(values))(size) : new Float64Array(size);
  const cells = cellsOf(arrays, { format, rows, columns, count: values.length });
  await eachInSlices(values.length, index => {
    const at = cells(index);
    const value = values[index] ?? 0;
    const sum =
      typeof value === 'bigint' ? (dense[at] as bigint) + value : Number(dense[at]) + value;
    (dense as { [index: number]: number | bigint })[at] = sum;
  });
  const type = isBig ? (values instanceof BigInt64Array ? 'int64' : 'uint64') : 'float64';
  return { type, shape: [rows, columns], data: dense, isFortran: false };
}

function kindOf(values: BigInt64Array | BigUint64Array) {
  return values instanceof BigInt64Array ? BigInt64Array : BigUint64Array;
}

function textOf(arrays: Arrays): string {
  const format = String(arrays.get('format')?.data[0]);
  if (['csr', 'csc', 'coo'].includes(format)) return format;
  throw badInput('entry "format.npy"', 'csr, csc or coo', quote(format));
}

function member(arrays: Arrays, name: string): NpyArray {
  const array = arrays.get(name);
  if (array !== undefined && array.type !== 'string') return array;
  const got = `the arrays ${quoteAll([...arrays.keys()])}`;
  throw badInput('body', `numbers ${quoteAll([name])} of a sparse matrix`, got);
}

type Values = Float64Array | BigInt64Array | BigUint64Array;

function valuesOf(arrays: Arrays): Values {
  const array = member(arrays, 'data');
  const isBig = array.type === 'int64' || array.type === 'uint64';
  return isBig ? (array.data as BigInt64Array | BigUint64Array) : numbersOf(array);
}

/** Indices are few enough for a float64 to hold them all. */
function indicesOf(arrays: Arrays, name: string): Float64Array {
  return numbersOf(member(arrays, name));
}

function shapeOf(arrays: Arrays): [number, number] {
  const [rows = -1, columns = -1, ...more] = indicesOf(arrays, 'shape');
  const isShape = [rows, columns].every(size => Number.isInteger(size) && size >= 0);
  if (isShape && more.length === 0) return [rows, columns];
  throw badInput('entry "shape.npy"', 'two sizes', `${[rows, columns, ...more].slice(0, 4)}`);
}

interface Matrix {
  readonly format: string;
  readonly rows: number;
  readonly columns: number;
  /** Of values. */
  readonly count: number;
}

/** Which element of the dense matrix a value belongs to. */
function cellsOf(arrays: Arrays, matrix: Matrix): (index: number) => number {
  const { format, rows, columns } = matrix;
  if (format === 'coo') {
    const row = placesIn(arrays, 'row', { count: matrix.count, size: rows });
    const column = placesIn(arrays, 'col', { count: matrix.count, size: columns });
    return index => row(index) * columns + column(index);
  }
  const [lines, length] = format === 'csr' ? [rows, columns] : [columns, rows];
  const inner = placesIn(arrays, 'indices', { count: matrix.count, size: length });
  const starts = startsOf(arrays, lines, matrix.count);
  let line = 0;
  return index => {
    while (index >= (starts[line + 1] ?? 0)) line++;
    const other = inner(index);
    return format === 'csr' ? line * columns + other : other * columns + line;
  };
}

/** Where the values of each line begin, and the end of all: from 0 upwards. */
function startsOf(arrays: Arrays, lines: number, count: number): Float64Array {
  const starts = indicesOf(arrays, 'indptr');
  const rises = starts.every((start, at) => start >= (at === 0 ? 0 : (starts[at - 1] ?? 0)));
  if (starts.length === lines + 1 && rises && starts[0] === 0 && starts[lines] === count)
    return starts;
  throw badInput(
    'entry "indptr.npy"',
    `${lines + 1} places from 0 to ${count}, ascending`,
    'others',
  );
}

/** Places along an axis of that size, one for each value. */
function placesIn(
  arrays: Arrays,
  name: string,
  { count, size }: { readonly count: number; readonly size: number },
): (index: number) => number {
  const places = indicesOf(arrays, name);
  const where = `entry "${name}.npy"`;
  if (places.length !== count)
    throw badInput(where, `${count} places as in "data"`, `${places.length}`);
  return index => {
    const place = places[index] ?? -1;
    if (Number.isInteger(place) && place >= 0 && place < size) return place;
    throw badInput(where, `places from 0 to below ${size}`, `${place}`);
  };
}
