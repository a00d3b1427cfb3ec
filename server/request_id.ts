// SPDX-License-Identifier: Apache-2.0
// Ids of requests in the form of a random UUID.
import { randomUUID } from 'node:crypto';

/** 110 bits are drawn for this many requests, of which each has the last 12 for itself. */
const perBlock = 4096;
const tails = Array.from({ length: perBlock }, (_, tail) => tail.toString(16).padStart(3, '0'));
let block = '';
let next = perBlock;

/** Unique across threads and machines; not a secret, because one tells of those around it. */
export function newRequestId(): string {
  if (next === perBlock) {
    block = randomUUID().slice(0, -3);
    next = 0;
  }
  return block + tails[next++];
}
