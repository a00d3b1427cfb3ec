// SPDX-License-Identifier: Apache-2.0
// Plain connections that stay open: requests as bytes, and their replies cut out of what comes back.
import type { Socket } from 'node:net';
import { openSocket } from './helpers.js';

/** About a microsecond of work per turn; test/fixtures/README.md. */
export function spinBody(turns: number): string {
  const inputs = [
    { name: 'x', datatype: 'FP32', shape: [1, 64], data: new Array(64).fill(1) },
    { name: 'iterations', datatype: 'INT64', shape: [], data: [turns] },
  ];
  return JSON.stringify({ inputs, outputs: [] });
}

/** @param body  bytes as latin1. */
export function rawPost(path: string, body: string, type = 'application/json'): string {
  const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n`;
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export interface Reader {
  /** The next whole reply, or undefined when the connection ended between two. */
  readonly next: () => Promise<string | undefined>;
}

/** Cuts a connection's bytes into replies by their content-length. */
export function readReplies(socket: Socket): Reader {
  let text = '';
  let ended = false;
  let wake = () => {};
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
    wake();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    ended = true;
    wake();
  });
  const take = () => {
    const end = text.indexOf('\r\n\r\n') + 4;
    const size = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
    if (end < 4 || text.length < end + size) return undefined;
    const reply = text.slice(0, end + size);
    text = text.slice(end + size);
    return reply;
  };
  const next = async () => {
    for (let reply = take(); ; reply = take()) {
      if (reply !== undefined) return reply;
      if (ended && text !== '') throw new Error(`cut off after ${text.length} bytes of a reply`);
      if (ended) return undefined;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  return { next };
}

/** A connection that sends one request at a time. */
export interface Client {
  /** @returns  the reply, head and body. */
  readonly ask: (bytes: string) => Promise<string | undefined>;
  readonly socket: Socket;
}

export async function openClient(url: string): Promise<Client> {
  const socket = await openSocket(url);
  const replies = readReplies(socket);
  const ask = (bytes: string) => {
    socket.write(bytes, 'latin1');
    return replies.next();
  };
  return { ask, socket };
}

/** What follows the head. */
export function bodyOf(reply: string | undefined): string {
  return reply?.slice(reply.indexOf('\r\n\r\n') + 4) ?? '';
}
