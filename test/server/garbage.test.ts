// SPDX-License-Identifier: Apache-2.0
// What a request leaves behind dies young: V8 frees it at a hundredth of the price of what has become old.
import t from 'tap';
import { openClient, rawPost } from './connections.js';
import { iris, startServer } from './helpers.js';

/** Sums of a field over lines such as `... gc=s ... allocated=123 promoted=45 ...` of --trace-gc-nvp. */
function total(lines: readonly string[], field: string): number {
  const value = new RegExp(` ${field}=(\\d+)`);
  return lines.reduce((sum, line) => sum + Number(value.exec(line)?.[1]), 0);
}

t.test('hardly anything of a request survives a collection', async t => {
  const nodeArgs = ['--trace-gc', '--trace-gc-nvp'];
  const server = await startServer({ models: [iris], nodeArgs });
  t.teardown(server.stop);
  const clients = await Promise.all(Array.from({ length: 8 }, () => openClient(server.inference)));
  const request = rawPost('/predictions/iris', '[[5.1,3.5,1.4,0.2]]');
  const scavenges = () =>
    server
      .output()
      .split('\n')
      .filter(line => / gc=s .* promoted=\d+ /.test(line));
  const send = async ({ ask }: (typeof clients)[number]) => {
    while (scavenges().length < 30) {
      for (let round = 0; round < 100; round++) await ask(request);
    }
  };
  await Promise.all(clients.map(send));
  const late = scavenges().slice(-8); // the first ones see the server start, and code become fast
  const allocated = total(late, 'allocated');
  const promoted = total(late, 'promoted');
  for (const { socket } of clients) socket.destroy();
  t.ok(allocated > 1_000_000, `${allocated} bytes allocated`);
  t.ok(promoted < allocated / 100, `${promoted} of ${allocated} bytes survived twice`);
});
