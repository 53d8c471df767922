/** Tests which frames of a stack stand out. */

import { expect, test } from 'vitest';
import { Stack } from './stack.tsx';

const own = (frames: readonly string[]): readonly string[] => {
  const html = String(Stack({ text: ['Error: no', ...frames.map((frame) => `    at ${frame}`)].join('\n') }));
  return [...html.matchAll(/<pre class="own">([^<]*)</g)].flatMap(([, found = '']) =>
    found.split('\n').map((line) => line.trim()),
  );
};

test('frames of libraries do not', () => {
  expect(
    own(['send (/app/mail.ts:3:1)', 'retry (/app/node_modules/p-retry/index.js:1:2)', 'run (node:events:1:1)']),
  ).toEqual(['at send (/app/mail.ts:3:1)']);
});

test('frames of TaskFlow itself do not, wherever it runs from', () => {
  const itself = new URL('../worker/runner.ts', import.meta.url);
  expect(own(['send (/app/mail.ts:3:1)', `execute (${itself.href}:67:34)`, `call (${itself.pathname}:8:1)`])).toEqual([
    'at send (/app/mail.ts:3:1)',
  ]);
});
