/** `taskflow version` */

import { readFileSync } from 'node:fs';
import type { CommandSpec } from '../command.ts';

/** The version in the package's own package.json: two folders up from src/cli as from dist/cli. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}

const version: CommandSpec = {
  name: 'version',
  summary: 'Show the versions of TaskFlow and Node',
  isLocal: true,
  example: 'taskflow version --json',
  async run({ output }) {
    const document = {
      taskflow: packageVersion(),
      node: process.versions.node,
      sqlite: process.versions.sqlite ?? null,
      platform: `${process.platform}-${process.arch}`,
    };
    output.record({ id: (row) => row.taskflow }, document, () => [
      `taskflow ${document.taskflow}   node ${document.node}   sqlite ${document.sqlite ?? '-'}   ${document.platform}`,
    ]);
    return 0;
  },
};

export const commands = [version];
