/** The task that bench/isolate.ts measures, as a task file exports it. */

import { definitionBrand, type TaskDefinition } from '../src/core/definition.ts';

export const noop: TaskDefinition = {
  name: 'noop',
  description: null,
  queue: 'default',
  timeoutMs: 60_000,
  policy: '{}',
  isolate: 'process',
  memoryMb: null,
  file: null,
  key: null,
  keyForMs: null,
  ifExists: 'return',
  strictCancel: false,
  group: null,
  limits: [],
  inputSchema: null,
  schemaVersion: null,
  retryOn: null,
  parseInput: (input) => input,
  parseOutput: (output) => output,
  run: () => ({ ok: true }),
};

export const exported = { [definitionBrand]: noop };
