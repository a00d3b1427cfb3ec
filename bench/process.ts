// SPDX-License-Identifier: Apache-2.0
// Starts the processes of a benchmark, each on the cores it is given, and reads what they print and what they use.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Named numbers that one trial measured. */
export type Sample = Readonly<Record<string, number>>;

export interface Command {
  /** A JavaScript file, or a program when `native`. */
  readonly file: string;
  readonly args: readonly string[];
  readonly native?: boolean;
  /** Cores of the whole process; all that are allowed when left out. */
  readonly cores?: readonly number[];
}

/** Numbers of the cores that this process may use, in order: "0-3,8" is 0, 1, 2, 3, 8. */
export function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0';
  return list.split(',').flatMap(part => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** The JS thread and servers get the first core, load generators and single lanes the last. */
export function firstAndLastCore(): readonly [number, number] {
  const cores = allowedCores();
  return [cores[0] ?? 0, cores.at(-1) ?? 0];
}

/** Moves the calling JS thread, and no other thread of the process, to one core. */
export function pinJsThread(core: number): void {
  execFileSync('taskset', ['-cp', `${core}`, `${process.pid}`], { stdio: 'ignore' });
}

function start({ file, args, native = false, cores }: Command): ChildProcess {
  const words = native ? [file, ...args] : [process.execPath, file, ...args];
  const all = cores === undefined ? words : ['taskset', '-c', cores.join(','), ...words];
  const [program = '', ...rest] = all;
  return spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Keeps the last part of what a process writes to stderr, for the message when it fails. */
function keepErrors(child: ChildProcess): () => string {
  let kept = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    kept = (kept + chunk.toString()).slice(-4000);
  });
  return () => kept.trim();
}

/** Runs a process to its end and parses its last line of output, a JSON object of numbers. */
export async function runToEnd(command: Command): Promise<Sample> {
  const child = start(command);
  const errors = keepErrors(child);
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const line = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || !line.startsWith('{')) {
    throw new Error(`${command.file} ${command.args.join(' ')} ended with ${code}: ${errors()}`);
  }
  return JSON.parse(line) as Sample;
}

export interface RunningServer {
  readonly pid: number;
  /** Where predictions are answered. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server and waits for its first line, `{"event":"listening","inference":"http://..."}`. */
export async function startServer(command: Command): Promise<RunningServer> {
  const child = start(command);
  const errors = keepErrors(child);
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()));
  const first = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => reject(new Error(`${command.file} ended with ${code}: ${errors()}`)));
    if (child.stdout !== null) createInterface(child.stdout).once('line', resolve);
  });
  const { inference } = JSON.parse(first) as { inference: string };
  const stop = async () => {
    child.kill('SIGKILL'); // nothing to lose, and draining takes its time
    await ended;
  };
  return { pid: child.pid ?? 0, url: inference, stop };
}

/** CPU time of a process so far: of its JS thread, and of all its threads together. */
export interface CpuTime {
  readonly jsSeconds: number;
  readonly allSeconds: number;
}

/** @source  Documentation/scheduler/sched-stats.rst: the first number of schedstat is nanoseconds on the CPU. */
export function cpuTimeOf(pid: number): CpuTime {
  const seconds = (task: string): number => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8');
      return Number(text.split(' ')[0]) / 1e9;
    } catch {
      return 0; // the thread ended meanwhile
    }
  };
  const tasks = readdirSync(`/proc/${pid}/task`);
  return {
    jsSeconds: seconds(`${pid}`),
    allSeconds: tasks.reduce((sum, task) => sum + seconds(task), 0),
  };
}

/** The one argument of a trial program: JSON. */
export function readArguments<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** Prints the result of a trial program, and ends it: models and sockets may still be open. */
export function finish(sample: Sample): void {
  process.stdout.write(`${JSON.stringify(sample)}\n`, () => process.exit(0));
}
