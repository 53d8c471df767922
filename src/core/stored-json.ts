/** Reads JSON text the store keeps, so that writing it again gives the numbers somebody sent, to the last digit. */

/** Part of ECMAScript and of Node 22, not yet of TypeScript's library. */
const exactJson = JSON as unknown as {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
};

/** A double holds any number of so many decimal digits. */
const exactDigits = 15;

/**
 * The value of `text`, which was checked when it was stored. A number beyond a double (a 64-bit id, say) becomes an
 * object that `JSON.stringify` writes as the digits it came with: such a value is for showing, not for computing.
 */
export function readStoredJson(text: string): unknown {
  return mayLoseDigits(text) ? readExactly(text) : JSON.parse(text);
}

/** Whether there may be a number in it that a double cannot hold: a reviver costs several times a plain parse, and hardly any text has one. */
export function mayLoseDigits(text: string): boolean {
  return hasLongDigits.test(text) && hasLongNumber.test(text);
}

/** Looked for first: a text without such digits is passed over ten times as fast. */
const hasLongDigits = /\d(?:[\d.]{15}|[eE])/;
/** Where a number begins: within a string the digits of a UUID would do. */
const hasLongNumber = /(?:^|[\s:,[])-?(?:\d[\d.]{15}|\d+(?:\.\d+)?[eE])/;

function readExactly(text: string): unknown {
  return exactJson.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && losesDigits(value, source) ? exactJson.rawJSON(source) : value,
  );
}

function losesDigits(value: number, source: string): boolean {
  if (String(value) === source) return false;
  const digits = source.replace(/[eE].*$/, '').replace(/^-?0?\.?0*|\D/g, '');
  return digits.length > exactDigits || !Number.isFinite(value) || (value === 0 && /[1-9]/.test(digits));
}

/** Whether a value read here is a number kept as it was written, which is an object and no value to compute with. */
export function isKeptNumber(value: unknown): boolean {
  return exactJson.isRawJSON(value);
}
