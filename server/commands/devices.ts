// SPDX-License-Identifier: Apache-2.0
// `inference-native devices`: what can run here, and why the rest cannot.
import { type DeviceReport, InferenceError, listDevices } from '../../lib/index.js';

/** @returns  exit code: 0 when an engine is available. */
export async function devices(args: readonly string[]): Promise<number> {
  const unknown = args.find(arg => arg !== '--json');
  if (unknown !== undefined) {
    throw new InferenceError('INFER_BAD_INPUT', `${unknown}: no such flag; known is --json`);
  }
  const report = listDevices();
  process.stdout.write(`${args.includes('--json') ? jsonText(report) : readableText(report)}\n`);
  return report.engines.some(({ available }) => available) ? 0 : 1;
}

/** JSON has no Infinity: no quota is null. */
function jsonText(report: DeviceReport): string {
  const quota = Number.isFinite(report.quota) ? report.quota : null;
  return JSON.stringify({ ...report, quota }, undefined, 2);
}

function layoutLines(report: DeviceReport): string[] {
  const { cores, physicalCores, nodes, quota, lanes, laneCores, freeCores } = report;
  const siblings = physicalCores.filter(({ length }) => length > 1).map(group => group.join('+'));
  const list = (items: readonly (number | string)[]) => items.join(', ') || 'none';
  return [
    `Cores    ${list(cores)} (${Number.isFinite(quota) ? `a quota of ${quota}` : 'no quota'})`,
    `Siblings ${list(siblings)}`,
    `Nodes    ${nodes.map(({ id, cores }) => `${id}: ${list(cores)}`).join('; ')}`,
    `Lanes    ${lanes}, ${report.pinned ? `pinned to ${list(laneCores)}` : 'not pinned'}; free cores: ${list(freeCores)}`,
    `         ${report.reason}`,
    ...report.problems.map(problem => `         ${problem}`),
  ];
}

function readableText(report: DeviceReport): string {
  const lines = layoutLines(report);
  for (const {
    name,
    available,
    version,
    devices: kinds,
    path,
    source,
    problem,
    tried,
  } of report.engines) {
    if (available) {
      lines.push(
        `Engine   ${name} ${version} on ${kinds.join(', ')}`,
        `         ${path} (${source})`,
      );
      continue;
    }
    lines.push(`Engine   ${name}: not available`, `         ${problem?.message ?? ''}`);
    for (const attempt of tried) {
      lines.push(`         tried ${attempt.path} (${attempt.source}): ${attempt.outcome}`);
    }
  }
  return lines.join('\n');
}
