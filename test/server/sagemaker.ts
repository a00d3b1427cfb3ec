// SPDX-License-Identifier: Apache-2.0
// Starts the server as SageMaker does: told by its environment, and with one port.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type RunningServer, type ServerOptions, startServer } from './helpers.js';

/** The directory that is `/opt/ml` in a container, with a `model` and a `models` in it. */
export async function baseDirectory(t: Test): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'sagemaker-'));
  t.teardown(() => rm(base, { recursive: true }));
  for (const name of ['model', 'models']) await mkdir(join(base, name));
  return base;
}

export async function startOnSageMaker(
  t: Test,
  base: string,
  { env = {}, ...options }: ServerOptions = {},
): Promise<RunningServer> {
  const own = { SAGEMAKER_BASE_DIR: base, ...env };
  const server = await startServer({
    ports: ['--port', '0', '--host', '127.0.0.1'],
    ...options,
    env: own,
  });
  t.teardown(server.stop);
  return server;
}
