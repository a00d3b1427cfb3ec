// SPDX-License-Identifier: Apache-2.0
// Trial: onnxruntime-node runs one session or a hundred in turn: what going from model to model costs the engine.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { modelPath, models, sampleInput } from '../models.js';
import { finish, readArguments } from '../process.js';
import { type Duration, runClients } from './clients.js';

/** What the scenario asks for. */
export interface SessionsTrial extends Duration {
  readonly models: number;
}

const trial = readArguments<SessionsTrial>();
const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
const sessions: InferenceSession[] = [];
for (let at = 0; at < trial.models; at++) {
  sessions.push(await InferenceSession.create(modelPath('packing'), options));
}
const data = sampleInput(models.packing, 1) as Float32Array;
const x = new Tensor('float32', data, [1, ...models.packing.row]);
let next = 0;
finish(await runClients(1, async () => sessions[next++ % sessions.length]?.run({ x }), trial));
