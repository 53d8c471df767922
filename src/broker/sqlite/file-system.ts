/** Where the file is: makes its folder, and refuses network file systems, where SQLite cannot lock safely. */

import { closeSync, existsSync, mkdirSync, openSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { taskFlowError } from '../../core/errors.ts';

/** `f_type` of statfs(2) on Linux. FUSE is among them: it may be anything, and what it mostly is (sshfs, shared folders) does not lock. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x786f4256, 'VirtualBox shared folder'],
]);

const memoryTypes: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Makes the folder of the file when it is missing. Answers the type number of its file system. */
export function prepareFolder(file: string): number {
  const folder = resolve(dirname(file));
  try {
    makeFolder(folder);
    // Negative where the kernel's signed long shows through.
    return statfsSync(folder).type >>> 0;
  } catch (cause) {
    throw taskFlowError(
      'STORE_READ_ONLY',
      { file, problem: cause instanceof Error ? cause.message : String(cause) },
      { cause },
    );
  }
}

/** For who made it alone: payloads and the hashes of keys are in the store. Whoever shares it says so with chmod. */
const ownFolderMode = 0o700;
const ownFileMode = 0o600;

/** Makes the file where there is none, so that SQLite does not, which lets everybody read it; those beside it have its mode. */
export function makeOwnFile(file: string): void {
  try {
    closeSync(openSync(file, 'ax', ownFileMode));
  } catch {
    // It is there, or SQLite says what is wrong with its place.
  }
}

/** Step by step: Node's own `recursive` never ends below /proc, where a folder can be neither made nor found. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: ownFolderMode });
  } catch (error) {
    // Another process that starts at the same time may have made it.
    if (!existsSync(folder)) throw error;
  }
}

/** Throws STORE_ON_NETWORK for the type of a network file system. */
export function refuseNetwork(file: string, type: number): void {
  const name = networkTypes.get(type);
  if (name !== undefined) throw taskFlowError('STORE_ON_NETWORK', { file, type: name });
}

/** Whether the file is in memory and gone with the machine, whatever SQLite does. */
export function isInMemory(type: number): boolean {
  return memoryTypes.has(type);
}
