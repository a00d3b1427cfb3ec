// SPDX-License-Identifier: Apache-2.0
// One keep-alive connection of a load generator: writes prepared requests, reads answers, no pipelining.
import { connect, type Socket } from 'node:net';

/** Called with the status of an answer; 0 when the connection ended without one. */
export type Answered = (status: number) => void;

export interface Connection {
  /** Sends one request; the next may follow when it is answered. */
  send(request: Buffer, answered: Answered): void;
  close(): void;
}

/** The whole of a request, ready to be written any number of times. */
export function prepareRequest(
  host: string,
  { method, path, body, contentType }: HttpRequest,
): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`];
  if (body !== undefined) {
    head.push(`Content-Type: ${contentType ?? 'application/json'}`);
    head.push(`Content-Length: ${Buffer.byteLength(body)}`);
  }
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

const headEnd = Buffer.from('\r\n\r\n');

/**
 * Bytes of the first answer in `bytes`, or 0 when it is not complete.
 * Only what the servers under test send: a Content-Length on every answer, no chunks.
 */
export function answerSize(bytes: Buffer): number {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return 0;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const at = head.indexOf('\r\ncontent-length:');
  if (at < 0) throw new Error(`an answer without Content-Length: ${head}`);
  const size = end + 4 + Number.parseInt(head.slice(at + 17), 10);
  return bytes.length >= size ? size : 0;
}

/** The three digits after `HTTP/1.1 `. */
function statusOf(bytes: Buffer): number {
  return (bytes[9] ?? 48) * 100 + (bytes[10] ?? 48) * 10 + (bytes[11] ?? 48) - 5328; // 5328 is '000'
}

/** What a connection remembers between two events. */
interface State {
  socket: Socket | undefined;
  waiting: Answered | undefined;
  /** The beginning of an answer that came in several pieces. */
  partial: Buffer | undefined;
}

function receive(state: State, piece: Buffer): void {
  const bytes = state.partial === undefined ? piece : Buffer.concat([state.partial, piece]);
  if (answerSize(bytes) === 0) {
    state.partial = Buffer.from(bytes); // `piece` is memory that the next read overwrites
    return;
  }
  state.partial = undefined;
  const answered = state.waiting;
  state.waiting = undefined;
  answered?.(statusOf(bytes));
}

function dial(port: number, host: string, state: State): Socket {
  const socket: Socket = connect({
    port,
    host,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(65536),
      callback: (count, buffer) => {
        receive(state, (buffer as Buffer).subarray(0, count));
        return true;
      },
    },
  });
  socket.on('error', () => undefined); // 'close' follows
  socket.on('close', () => {
    if (state.socket === socket) state.socket = undefined;
    const answered = state.waiting;
    state.waiting = undefined;
    state.partial = undefined;
    answered?.(0);
  });
  return socket;
}

/** A connection to a server; made at the first request, and again when the server has closed it. */
export function openConnection(port: number, host: string): Connection {
  const state: State = { socket: undefined, waiting: undefined, partial: undefined };
  return {
    send: (request, answered) => {
      state.waiting = answered;
      if (state.socket === undefined || state.socket.readyState === 'closed') {
        state.socket = dial(port, host, state);
      }
      state.socket.write(request);
    },
    close: () => state.socket?.destroy(),
  };
}
