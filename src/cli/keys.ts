/** The keys of `up` on a terminal: one press, no Enter. */

import { spawn } from 'node:child_process';
import process from 'node:process';
import type { Output } from './output.ts';
import { paint } from './terminal.ts';

export interface KeyActions {
  quit(): void;
  open(): void;
  reload(): void;
  pause(): void;
}

const words = 'q quit   o open   r reload   p pause   c clear   ? more';
const more = [
  'q  stop: running tasks end first, again leaves at once     o  the dashboard in a browser',
  'r  load the code anew in a new process                     p  pause or resume the worker',
  'c  clear the screen                                        ?  this',
];

/** The terminal while its keys are listened to. */
export interface Keys {
  /** Another process may have put the terminal back to lines: a Node that ends leaves it as it found it. */
  regain(): void;
  giveBack(): void;
}

/** Listens where a person sits at both ends. */
export function listenToKeys(output: Output, actions: KeyActions): Keys {
  const { stdin } = process;
  if (!stdin.isTTY || !output.notes.isPerson || output.format !== 'table')
    return { regain: () => undefined, giveBack: () => undefined };
  const act: Readonly<Record<string, () => void>> = {
    q: actions.quit,
    // In raw mode the terminal sends the key and no signal.
    '\u0003': () => void process.kill(process.pid, 'SIGINT'),
    '\u001a': () => {
      stdin.setRawMode(false);
      process.kill(process.pid, 'SIGTSTP');
    },
    o: actions.open,
    r: actions.reload,
    p: actions.pause,
    c: () => void process.stdout.write('\u001b[2J\u001b[3J\u001b[H'),
    '?': () => {
      for (const line of more) output.note(`  ${line}`);
    },
  };
  const onData = (text: string): void => {
    for (const key of text) act[key]?.();
  };
  const regain = (): void => {
    // One that believes to be raw already would do nothing.
    stdin.setRawMode(false);
    stdin.setRawMode(true);
  };
  const giveBack = (): void => {
    stdin.off('data', onData);
    process.off('SIGCONT', regain);
    process.off('exit', giveBack);
    stdin.setRawMode(false);
    stdin.pause();
  };
  stdin.setRawMode(true);
  stdin.setEncoding('utf8').on('data', onData).resume();
  process.on('SIGCONT', regain);
  process.on('exit', giveBack);
  output.note(`  ${paint(output.notes, words, 'muted')}`);
  return { regain, giveBack };
}

/** Asks the system for its browser; where there is none nothing happens, and the address is on the screen. */
export function openInBrowser(url: string): void {
  const [command, ...before] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command, [...before, url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
