// SPDX-License-Identifier: Apache-2.0
// Ids of requests are UUIDs, and no two are the same, also beyond those that share their random part.
import t from 'tap';
import { newRequestId } from '../../server/request_id.js';

t.test('ten thousand ids are ten thousand UUIDs of version 4', async t => {
  const ids = Array.from({ length: 10_000 }, newRequestId);
  t.equal(new Set(ids).size, ids.length);
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  t.same(
    ids.filter(id => !form.test(id)),
    [],
  );
  const random = new Set(ids.map(id => id.slice(0, -3)));
  t.equal(random.size, 3, 'the random part is drawn anew for every 4096');
});
