// SPDX-License-Identifier: Apache-2.0
// How much memory the process may still take: of its budget, its control group, or its address space.
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

export interface Memory {
  /** The most that the process may use. */
  readonly limitBytes: number;
  /** As measured now; negative when there is less than none. */
  readonly leftBytes: () => number;
}

/** @param budgetBytes  0 takes the limit of the control group, else all memory of the machine. */
export function createMemory(budgetBytes: number): Memory {
  const limitBytes = budgetBytes === 0 ? systemLimit() : budgetBytes;
  const leftBytes = () => {
    return Math.min(limitBytes - process.memoryUsage.rss(), addressSpaceLeft());
  };
  return { limitBytes, leftBytes };
}

/** Without a limit Node says 0, or a number beyond all memory. */
function systemLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** What `ulimit -v` leaves; all where there is no such limit. @source  proc(5): limits and status of a process. */
function addressSpaceLeft(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const [, limit] = /^Max address space +(\d+)/m.exec(limits) ?? [];
    if (limit === undefined) return Number.POSITIVE_INFINITY;
    const [, usedKb] =
      /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
    return Number(limit) - Number(usedKb ?? 0) * 1024;
  } catch {
    return Number.POSITIVE_INFINITY; // a system without /proc
  }
}
