// SPDX-License-Identifier: Apache-2.0
// A handler that breaks the rule never to throw: its own request gets a 500, those beside it their answers.
import { once } from 'node:events';
import t from 'tap';
import { createHttp } from '../../server/http.js';
import { errors } from '../../server/protocol/mms/errors.js';
import { textReply } from '../../server/reply.js';
import type { Responder } from '../../server/route.js';
import { openSocket } from './helpers.js';

const limits = { maxRequestBytes: 1000, maxBufferedBytes: 10_000, maxHeaderBytes: 4096 };

t.test(
  'a handler that throws or rejects leaves no other request of its turn unanswered',
  async t => {
    const http = await createHttp({ ...limits, errors });
    const reported: unknown[] = [];
    const report = (error: unknown) => reported.push(error);
    const usual = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', report);
    t.teardown(() => {
      process.off('uncaughtException', report);
      for (const listener of usual) process.on('uncaughtException', listener);
    });
    const respond: Responder = ({ path }) => {
      if (path === '/throws') throw new Error('a broken rule');
      if (path === '/rejects') return Promise.reject(new Error('a broken rule'));
      return textReply('text/plain', 'fine');
    };
    const port = await http.listen({ scheme: 'http', host: '127.0.0.1', port: 0 }, { respond });
    const url = `http://127.0.0.1:${port}`;
    const paths = ['/throws', '/one', '/rejects', '/two'];
    const sockets = await Promise.all(paths.map(() => openSocket(url)));
    const replies = sockets.map(async socket => String((await once(socket, 'data'))[0]));
    for (const [index, path] of paths.entries()) {
      sockets[index]?.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
    }
    const statuses = (await Promise.all(replies)).map(text => text.slice(9, 12));
    t.same(statuses, ['500', '200', '500', '200']);
    t.match(reported, [{ message: 'a broken rule' }, { message: 'a broken rule' }]);
    for (const socket of sockets) socket.destroy();
    await http.drain(0, 1000);
  },
);
