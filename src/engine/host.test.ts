/** Checks what proves that a process is gone, and what does not. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { expect, test } from 'vitest';
import { isGone, readPlace } from './host.ts';

const here = { ...readPlace(), bootId: 'boot' };
/** A pid that was ours a moment ago and is nobody's now. */
const endedPid = spawnSync(process.execPath, ['--version']).pid;

test('a process of this machine and boot that ended is gone', () => {
  expect(isGone({ ...here, pid: endedPid }, here)).toBe(true);
});

test.each([
  ['this process', here],
  ['a living process', { ...here, pid: process.ppid }],
  ['a process of another machine', { ...here, pid: endedPid, host: 'elsewhere' }],
  ['a process of another boot or pid namespace', { ...here, pid: endedPid, bootId: 'other' }],
  ['a process of a system that tells no boot', { ...here, pid: endedPid, bootId: null }],
])('%s is not proved to be gone', (_, place) => {
  expect(isGone(place, here)).toBe(false);
});
