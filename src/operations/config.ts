/** The operation that shows the settings this process runs with. */

import type { Operation } from './operation.ts';
import type { Nothing } from './schemas.ts';

/** One setting as it is shown: what is secret in it is masked before it comes here. */
export interface SettingDocument {
  readonly key: string;
  readonly value: unknown;
  /** Where the value comes from, as people write it: `--port`, `.env: TASKFLOW_PORT`, `default`. */
  readonly origin: string;
}

export interface ConfigDocument {
  /** Empty where the process has no configuration: mounted in a program that set everything itself. */
  readonly settings: readonly SettingDocument[];
}

export const configGet: Operation<Nothing, ConfigDocument> = {
  name: 'config.get',
  summary: 'Show every setting the server runs with, and where it came from',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/config' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./config-output.ts')).configOutput,
  run: async ({ settings = [] }) => ({ settings }),
};
