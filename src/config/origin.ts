/** Where a value came from, and how a mistake about it is told. */

import type { SettingKey } from './settings.ts';

/** In order of precedence: the first one that gives a value wins. */
export type OriginKind = 'flag' | 'variable' | 'dotenv' | 'file' | 'fallback' | 'default';

export interface Origin {
  readonly kind: OriginKind;
  /** As people write it: `--port`, `TASKFLOW_PORT`, `server.port`. */
  readonly name: string;
  /** The file it stands in, as a person would type it; `null` outside of files. */
  readonly file: string | null;
}

/** A value before it is read. */
export interface Given {
  readonly key: SettingKey;
  readonly value: unknown;
  readonly origin: Origin;
  /** What relative paths in it are relative to. */
  readonly folder: string;
}

/** One thing that is wrong, and where to mend it. */
export interface Mistake {
  readonly where: string;
  readonly problem: string;
}

/** `--port`, `TASKFLOW_PORT`, `.env: TASKFLOW_PORT`, `taskflow.config.ts: server.port`, `default`. */
export function originText(origin: Origin): string {
  if (origin.kind === 'default') return 'default';
  return origin.file === null ? origin.name : `${origin.file}: ${origin.name}`;
}
