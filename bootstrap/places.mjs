// Where the bootstrap keeps things. Everything it makes lies inside the repository and is ignored by git.

import fs, { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refusal } from './refusal.mjs';

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Home of the fetched Node, the lock, and half-made folders until they are moved into place. */
export const home = join(root, '.node');

/** The oldest Node that runs TaskFlow; package.json says the same under "engines". */
export const nodeMajor = 24;

/** True when the running Node can run TaskFlow itself. */
export const nodeIsNewEnough = Number(process.versions.node.split('.')[0]) >= nodeMajor;

/** Makes `.node/`. Not with `recursive`, which reports a read-only file system as a missing folder. */
export function makeHome() {
  try {
    mkdirSync(home);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

/** Refuses early when the disk is nearly full: npm (up to 11) then cuts files short and still reports success. */
export function needSpace(megabytes) {
  if (fs.statfsSync === undefined) return; // Node before 18.15 cannot tell
  const { bavail, bsize } = fs.statfsSync(root);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free >= megabytes) return;
  throw new Refusal(
    `The disk is full: this needs ${megabytes} MB once and ${free} MB are left. Free some and run the command again.`,
  );
}
