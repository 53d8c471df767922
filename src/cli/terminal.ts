/** What the place we print to can show: width, colours, glyphs. */

import type { TaskView } from '../core/states.ts';

/** The parts of a stream that are asked for; a `process.stdout` is one. */
export interface Sink {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;
export type ColorChoice = 'auto' | 'always' | 'never';

/** How colours are written: not at all, 256 of them, or all. */
type Depth = 'none' | 'indexed' | 'full';

export interface Terminal {
  /** Whether a person looks at it: a table then has a header, is cut to the width, and times are relative. */
  readonly isPerson: boolean;
  readonly width: number;
  readonly unicode: boolean;
  readonly depth: Depth;
}

/** Looks at a stream and the environment: NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM, COLORTERM and the locale. */
export function detectTerminal(sink: Sink, env: Environment, choice: ColorChoice = 'auto'): Terminal {
  const isPerson = sink.isTTY === true;
  const width = sink.columns ?? (Number(env.COLUMNS) || 100);
  return { isPerson, width: Math.max(40, width), unicode: isUnicode(env), depth: depthOf(isPerson, env, choice) };
}

function depthOf(isPerson: boolean, env: Environment, choice: ColorChoice): Depth {
  if (!wantsColor(isPerson, env, choice)) return 'none';
  return /^(?:truecolor|24bit)$/.test(env.COLORTERM ?? '') ? 'full' : 'indexed';
}

function wantsColor(isPerson: boolean, env: Environment, choice: ColorChoice): boolean {
  if (choice !== 'auto') return choice === 'always';
  if ((env.NO_COLOR ?? '') !== '') return false;
  const force = env.FORCE_COLOR ?? env.CLICOLOR_FORCE;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return isPerson && env.TERM !== 'dumb';
}

function isUnicode(env: Environment): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (locale !== undefined && locale !== '') return /utf-?8/i.test(locale);
  return process.platform === 'win32' || process.platform === 'darwin';
}

/** The states' colours: the ones of the dashboard's bars, which are readable on light and dark alike. */
const stateColors: Readonly<Record<TaskView, string>> = {
  scheduled: 'b56ad8',
  queued: '2f6be0',
  blocked: '5b6675',
  running: '10a3b8',
  retrying: 'c9820c',
  succeeded: '2ba35f',
  failed: 'e2484f',
  quarantined: 'e2484f',
  cancelled: '8a9199',
  expired: '8a9199',
};

const stateGlyphs: Readonly<Record<TaskView, readonly [unicode: string, ascii: string]>> = {
  scheduled: ['◷', '@'],
  queued: ['○', 'o'],
  blocked: ['‖', '='],
  running: ['◐', '>'],
  retrying: ['↻', '~'],
  succeeded: ['✓', '+'],
  failed: ['✕', 'x'],
  quarantined: ['✕', 'x'],
  cancelled: ['⊘', '-'],
  expired: ['⊘', '-'],
};

const marks = {
  error: ['✗', 'x'],
  warning: ['!', '!'],
  ok: ['✓', '+'],
  cut: ['…', '...'],
  dot: ['·', '-'],
  times: ['×', 'x'],
  none: ['–', '-'],
  full: ['━', '='],
  half: ['╸', '-'],
} as const satisfies Record<string, readonly [string, string]>;

export type Mark = keyof typeof marks;

/** How a piece of text looks. */
export type Style = TaskView | 'muted' | 'bold' | 'error' | 'warning' | 'ok' | null;

/** The glyph of a state. */
export function glyphOf(terminal: Terminal, view: TaskView): string {
  return stateGlyphs[view][terminal.unicode ? 0 : 1];
}

/** A sign that is not a state. */
export function mark(terminal: Terminal, name: Mark): string {
  return marks[name][terminal.unicode ? 0 : 1];
}

/** Wraps text in the codes of a style; the text itself when there are no colours. */
export function paint(terminal: Terminal, text: string, style: Style): string {
  if (style === null || terminal.depth === 'none' || text === '') return text;
  if (style === 'bold') return `\u001b[1m${text}\u001b[22m`;
  if (style === 'muted') return `\u001b[2m${text}\u001b[22m`;
  const color =
    style === 'error'
      ? stateColors.failed
      : style === 'warning'
        ? stateColors.retrying
        : style === 'ok'
          ? stateColors.succeeded
          : stateColors[style];
  return `\u001b[${foreground(terminal.depth, color)}m${text}\u001b[39m`;
}

function foreground(depth: Depth, hex: string): string {
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  if (depth === 'full') return `38;2;${red};${green};${blue}`;
  const step = (value: number): number => (value < 48 ? 0 : value < 115 ? 1 : Math.round((value - 35) / 40));
  return `38;5;${16 + 36 * step(red) + 6 * step(green) + step(blue)}`;
}

/** Columns a text takes: wide characters count twice, combining ones not at all. */
export function widthOf(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII is the common case and needs no look at each character.
  if (/^[\u0000-\u007f]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text)
    width += /\p{Mark}|[\u200b-\u200f]|\ufe0e|\ufe0f/u.test(character) ? 0 : isWide(character) ? 2 : 1;
  return width;
}

function isWide(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

/** The text within `width` columns, with `…` at its end when something was cut. */
export function cut(terminal: Terminal, text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const sign = mark(terminal, 'cut');
  let kept = '';
  let left = width - sign.length;
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    kept += character;
  }
  return `${kept}${sign}`.slice(0, Math.max(width, sign.length));
}
