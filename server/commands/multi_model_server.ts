// SPDX-License-Identifier: Apache-2.0
// `multi-model-server`: starts the server in the background or here, stops it, or tells its settings.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { InferenceError } from '../../lib/index.js';
import { explainText } from '../explain.js';
import { explainMms, mmsUsage, readCommandLine } from '../mms/command_line.js';
import {
  askToEnd,
  isServer,
  pidFile,
  readPid,
  removePid,
  serverFlag,
  writePid,
} from '../mms/pid_file.js';
import { runServer } from './serve.js';

/** @returns  exit code. */
export async function multiModelServer(args: readonly string[]): Promise<number> {
  const command = readCommandLine(args);
  if (command.action === 'help') return say(mmsUsage().trimEnd());
  if (command.action === 'stop') return say(await stop());
  const report = explainMms(command, process.env);
  if (command.action === 'explain') return say(explainText(report).trimEnd());
  if (command.action === 'restart') say(await stop());
  const recorded = readPid();
  if (recorded !== undefined && isServer(recorded)) {
    const how = 'please use multi-model-server --stop to stop MMS.';
    throw new InferenceError('INFER_BAD_INPUT', `Model server is already running, ${how}`);
  }
  if (!command.foreground) return startBehind(args);
  writePid(process.pid);
  try {
    return await runServer(report, {
      usualModels: [],
      skipFailing: true,
      started: 'Model server started.',
    });
  } finally {
    forgetThis();
  }
}

/** What hinders it is no reason to end otherwise: the file names no server any more, and the next one replaces it. */
function forgetThis(): void {
  try {
    removePid(process.pid);
  } catch (error) {
    process.stderr.write(`multi-model-server: ${(error as Error).message}\n`);
  }
}

function say(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}

/** The same again as a process that outlives this one. Its output comes where ours does. */
function startBehind(args: readonly string[]): number {
  const own = [...process.execArgv, process.argv[1] ?? ''];
  const given = args.map(arg => (arg === 'restart' ? 'start' : arg));
  const child = spawn(process.execPath, [...own, serverFlag, ...given], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (child.pid === undefined) throw new Error(`cannot start ${process.execPath}`);
  writePid(child.pid);
  child.unref();
  return 0;
}

/** Longer than a drain takes unless it is configured to. */
const mostMs = 60_000;
const lookMs = 20;

/** Asks the server to end and waits until it has, so that its ports are free. @returns  what MMS says. */
async function stop(): Promise<string> {
  const recorded = readPid();
  if (recorded === undefined) return 'Model server is not currently running.';
  const { pid } = recorded;
  if (!isServer(recorded)) {
    removePid(pid);
    return 'Model server already stopped.';
  }
  askToEnd(pid);
  const start = performance.now();
  while (isServer(recorded)) {
    if (performance.now() - start > mostMs) {
      const message = `${pidFile()}: process ${pid} still drains after ${mostMs} ms`;
      throw new InferenceError('INFER_DEADLINE', message);
    }
    await delay(lookMs);
  }
  removePid(pid);
  return 'Model server stopped.';
}
