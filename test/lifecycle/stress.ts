// SPDX-License-Identifier: Apache-2.0
// One environment that loads, predicts, aborts, scales and closes at random, and checks every answer.
import { type JsonAnswer, loadModel, type Model } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { isRow, spinBody, spinRow } from './spin.js';

/** What may go wrong while others close, scale and fill the queue. */
const expected = ['INFER_CANCELLED', 'INFER_DEADLINE', 'INFER_QUEUE_FULL', 'INFER_CLOSED'];
const mostHandles = 4;
const mostPending = 200;

/** Numbers from 0 up to, not including, `limit`; the same ones for the same seed (xorshift32). */
function randomFrom(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) | 1;
  return limit => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** The only row of an answer in JSON. */
function rowOf({ body }: JsonAnswer): number[] {
  return JSON.parse(typeof body === 'string' ? body : body.toString())[0];
}

/** What happened. */
export interface Tally {
  readonly answered: number;
  readonly refused: number;
}

/**
 * @param seed     chooses what happens.
 * @param seconds  how long.
 * @throws         the first wrong answer or unexpected error.
 */
export async function doEverything(seed: number, seconds: number): Promise<Tally> {
  const below = randomFrom(seed);
  const handles: Model[] = [];
  const pending = new Set<Promise<void>>();
  const tally = { answered: 0, refused: 0 };
  let wrong: unknown;

  /** Keeps a call until it settles; anything unexpected ends the program. */
  const keep = (call: Promise<void>) => {
    const kept = call
      .catch(error => {
        if (expected.includes(error?.code)) tally.refused++;
        else wrong ??= error;
      })
      .finally(() => pending.delete(kept));
    pending.add(kept);
  };
  const predict = async (model: Model) => {
    const row = spinRow(2 * below(200), below(1000));
    const controller = new AbortController();
    const { signal } = controller;
    const options = below(4) === 0 ? { signal, timeoutMs: 1 + below(20) } : {};
    const call =
      below(3) === 0
        ? model.predictJson(spinBody(row, below(2) === 0), options).then(rowOf)
        : model.predict({ x: row }, options).then(({ y }) => y?.data);
    if (below(8) === 0) setImmediate(() => controller.abort());
    if (!isRow(await call, row)) throw new Error(`a wrong answer to row ${row[0]}, ${row[1]}`);
    tally.answered++;
  };
  const load = async () => {
    // Two kinds that environments share, and one that mostly is its own.
    const kinds = [{}, { batching: { maxBatch: 4 } }, { batching: { maxQueue: 1 + below(300) } }];
    handles.push(await loadModel(fixture('spin_batch.onnx'), kinds[below(kinds.length)]));
  };
  const act = async () => {
    const model = handles[below(mostHandles)];
    if (model === undefined) return load();
    const what = below(100);
    if (what < 90) {
      for (let count = 1 + below(20); count > 0; count--) keep(predict(model));
    } else if (what < 96) {
      keep(model.scale({ lanes: 1 + below(2) }));
    } else {
      keep(model.close());
      handles.splice(handles.indexOf(model), 1);
    }
  };

  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end && wrong === undefined) {
    await act();
    if (pending.size > mostPending) await Promise.race(pending);
    else if (below(3) === 0) await new Promise(resolve => setImmediate(resolve));
  }
  await Promise.all(pending);
  await Promise.all(handles.map(model => model.close()));
  if (wrong !== undefined) throw wrong;
  return tally;
}
