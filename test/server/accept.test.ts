// SPDX-License-Identifier: Apache-2.0
// Which format a client gets, by what it accepts and what the outputs of the model can be written as.
import t from 'tap';
import type { ModelInfo, TensorSpec } from '../../lib/index.js';
import { chooseAnswer, notAcceptable } from '../../server/accept.js';

function modelWith(...outputs: readonly TensorSpec[]): ModelInfo {
  const batching: ModelInfo['batching'] = {
    mode: 'adaptive',
    maxBatch: 1,
    maxDelayUs: 0,
    maxQueue: 1,
    maxQueueRows: 1,
    maxQueueBytes: 1,
  };
  const facts = { name: 'm', version: '1', engine: 'none', devices: [], path: '', lanes: [] };
  return { ...facts, batching, limits: {}, signature: { inputs: [], outputs } };
}

const spec = (shape: readonly number[], type: TensorSpec['type'] = 'float32'): TensorSpec => {
  return { name: 'y', type, shape };
};
const table = modelWith(spec([-1, 3]));

const cases = [
  { accept: '', gives: 'application/json' },
  { accept: '*/*', gives: 'application/json' },
  { accept: 'application/json', gives: 'application/json' },
  { accept: 'application/json, text/plain, */*', gives: 'application/json' },
  { accept: 'application/json; charset=utf-8', gives: 'application/json' },
  { accept: 'application/JSON', gives: 'application/json' },
  { accept: 'text/csv', gives: 'text/csv' },
  { accept: 'TEXT/CSV', gives: 'text/csv' },
  { accept: ' text/csv ; charset=utf-8', gives: 'text/csv' },
  { accept: 'image/png, text/csv', gives: 'text/csv' },
  { accept: 'text/*', gives: 'text/csv' },
  { accept: 'application/*', gives: 'application/json' },
  { accept: 'text/csv, application/json', gives: 'text/csv' },
  { accept: 'text/csv;q=0.5, application/x-npy;q=0.6', gives: 'application/x-npy' },
  { accept: 'text/csv;q=0.5, */*;q=0.4', gives: 'text/csv' },
  { accept: 'text/csv;q=0.3, */*;q=0.4', gives: 'application/json' },
  { accept: '*/*, application/json;q=0', gives: 'application/jsonlines' },
  { accept: 'application/x-npz', gives: 'application/x-npz' },
  { accept: 'application/x-ndjson', gives: 'application/x-ndjson' },
  { accept: 'application/x-jsonlines', gives: 'application/x-jsonlines' },
  // What Java's HttpURLConnection sends by itself.
  { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', gives: 'application/json' },
  { accept: 'text/csv;q=nonsense', gives: 'text/csv' },
  { accept: 'text/csv;q=0', gives: undefined },
  { accept: 'text/html', gives: undefined },
  { accept: 'image/*', gives: undefined },
  { accept: ',;,', gives: undefined },
  { accept: 'text/csv', model: modelWith(spec([-1, 2, 2])), gives: undefined },
  { accept: 'text/csv', model: modelWith(spec([])), gives: undefined },
  { accept: 'text/csv, */*;q=0.1', model: modelWith(spec([])), gives: 'application/json' },
  { accept: 'application/jsonlines', model: modelWith(spec([-1]), spec([])), gives: undefined },
  { accept: 'application/x-npy', model: modelWith(spec([-1], 'string')), gives: undefined },
  {
    accept: 'application/x-npz',
    model: modelWith(spec([-1]), spec([-1], 'string')),
    gives: undefined,
  },
  {
    accept: 'application/x-npy',
    model: modelWith(spec([-1]), spec([-1], 'string')),
    gives: 'application/x-npy',
  },
] as const;

t.test('the first of the best that the model can give is taken', async t => {
  for (const { accept, gives, ...rest } of cases) {
    const model = 'model' in rest ? rest.model : table;
    t.equal(chooseAnswer(accept, model)?.contentType, gives, accept);
  }
});

t.test('a refusal lists what the model can give', async t => {
  t.equal(
    notAcceptable('text/html', modelWith(spec([]))),
    'header accept: expected one of application/json, application/x-npy, application/x-npz for model "m", got "text/html"',
  );
});
