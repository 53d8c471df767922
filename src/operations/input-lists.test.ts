/** Tests that a list full of mistakes, as long as a body may be, is refused in a few words: every list of every operation. */

import { expect, test } from 'vitest';
import { type ZodType, z } from 'zod';
import { limits } from '../core/limits.ts';
import { parseInput } from './input.ts';
import type { Operation } from './operation.ts';
import { operations } from './registry.ts';

interface Part {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Part>>;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
  readonly oneOf?: readonly Part[];
  readonly allOf?: readonly Part[];
}

/** Makes an input around what stands at the place of a list. */
type Around = (inner: unknown) => unknown;

/** Every list in a schema, and every list in its elements; nothing refers to itself. */
function listsIn(part: Part, path: string, around: Around): readonly (readonly [path: string, around: Around])[] {
  const own = part.type === 'array' ? [[path, around] as const] : [];
  const fields = Object.entries(part.properties ?? {}).flatMap(([name, field]) =>
    listsIn(field, `${path}.${name}`, (inner) => around({ [name]: inner })),
  );
  const items = part.items === undefined ? [] : listsIn(part.items, `${path}[]`, (inner) => around([inner]));
  const branches = [...(part.anyOf ?? []), ...(part.oneOf ?? []), ...(part.allOf ?? [])].flatMap((branch) =>
    listsIn(branch, path, around),
  );
  return [...own, ...fields, ...items, ...branches];
}

const cases = await Promise.all(
  Object.values(operations as unknown as Readonly<Record<string, Operation<unknown, unknown>>>).map(
    async (operation) => {
      const schema = await operation.schema();
      const part = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Part;
      const bytes = operation.rest.bodyBytesMax ?? limits.payloadBytesMax;
      return listsIn(part, operation.name, (inner) => inner).map(([path, around]) => ({ path, around, schema, bytes }));
    },
  ),
);

/** As large as a body may be: of the shortest elements, of some that lack everything, and of lists of these. */
const fillings: readonly ((bytes: number) => unknown)[] = [
  (bytes) => Array(Math.floor(bytes / 2)).fill(1),
  (bytes) => Array(Math.floor(bytes / 3)).fill({}),
  () => Array(limits.batchMax).fill({}),
  (bytes) => Array(limits.batchMax).fill(Array(Math.floor(bytes / 2_000)).fill(1)),
];

function refusalOf(schema: ZodType, input: unknown): unknown {
  try {
    parseInput(schema, input);
    return null;
  } catch (error) {
    return error;
  }
}

test('there are lists in many operations, and in the elements of lists', () => {
  const paths = cases.flat().map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['task.enqueue.tags', 'worker.outcome.outcomes[].spawn[].blocks']));
});

test.each(cases.flat())('$path', ({ schema, around, bytes }) => {
  for (const fill of fillings) {
    const refusal = refusalOf(schema, around(fill(bytes)));
    expect(refusal).toMatchObject({ code: 'INVALID_OPTION', status: 400 });
    expect(JSON.stringify(refusal).length).toBeLessThan(20_000);
  }
});
