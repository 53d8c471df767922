/** The log of a process that stays: one line of JSON for each thing that happened, without secrets, and without a way to forge a line. */

import pino from 'pino';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import { scrub } from './scrub.ts';
import { activeTrace } from './tracing.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  /** The wall clock. */
  readonly now: () => number;
  /** Told with every line: the process it is of. */
  readonly pid: number;
  /** Takes a line with its end. */
  readonly write: (line: string) => void;
}

/** Fields of a line beside level, time and message. Never a payload, a header or an address with its query. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

export function createLog({ level, now, pid, write }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: { pid },
      timestamp: () => `,"time":"${isoTime(now())}"`,
      // Lines that are written within a span are found from it, and it from them.
      mixin: () => activeTrace() ?? {},
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(`${plain(scrub(line.trimEnd()))}\n`) },
  );
  const at =
    (wanted: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      logger[wanted](fields, message.slice(0, limits.logMessageMax));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** JSON escapes the first 32 control characters; the others, and those that turn the direction of text, a terminal obeys too. */
function plain(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
