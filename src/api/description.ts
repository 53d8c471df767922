/** Where generators of clients find everything: the OpenAPI document, as the address it is asked at. */

/** Addresses by which one server is asked: a name and a number, a proxy, two protocols. More are made up. */
const kept = 8;

/** Its text in UTF-8, made once for each of the last addresses: it is large, and many who ask for it at once would each have their own. */
export function createDescription(version: string): (url: string) => Promise<Uint8Array<ArrayBuffer>> {
  const texts = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
  return (url) => {
    const known = texts.get(url);
    if (known !== undefined) return known;
    const text = describe(version, url);
    texts.set(url, text);
    const [oldest] = texts.keys();
    if (texts.size > kept && oldest !== undefined) texts.delete(oldest);
    // One that failed is tried again.
    text.catch(() => texts.delete(url));
    return text;
  };
}

async function describe(version: string, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const { describeApi } = await import('./openapi.ts');
  return new TextEncoder().encode(JSON.stringify(await describeApi({ version, url })));
}
