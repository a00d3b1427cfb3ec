#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The programs `multi-model-server` and `mxnet-model-server`, its older name.
import { basename } from 'node:path';
import { multiModelServer } from './commands/multi_model_server.js';
import { runProgram } from './program.js';

const name = basename(process.argv[1] ?? '').startsWith('mxnet')
  ? 'mxnet-model-server'
  : 'multi-model-server';
if (name === 'mxnet-model-server') {
  process.stderr.write(`${name}: this name is deprecated, please use multi-model-server\n`);
}
await runProgram(name, 1, () => multiModelServer(process.argv.slice(2)));
