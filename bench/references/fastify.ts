// SPDX-License-Identifier: Apache-2.0
// Reference server: onnxruntime-node behind fastify.
import { fastify } from 'fastify';
import { microPredictor, sayListening } from './listening.js';

const predict = await microPredictor();
const app = fastify();
// The body stays text, so that it is parsed once, by the same code as behind uWebSockets.js.
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) =>
  done(null, body),
);
app.post('/predictions/micro', async (request, reply) => {
  reply.type('application/json');
  return predict(request.body as string);
});
sayListening(Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port));
