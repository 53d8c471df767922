// Lets one process at a time set this folder up, without native locks: a folder that carries its owner's name is
// renamed into place, and rename is atomic. Every step under the lock also ends in a rename, so that even a lock that
// was wrongly given up could cost double work but never a half-made result.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { home } from './places.mjs';
import { say } from './refusal.mjs';

const lock = join(home, 'lock');
const pollMs = 100;
/** An owner on another host (a shared folder, a container) cannot be asked whether it lives; after this it is dead. */
const foreignOwnerMs = 15 * 60_000;
const leftoverMs = 60 * 60_000;

/** Runs `work` while no other process of this folder runs its own; waits for them as long as they live. */
export async function alone(work) {
  await take();
  try {
    return await work();
  } finally {
    release();
  }
}

async function take() {
  const claim = scratch('claim');
  const owner = { pid: process.pid, host: hostname(), token: claim.slice(home.length + 1) };
  writeFileSync(join(claim, 'owner.json'), JSON.stringify(owner));
  for (let waits = 0; !renames(claim, lock); waits++) {
    const holder = readOwner();
    if (holder !== null && isGone(holder)) buryLockOf(holder);
    else {
      if (waits === 10) say(`waiting for process ${holder?.pid ?? '?'}, which is setting up this folder`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
  sweep();
}

function release() {
  const trash = join(scratch('released'), 'lock');
  renameSync(lock, trash);
  discard(join(trash, '..'));
}

/** A dead owner's lock is renamed to a name made from its token. A full folder cannot be renamed over another, so of
 *  two processes that see the same dead owner only one removes the lock, and neither can remove its successor. */
function buryLockOf(holder) {
  renames(lock, join(home, `buried-${holder.token}`));
}

/** A rename that says false when the target is taken (each platform words that differently) or the source is gone. */
function renames(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    const taken = ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EPERM', 'EBUSY'];
    if (process.platform === 'win32') taken.push('EACCES');
    if (taken.includes(error.code)) return false;
    throw error;
  }
}

function readOwner() {
  try {
    return JSON.parse(readFileSync(join(lock, 'owner.json'), 'utf8'));
  } catch {
    return null; // given back in this very moment: the next rename will tell
  }
}

function isGone(owner) {
  if (owner.host !== hostname()) return ageMs(lock) > foreignOwnerMs;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/** A new empty folder under `.node/`, of this process alone, to make something in before it is renamed into place. */
export function scratch(purpose) {
  const path = join(home, `${purpose}-${process.pid}-${process.hrtime.bigint().toString(36)}`);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Removes a folder. What cannot be removed (a file still open on Windows) is left for the next sweep. */
export function discard(path) {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 2 });
  } catch {
    // Nothing depends on it: leftovers are swept an hour later.
  }
}

/** Removes what interrupted runs left behind; only called by the holder of the lock. */
function sweep() {
  for (const name of readdirSync(home)) {
    const path = join(home, name);
    if (/^(claim|released|buried|fetch|install|build|old)-/.test(name) && ageMs(path) > leftoverMs) discard(path);
  }
}

/** Puts `made` where `target` is; a process that looks at `target` sees the old one or the new one, whole. */
export function replace(target, made) {
  const old = scratch('old');
  renames(target, join(old, 'was'));
  renameSync(made, target);
  discard(old);
}
