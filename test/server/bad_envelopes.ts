// SPDX-License-Identifier: Apache-2.0
// Bad paths, methods, headers and sizes.
import { type BadRequest, json } from './bad_requests.js';

const good = '[[5.1,3.5,1.4,0.2]]';
const noModel = { status: 404, type: json, body: good } as const;

/** Paths, methods, headers, sizes. */
export const envelopes: readonly BadRequest[] = [
  {
    name: 'an unknown model',
    path: '/predictions/nope',
    ...noModel,
    says: /^Model not found: nope$/,
  },
  {
    name: 'a model that climbs',
    path: '/predictions/%2e%2e%2firis',
    ...noModel,
    says: /^Model not found: \.\.\/iris$/,
  },
  {
    name: 'a model named __proto__',
    path: '/predictions/__proto__',
    ...noModel,
    says: /^Model not found: __proto__$/,
  },
  {
    name: 'a model named constructor',
    path: '/predictions/constructor',
    ...noModel,
    says: /^Model not found: constructor$/,
  },
  {
    name: 'a model with NUL',
    path: '/predictions/iris%00',
    ...noModel,
    says: /^Model not found: iris.$/s,
  },
  {
    name: 'a model with a command',
    path: '/predictions/;id',
    ...noModel,
    says: /^Model not found: ;id$/,
  },
  {
    name: 'a very long model',
    path: `/predictions/${'m'.repeat(8000)}`,
    ...noModel,
    says: /^Model not found: m{128}$/,
  },
  {
    name: 'broken percent encoding',
    path: '/predictions/%zz',
    type: json,
    body: good,
    says: /^path: expected percent-encoded UTF-8, got "\/predictions\/%zz"$/,
  },
  { name: 'no model', path: '/predictions', ...noModel, says: /not found/ },
  { name: 'an empty model', path: '/predictions//', ...noModel, says: /not found/ },
  {
    name: 'a path beside',
    path: '/predictions/../predictions/iris',
    ...noModel,
    says: /not found/,
  },
  { name: 'nothing at all', path: '/predictions/iris', method: 'GET', says: /JSON/ },
  { name: 'a made-up method', path: '/', method: 'BREW', status: 405, says: /not allowed/ },
  {
    name: 'an unknown type',
    path: '/predictions/iris',
    type: 'text/plain',
    body: good,
    status: 415,
    says: /^header content-type: expected application\/json, .*, got "text\/plain"$/,
  },
  {
    name: 'an image for numbers',
    path: '/predictions/iris',
    type: 'image/png',
    body: good,
    status: 415,
    says: /^header content-type: expected .* model "iris", got "image\/png"$/,
  },
  {
    name: 'a compressed body',
    path: '/predictions/iris',
    type: json,
    body: good,
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    says: /^header content-encoding: expected none, got "gzip"$/,
  },
  {
    name: 'a strange expectation',
    path: '/predictions/iris',
    type: json,
    body: good,
    headers: { expect: 'tea' },
    status: 417,
    says: /^header expect: expected 100-continue, got "tea"$/,
  },
  {
    name: 'a body of 100 MB',
    path: '/predictions/iris',
    type: json,
    body: Buffer.alloc(1e8, '0,'),
    status: 413,
    says: /^body: expected at most 6553500 bytes .*, got 100000000$/,
  },
];
