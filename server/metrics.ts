// SPDX-License-Identifier: Apache-2.0
// Prometheus text from the library's stats, the HTTP counters and the process.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Histogram, ModelStats } from '../lib/index.js';
import type { Decoding } from './decode/index.js';
import { nvMetrics } from './nv_metrics.js';
import type { HttpServer, LoopDelay, ServerContext, ThreadStats } from './route.js';
import { sumOf } from './stages.js';
import type { VariantCounts } from './traffic.js';

/** @source Prometheus exposition formats, text format 0.0.4. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;
type Type = 'counter' | 'gauge' | 'histogram' | 'summary';

interface Metric {
  readonly name: string;
  readonly type: Type;
  readonly help: string;
}

/** A metric that every model has: a number, a histogram, or one number per error code. */
interface ModelMetric extends Metric {
  readonly read: (stats: ModelStats) => number | Histogram | ModelStats['errors'];
}

const modelMetrics: readonly ModelMetric[] = [
  {
    name: 'inference_requests_total',
    type: 'counter',
    help: 'Requests that were accepted into the queue.',
    read: stats => stats.requests,
  },
  {
    name: 'inference_completed_total',
    type: 'counter',
    help: 'Accepted requests that were answered with a result.',
    read: stats => stats.completed,
  },
  {
    name: 'inference_errors_total',
    type: 'counter',
    help: 'Requests that the queue refused or that failed behind it, by error code.',
    read: stats => stats.errors,
  },
  {
    name: 'inference_queue_depth',
    type: 'gauge',
    help: 'Requests that wait now.',
    read: stats => stats.queueDepth,
  },
  {
    name: 'inference_running',
    type: 'gauge',
    help: 'Requests that run now.',
    read: stats => stats.inFlight,
  },
  {
    name: 'inference_hung_runs_total',
    type: 'counter',
    help: 'Runs that did not end when they were told to, so that their thread was replaced.',
    read: stats => stats.hungRuns,
  },
  {
    name: 'inference_queue_seconds',
    type: 'histogram',
    help: 'Time from acceptance to the start of the run.',
    read: stats => stats.queueSeconds,
  },
  {
    name: 'inference_run_seconds',
    type: 'histogram',
    help: 'Time of each run of a batch.',
    read: stats => stats.runSeconds,
  },
  {
    name: 'inference_parse_seconds',
    type: 'histogram',
    help: 'Time in which a JSON body became tensors.',
    read: stats => stats.parseSeconds,
  },
  {
    name: 'inference_format_seconds',
    type: 'histogram',
    help: 'Time in which outputs became a JSON answer.',
    read: stats => stats.formatSeconds,
  },
  {
    name: 'inference_padded_rows_total',
    type: 'counter',
    help: 'Rows of padding in all runs, for the sizes that a model was compiled for.',
    read: stats => stats.paddedRows,
  },
  {
    name: 'inference_batch_rows',
    type: 'histogram',
    help: 'Rows of each batch.',
    read: stats => stats.batchRows,
  },
];

/** Everything at this moment; reading it starts a new period for the event-loop delay. */
export async function renderMetrics(server: ServerContext): Promise<string> {
  const threads = await server.threads();
  const served = server.registry
    .list()
    .flatMap(({ name, version, model }) =>
      model === undefined ? [] : [{ labels: { model: name, version }, stats: model.stats() }],
    );
  const ofModels = modelMetrics.map(metric =>
    familyText(
      metric,
      served.flatMap(({ labels, stats }) => valueLines(metric.name, labels, metric.read(stats))),
    ),
  );
  const ofTriton = nvMetrics.map(metric =>
    familyText(
      metric,
      served.flatMap(({ labels, stats }) =>
        metric
          .read(stats)
          .map(({ labels: more, value }) => line(metric.name, { ...labels, ...more }, value)),
      ),
    ),
  );
  const ofThreads = [httpFamilies, imageFamilies, processFamilies].flatMap(read => read(threads));
  return [...ofModels, ...ofTriton, ...ofThreads].join('');
}

function httpFamilies(threads: readonly ThreadStats[]): string[] {
  const https = threads.map(({ http }) => http);
  const total = (key: 'connections' | 'inFlight' | 'bufferedBytes') =>
    sum(https, http => http[key]);
  const responses = {
    name: 'inference_http_responses_total',
    type: 'counter',
    help: 'Replies of all APIs, by status; what the HTTP parser refuses by itself is not counted.',
  } as const;
  const statuses = [...new Set(https.flatMap(({ replies }) => [...replies.keys()]))];
  const lines = statuses.map(status => {
    const count = sum(https, ({ replies }) => replies.get(status) ?? 0);
    return line(responses.name, { code: String(status) }, count);
  });
  return [
    familyText(responses, lines),
    gauge('inference_http_connections', 'Open connections.', total('connections')),
    gauge(
      'inference_http_in_flight',
      'Requests that are being received or answered.',
      total('inFlight'),
    ),
    gauge(
      'inference_http_buffered_bytes',
      'Memory that request bodies hold.',
      total('bufferedBytes'),
    ),
    httpHistogram(
      'inference_http_accept_seconds',
      'Time from the headers of a request until its handler has it, with its body.',
      https.map(http => http.acceptSeconds),
    ),
    httpHistogram(
      'inference_http_write_seconds',
      'Time from a reply until its last byte is handed to the socket.',
      https.map(http => http.writeSeconds),
    ),
    threadFamily(threads),
    variantFamily(threads),
  ];
}

function httpHistogram(name: string, help: string, ofThreads: readonly Histogram[]): string {
  const lines = valueLines(name, {}, sumOf(ofThreads));
  return familyText({ name, type: 'histogram', help }, lines);
}

function imageFamilies(threads: readonly ThreadStats[]): string[] {
  const total = (key: 'waiting' | 'refused') => sum(threads, ({ images }) => images[key]);
  const refused = { name: 'inference_images_refused_total', type: 'counter' } as const;
  return [
    gauge('inference_images_waiting', 'Images that wait to be decoded.', total('waiting')),
    familyText({ ...refused, help: 'Images that were refused because too many waited.' }, [
      line(refused.name, {}, total('refused')),
    ]),
  ];
}

/** How evenly the threads are used. */
function threadFamily(threads: readonly ThreadStats[]): string {
  const name = 'inference_http_thread_responses_total';
  const lines = threads.map(({ http }, thread) => {
    const count = sum([...http.replies.values()], replies => replies);
    return line(name, { thread: String(thread) }, count);
  });
  return familyText({ name, type: 'counter', help: 'The same replies, by HTTP thread.' }, lines);
}

/** How the traffic of models is shared out. */
function variantFamily(threads: readonly ThreadStats[]): string {
  const name = 'inference_variant_requests_total';
  const totals = new Map<string, number>();
  for (const { variants } of threads) {
    for (const [model, counts] of variants) {
      for (const [variant, count] of counts) {
        const key = labelsText({ model, variant });
        totals.set(key, (totals.get(key) ?? 0) + count);
      }
    }
  }
  const lines = [...totals].map(([labels, count]) => `${name}${labels} ${count}\n`);
  const help = 'Requests that a variant of a model was chosen for.';
  return familyText({ name, type: 'counter', help }, lines);
}

function sum<T>(values: readonly T[], read: (value: T) => number): number {
  return values.reduce((total, value) => total + read(value), 0);
}

function processFamilies(threads: readonly ThreadStats[]): string[] {
  const loop = {
    name: 'inference_event_loop_delay_seconds',
    type: 'summary',
    help: 'How late timers are, since the metrics were last read, by HTTP thread.',
  } as const;
  const lines = threads.flatMap(({ loopDelay: delay }, thread) =>
    Object.entries({ '0.5': delay.p50, '0.99': delay.p99, '1': delay.max }).map(
      ([quantile, seconds]) => line(loop.name, { thread: String(thread), quantile }, seconds),
    ),
  );
  const { rss } = process.memoryUsage();
  const heapBytes = sum(threads, thread => thread.heapBytes);
  const externalBytes = sum(threads, thread => thread.externalBytes);
  const cpu = { name: 'inference_process_cpu_seconds_total', type: 'counter' } as const;
  const { user, system } = process.cpuUsage();
  return [
    familyText(loop, lines),
    gauge('inference_process_resident_memory_bytes', 'Resident memory of the process.', rss),
    gauge('inference_process_heap_bytes', 'JavaScript heaps in use.', heapBytes),
    gauge(
      'inference_process_external_bytes',
      'Memory of buffers outside those heaps.',
      externalBytes,
    ),
    familyText({ ...cpu, help: 'CPU time of the process.' }, [
      line(cpu.name, {}, (user + system) / 1e6),
    ]),
  ];
}

function gauge(name: string, help: string, value: number): string {
  return familyText({ name, type: 'gauge', help }, [line(name, {}, value)]);
}

function familyText({ name, type, help }: Metric, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function valueLines(
  name: string,
  labels: Labels,
  value: ReturnType<ModelMetric['read']>,
): string[] {
  if (typeof value === 'number') return [line(name, labels, value)];
  if (!isHistogram(value)) {
    return Object.entries(value).map(([code, count]) => line(name, { ...labels, code }, count));
  }
  const buckets = value.buckets.map(({ le, count }) =>
    line(`${name}_bucket`, { ...labels, le: numberText(le) }, count),
  );
  return [
    ...buckets,
    line(`${name}_sum`, labels, value.sum),
    line(`${name}_count`, labels, value.count),
  ];
}

function isHistogram(value: Histogram | ModelStats['errors']): value is Histogram {
  return 'buckets' in value;
}

function line(name: string, labels: Labels, value: number): string {
  return `${name}${labelsText(labels)} ${numberText(value)}\n`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** Model names may hold anything; in a label backslash, quote and newline are escaped. */
export function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

/** How often the delay is measured; the measured time includes this wait, so it is taken off. */
const resolutionMs = 10;

export interface LoopMonitor {
  /** Since the last call. */
  readonly read: () => LoopDelay;
  readonly stop: () => void;
}

export function startLoopMonitor(): LoopMonitor {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
  return {
    read: () => {
      const delay = {
        p50: seconds(histogram.percentile(50)),
        p99: seconds(histogram.percentile(99)),
        max: seconds(histogram.max),
      };
      histogram.reset();
      return delay;
    },
    stop: () => {
      histogram.disable();
    },
  };
}

/** The parts of an HTTP thread that know about it. */
interface ThreadParts {
  readonly http: HttpServer;
  readonly loop: LoopMonitor;
  readonly decoding: Decoding;
  readonly variants: VariantCounts;
}

/** What the calling HTTP thread knows about itself. */
export function readThread({ http, loop, decoding, variants }: ThreadParts): ThreadStats {
  const { heapUsed: heapBytes, external: externalBytes } = process.memoryUsage();
  const images = decoding.stats();
  return { http: http.stats(), images, loopDelay: loop.read(), heapBytes, externalBytes, variants };
}
