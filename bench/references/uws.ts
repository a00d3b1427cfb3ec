// SPDX-License-Identifier: Apache-2.0
// Reference servers on uWebSockets.js: with `constant` the same POST answered by a constant, else onnxruntime-node.
import { App, type HttpRequest, type HttpResponse, us_socket_local_port } from 'uWebSockets.js';
import { microAnswer } from '../requests.js';
import { microPredictor, sayListening } from './listening.js';

/** Collects the body, as any handler has to. */
function readBody(response: HttpResponse, done: (body: string) => void): void {
  let kept: Buffer | undefined;
  response.onData((chunk, last) => {
    const piece = Buffer.from(chunk);
    if (last) done((kept === undefined ? piece : Buffer.concat([kept, piece])).toString());
    else kept = kept === undefined ? Buffer.from(piece) : Buffer.concat([kept, piece]);
  });
}

function constantHandler(response: HttpResponse, _request: HttpRequest): void {
  response.onAborted(() => undefined);
  readBody(response, () => {
    response.cork(() => {
      response.writeHeader('Content-Type', 'application/json').end(microAnswer);
    });
  });
}

async function predictHandler(): Promise<typeof constantHandler> {
  const predict = await microPredictor();
  return response => {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    readBody(response, async body => {
      const answer = await predict(body);
      if (aborted) return;
      response.cork(() => {
        response.writeHeader('Content-Type', 'application/json').end(answer);
      });
    });
  };
}

const handler = process.argv[2] === 'constant' ? constantHandler : await predictHandler();
App()
  .post('/predictions/micro', handler)
  .listen('127.0.0.1', 0, socket => {
    if (socket) sayListening(us_socket_local_port(socket));
    else process.exitCode = 1;
  });
