// Makes the next numbered migration and adds it to the list: `npm run migration:new add run locks`.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../src/broker/sql/migrations/', import.meta.url));
const listFile = join(folder, 'index.ts');

/** The number after the highest in use. Two people who take the same one collide in the list, on purpose. */
function nextNumber(): string {
  const used = readdirSync(folder).map((file) => Number(/^\d{4}/.exec(file)?.[0] ?? 0));
  return String(Math.max(0, ...used) + 1).padStart(4, '0');
}

function migrationText(name: string, words: readonly string[]): string {
  return `/** ${words.join(' ')}: why, and what it costs on a large table. */

import type { Dialect } from '../driver.ts';

export const name = '${name}';

/** The statements, in order. */
export function up(_dialect: Dialect): readonly string[] {
  return [];
}
`;
}

/** The list with one import and one entry more. */
function listWith(list: string, name: string, variable: string): string {
  const lastImport = list.lastIndexOf('\nimport ');
  const afterImports = list.indexOf('\n', lastImport + 1) + 1;
  const withImport = `${list.slice(0, afterImports)}import * as ${variable} from './${name}.ts';\n${list.slice(afterImports)}`;
  return withImport.replace(/(migrations: readonly Migration\[\] = \[[^\]]*?),?(\s*\];)/, `$1, ${variable}$2`);
}

const words =
  process.argv
    .slice(2)
    .join(' ')
    .toLowerCase()
    .match(/[a-z0-9]+/g) ?? [];
if (words.length === 0) {
  console.error('Say what it does: npm run migration:new add run locks');
  process.exitCode = 1;
} else {
  const name = `${nextNumber()}_${words.join('_')}`;
  const variable = words
    .map((word, index) => (index === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1)))
    .join('');
  const list = listWith(readFileSync(listFile, 'utf8'), name, variable);
  writeFileSync(join(folder, `${name}.ts`), migrationText(name, words), { flag: 'wx' });
  writeFileSync(listFile, list);
  console.log(`made src/broker/sql/migrations/${name}.ts and added it to index.ts`);
}
