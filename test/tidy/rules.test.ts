// Feeds the tidy rules good and bad samples: a rule that never fires guards nothing.

import { expect, test } from 'vitest';
import { checkLayers, findCycles } from './layers.ts';
import { installScripts, resolvedHosts, unexplainedDependencies } from './repository.ts';
import { rules } from './rules.ts';
import { readSource } from './source.ts';

/** A rule's name, a path, a text, and how many complaints it deserves. */
const samples: readonly (readonly [rule: string, path: string, text: string, complaints: number])[] = [
  ['core is pure', 'src/core/a.ts', 'const a = Date.now();', 1],
  ['core is pure', 'src/core/a.ts', 'const a = new Date(5);', 1],
  ['core is pure', 'src/core/a.ts', 'setTimeout(() => {}, 1); globalThis.setInterval(f, 1);', 2],
  ['core is pure', 'src/core/a.ts', 'if (process.env.X) console.log(1);', 2],
  [
    'core is pure',
    'src/core/a.ts',
    'interface A { at: Date; process: string } const b = { Date: 1 }; task.process();',
    0,
  ],
  ['core is pure', 'src/worker/a.ts', 'process.exit(1);', 0],
  ['time is injected', 'src/worker/a.ts', 'const a = Date.now(); const b = new Date();', 2],
  ['time is injected', 'src/worker/a.ts', 'setTimeout(f, 1); const t = setInterval;', 2],
  ['time is injected', 'src/worker/a.ts', 'performance.now();', 1],
  ['time is injected', 'src/worker/a.ts', 'const f = (at: Date) => at instanceof Date; clock.setTimeout(f);', 0],
  ['time is injected', 'src/worker/a.test.ts', 'Date.now();', 0],
  ['chance is injected', 'src/core/a.ts', 'Math.random();', 1],
  ['chance is injected', 'src/api/a.ts', 'Math.floor(chance.random());', 0],
  ['no any', 'src/a.ts', 'const a: any = 1; type B = Record<string, any>;', 2],
  ['no any', 'test/a.ts', 'const a = b as any;', 1],
  ['no any', 'src/a.ts', '/** any */ const any: unknown = 1;', 0],
  ['no non-null assertion', 'src/a.ts', 'a!.b; c![0];', 2],
  ['no non-null assertion', 'src/a.test.ts', 'a!.b;', 0],
  ['no enum, no decorator', 'src/a.ts', 'enum A { b }', 1],
  ['no enum, no decorator', 'src/a.ts', '@c class A {}', 1],
  ['no inheritance', 'src/a.ts', 'class A extends B {}', 1],
  ['no inheritance', 'src/core/errors.ts', 'class TaskFlowError extends Error {}', 0],
  ['no test left out', 'src/a.test.ts', 'test.skip("a", f); describe.only("b", f); it.todo("c");', 3],
  ['no test left out', 'test/a.test.ts', 'test.concurrent.skip("a", f); test.skipIf(x)("b", f);', 2],
  ['no test left out', 'src/a.test.ts', 'test("skip", f); page.skip(3); test.each(rows)("only", f);', 0],
  ['short functions', 'src/a.ts', `function f() {\n${'g();\n'.repeat(60)}}`, 1],
  ['short functions', 'src/a.ts', `function f() {\n${'g();\n'.repeat(58)}}`, 0],
  ['short functions', 'src/a.ts', `function f() {\n${'const g = () => {\n h();\n};\n'.repeat(30)}}`, 0],
  ['short functions', 'src/a.ts', `function f() {\n const g = () => {\n${'h();\n'.repeat(61)}};\n}`, 1],
  ['short functions', 'src/a.test.ts', `describe('a', () => {\n${'g();\n'.repeat(90)}});`, 0],
  ['short files', 'src/a.ts', '// a\n'.repeat(401), 1],
  ['short files', 'src/a.ts', '// a\n'.repeat(400), 0],
  ['files are named for their noun', 'src/core/utils.ts', '', 1],
  ['files are named for their noun', 'src/helpers/a.ts', '', 1],
  ['files are named for their noun', 'src/task-manager.ts', '', 1],
  ['files are named for their noun', 'src/types.d.ts', '', 1],
  ['files are named for their noun', 'src/core/json-type.ts', '', 0],
  ['files open with their purpose', 'src/a.ts', "import { b } from './b.ts';", 1],
  ['files open with their purpose', 'src/a.sql', 'select 1;', 1],
  ['files open with their purpose', 'bin/a.js', '#!/usr/bin/env node\n// Starts the program.', 0],
  ['files open with their purpose', 'src/a.lua', '-- Claims a batch.', 0],
  ['no silenced compiler', 'src/a.ts', '// @ts-ignore', 1],
  ['no silenced compiler', 'test/a.ts', '// @ts-expect-error wrong on purpose', 0],
  ['nothing is left to do', 'docs/a.md', 'TODO: write', 1],
  ['nothing is left to do', 'src/a.ts', '// FIXME\n// a hackathon, todos', 1],
  ['no place of one machine', 'docs/a.md', `see /home/me/x and \`/${'work'}/y\``, 1],
  ['no place of one machine', 'a.yml', `url: https://registry.${'npmjs'}.org/x`, 1],
  ['no place of one machine', 'docs/a.md', 'GET /api/work/1, /homepage/', 0],
  ['the work, not the workshop', 'docs/a.md', 'written by an LLM', 1],
  ['the work, not the workshop', 'docs/a.md', 'as said in issue 2', 1],
  ['the work, not the workshop', 'docs/a.md', 'report it in the issue tracker; the user agent', 0],
];

test.each(samples)('%s: %s %j', (name, path, text, complaints) => {
  const rule = rules.find((each) => each.name === name)!;
  const source = readSource(path, text);
  expect(rule.about(path) ? rule.check(source) : []).toHaveLength(complaints);
});

test('every rule has a sample that breaks it', () => {
  const broken = new Set(samples.filter(([, , , complaints]) => complaints > 0).map(([name]) => name));
  expect(rules.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
});

test.each([
  ['src/core/a.ts', './b.ts', true],
  ['src/core/a.ts', 'node:fs', false],
  ['src/core/a.ts', 'zod', false],
  ['src/core/a.ts', '../broker/broker.ts', false],
  ['src/broker/broker.ts', '../core/task.ts', true],
  ['src/broker/broker.ts', './sql/broker.ts', false],
  ['src/broker/memory/a.ts', '../sql/rows.ts', false],
  ['src/broker/sqlite/a.ts', '../sql/driver.ts', true],
  ['src/broker/sqlite/a.ts', 'node:sqlite', true],
  ['src/broker/sql/a.ts', 'node:sqlite', false],
  ['src/broker/redis/a.ts', '../sql/driver.ts', false],
  ['src/history/a.ts', '../broker/sql/driver.ts', true],
  ['src/history/a.ts', '../broker/sql/rows.ts', true],
  ['src/history/a.ts', '../broker/sqlite/store.ts', false],
  ['src/worker/a.ts', '../engine/service.ts', true],
  ['src/worker/a.ts', '../broker/sqlite/driver.ts', false],
  ['src/client/a.ts', '../broker/connect.ts', false],
  ['src/api/a.ts', '../operations/task.ts', true],
  ['src/api/a.ts', '../broker/broker.ts', false],
  ['src/operations/a.ts', '../broker/broker.ts', false],
  ['src/operations/a.ts', '../worker/worker.ts', false],
  ['src/cli/a.ts', '../broker/connect.ts', true],
  ['src/api/a.ts', 'pg', false],
])('layers: %s importing %s is allowed: %s', (path, specifier, allowed) => {
  const forms = [`import { x } from '${specifier}';`, `export * from '${specifier}';`, `await import('${specifier}');`];
  const complaints = forms.map((text) => checkLayers(readSource(path, text)).length);
  expect(complaints).toEqual(allowed ? [0, 0, 0] : [1, 1, 1]);
});

test('operations may speak of the seam, not call it', () => {
  const complaints = ['import type { Task }', 'import { connect }'].map(
    (what) => checkLayers(readSource('src/operations/a.ts', `${what} from '../broker/broker.ts';`)).length,
  );
  expect(complaints).toEqual([0, 1]);
});

test('a file outside every layer is told so', () => {
  expect(checkLayers(readSource('src/elsewhere/a.ts', ''))).toHaveLength(1);
});

test('a circle of value imports is found, one of types is not', () => {
  const file = (path: string, text: string) => readSource(path, text);
  const circle = [file('src/a.ts', "import { b } from './b.ts';"), file('src/b.ts', "import { a } from './a.ts';")];
  const types = [file('src/a.ts', "import { b } from './b.ts';"), file('src/b.ts', "import type { A } from './a.ts';")];
  expect([findCycles(circle), findCycles(types)]).toEqual([['src/a.ts -> src/b.ts -> src/a.ts'], []]);
});

test('packages are judged', () => {
  const lock = { packages: { '': {}, a: { hasInstallScript: true }, b: { dev: true, hasInstallScript: true } } };
  expect(installScripts(JSON.stringify(lock))).toEqual(['a has an install script']);
  expect(resolvedHosts('{"resolved": "x"}')).toHaveLength(1);
  expect(unexplainedDependencies('{"dependencies":{"a":"1","b":"1"}}', ['- `a`: because'])).toHaveLength(1);
});
