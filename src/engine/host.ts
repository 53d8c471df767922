/** Where this process runs, and whether another one on the same machine is gone. */

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';

/** A process, named so that only the same machine in the same boot can judge it. */
export interface ProcessPlace {
  readonly host: string;
  readonly pid: number;
  /** Boot of the machine and its pid namespace, `null` where the system does not tell them: then nothing is ever proved. */
  readonly bootId: string | null;
}

/** The place of this process. */
export function readPlace(): ProcessPlace {
  return { host: hostname(), pid: process.pid, bootId: readBootId() };
}

/**
 * Proves that `other` has ended, seen from `here`; `false` means "not proved". Two containers may share a host name and
 * a boot but not their pids, so the pid namespace is part of `bootId` and must be equal. A pid that another program got
 * meanwhile proves nothing either: the lease ends that case.
 */
export function isGone(other: ProcessPlace, here: ProcessPlace): boolean {
  if (other.host !== here.host || other.bootId === null || other.bootId !== here.bootId) return false;
  return other.pid !== here.pid && !isAlive(other.pid);
}

function readBootId(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null; // Not Linux, or /proc is hidden.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
