// Runs a command on another Node in place of this process: same terminal, same signals, same end.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { Refusal } from './refusal.mjs';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Two signals of a kind within this time are one: npm passes on what its child already got from the terminal. */
const sameSignalMs = 300;
const orphanPollMs = 500;

/** Never resolves: this process ends as the child ends. Rejects with a Refusal when `node` cannot be started. */
export function handover(node, args) {
  // First on the PATH, so that "#!/usr/bin/env node" of any tool means the same Node.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  return new Promise((_, reject) => {
    const child = spawn(node, args, { stdio: 'inherit', env });
    child.on('error', (error) => reject(new Refusal(`${node} cannot be started (${error.code}). ${again}`)));
    passSignalsTo(child);
    child.on('exit', endLike);
  });
}

const again = 'Remove the folder .node and run the command again to fetch it anew.';

/**
 * Ctrl-C and a closed terminal reach the whole foreground group, the child included: passing them on would be a
 * second Ctrl-C, which means "exit at once". Whatever was sent to this process alone is passed on.
 */
function passSignalsTo(child) {
  const startedAtTerminal = terminal() !== null;
  const receivedAt = new Map();
  for (const signal of signals) {
    process.on(signal, () => {
      const now = performance.now();
      const repeated = now - (receivedAt.get(signal) ?? Number.NEGATIVE_INFINITY) < sameSignalMs;
      receivedAt.set(signal, now);
      if (repeated || (signal === 'SIGINT' && terminal() === 'foreground')) return;
      if (signal === 'SIGHUP' && startedAtTerminal) return;
      child.kill(signal);
    });
  }
  if (process.env.npm_lifecycle_event) stopWhenOrphaned(child, receivedAt);
}

/** `kill` of npm ends npm and its shell, which passes nothing on: without this, the program would live on unseen. */
function stopWhenOrphaned(child, receivedAt) {
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(poll);
    if (receivedAt.size === 0) child.kill('SIGTERM');
  }, orphanPollMs);
}

/** 'foreground' or 'background' of a terminal, or null without one. Linux tells exactly; elsewhere a TTY is a hint. */
function terminal() {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    const [, , group, , device, foreground] = fields;
    if (device === 0) return null;
    return group === foreground ? 'foreground' : 'background';
  } catch {
    return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY ? 'foreground' : null;
  }
}

function endLike(code, signal) {
  if (signal === null) process.exit(code);
  for (const each of signals) process.removeAllListeners(each);
  process.kill(process.pid, signal);
  // A signal that does not end this process (Windows, or one that is ignored) still ends as a shell would report it.
  setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
}
