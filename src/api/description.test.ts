/** The description of the API is made once for each of a few addresses. */

import { expect, test } from 'vitest';
import { createDescription } from './description.ts';

test('the description is as it is asked for, and made once for each of a few addresses', async () => {
  const describe = createDescription('1.2.3');
  const textOf = async (url: string): Promise<string> => Buffer.from(await describe(url)).toString();
  const text = await textOf('http://a.test');
  expect(JSON.parse(text)).toMatchObject({ info: { version: '1.2.3' }, servers: [{ url: 'http://a.test' }] });
  expect(describe('http://a.test')).toBe(describe('http://a.test'));
  const first = describe('http://a.test');
  for (let n = 0; n < 8; n++) expect(await textOf(`http://${n}.test`)).toContain(`"http://${n}.test"`);
  expect(describe('http://a.test')).not.toBe(first);
  expect(await textOf('http://a.test')).toBe(text);
});
