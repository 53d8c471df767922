// Makes the next numbered migration file: `npm run migration:new add run locks`.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../src/broker/sql/migrations/', import.meta.url));

/** The file name that follows the highest number in use. Two people who take one number collide in git, on purpose. */
function nextName(title: string): string {
  const numbers = readdirSync(folder).map((name) => Number(/^\d{4}/.exec(name)?.[0] ?? 0));
  return `${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}-${title}.sql`;
}

const title = process.argv
  .slice(2)
  .join(' ')
  .toLowerCase()
  .replace(/[^a-z0-9]+/g, '-')
  .replace(/^-|-$/g, '');
if (title === '') {
  console.error('Say what it does: npm run migration:new add run locks');
  process.exitCode = 1;
} else {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, nextName(title));
  const text = `-- ${title.replaceAll('-', ' ')}. Why, and what it costs on a large table:\n\n`;
  writeFileSync(path, text, { flag: 'wx' });
  console.log(path);
}
