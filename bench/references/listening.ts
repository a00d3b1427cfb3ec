// SPDX-License-Identifier: Apache-2.0
// What the reference servers share: the line that says where they listen, and the JSON of one prediction.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { modelPath } from '../models.js';

/** Prints the same first line as `inference-native serve`. */
export function sayListening(port: number): void {
  console.log(JSON.stringify({ event: 'listening', inference: `http://127.0.0.1:${port}` }));
}

interface Body {
  readonly id?: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data: readonly number[];
  }[];
}

/**
 * The micro model behind onnxruntime-node, as one writes it by hand: no checks, no batching, one thread.
 * @returns  body text of an Open Inference Protocol V2 request to the text of its answer.
 */
export async function microPredictor(): Promise<(body: string) => Promise<string>> {
  const session = await InferenceSession.create(modelPath('micro'), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  return async text => {
    const { inputs } = JSON.parse(text) as Body;
    const feeds: Record<string, Tensor> = {};
    for (const { name, shape, data } of inputs) {
      feeds[name] = new Tensor('float32', Float32Array.from(data), shape);
    }
    const results = await session.run(feeds);
    const outputs = Object.entries(results).map(([name, tensor]) => ({
      name,
      datatype: 'FP32',
      shape: tensor.dims,
      data: Array.from(tensor.data as Float32Array),
    }));
    return JSON.stringify({ model_name: 'micro', model_version: '1', outputs });
  };
}
