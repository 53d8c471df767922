/** A command of Redis as the bytes that are sent: written once into one buffer, where a text of many parts would be put together first. */

/** Numbers are written as text. */
export function encodeCommand(args: readonly (string | number)[]): Buffer {
  const texts = args.map((arg) => (typeof arg === 'string' ? arg : String(arg)));
  // Mostly all of it is ASCII, and to ask each text costs as much as to write it.
  return encode(texts, lengthOf) ?? (encode(texts, Buffer.byteLength) as Buffer);
}

const [star, dollar, zero] = [0x2a, 0x24, 0x30];
/** A dollar, at most ten digits, and two ends of lines. */
const frameMax = 15;
/** A text that is longer than it was said to be is written beyond its place, whatever its last character is. */
const slack = 8;

function lengthOf(text: string): number {
  return text.length;
}

/** `null` when a text takes more bytes than `bytesOf` says. */
function encode(texts: readonly string[], bytesOf: (text: string) => number): Buffer | null {
  let size = frameMax + slack;
  for (const text of texts) size += bytesOf(text) + frameMax;
  const bytes = Buffer.allocUnsafe(size);
  let at = writeCount(bytes, 0, star, texts.length);
  for (const text of texts) {
    const length = bytesOf(text);
    at = writeCount(bytes, at, dollar, length);
    if (bytes.write(text, at) !== length) return null;
    at = endLine(bytes, at + length);
  }
  return bytes.subarray(0, at);
}

function writeCount(bytes: Buffer, from: number, kind: number, count: number): number {
  bytes[from] = kind;
  let end = from + 2;
  for (let rest = count; rest >= 10; rest = Math.floor(rest / 10)) end++;
  for (let place = end - 1, rest = count; place > from; place--, rest = Math.floor(rest / 10))
    bytes[place] = zero + (rest % 10);
  return endLine(bytes, end);
}

function endLine(bytes: Buffer, at: number): number {
  bytes[at] = 0x0d;
  bytes[at + 1] = 0x0a;
  return at + 2;
}
