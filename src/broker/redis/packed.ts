/** Reads what scripts pack with `cmsgpack`: numbers, texts, booleans, and lists of them. */

export type Packed = PackedAs<string>;
type PackedAs<Text> = number | Text | boolean | null | readonly PackedAs<Text>[];

interface Unpacked<Text> {
  readonly values: readonly PackedAs<Text>[];
  /** Where the rest begins. */
  readonly end: number;
}

const utf8Of = (bytes: Buffer, from: number, to: number): string => bytes.toString('utf8', from, to);
const bytesOf = (bytes: Buffer, from: number, to: number): Buffer => bytes.subarray(from, to);

/** Reads `count` values from the place `start` of `bytes` on. */
export function unpack(bytes: Buffer, count: number, start = 0): Unpacked<string> {
  return read(bytes, { count, start, textOf: utf8Of, no: false });
}

/** Reads `count` values as they would have come in an answer: texts as bytes, and null for false. */
export function unpackAnswer(bytes: Buffer, count: number): readonly PackedAs<Buffer>[] {
  return read(bytes, { count, start: 0, textOf: bytesOf, no: null }).values;
}

interface Reading<Text> {
  readonly count: number;
  readonly start: number;
  readonly textOf: (bytes: Buffer, from: number, to: number) => Text;
  readonly no: false | null;
}

function read<Text>(bytes: Buffer, { count, start, textOf, no }: Reading<Text>): Unpacked<Text> {
  let at = start;

  const text = (length: number): Text => {
    at += length;
    return textOf(bytes, at - length, at);
  };

  const list = (length: number): readonly PackedAs<Text>[] => {
    const values: PackedAs<Text>[] = [];
    for (let left = length; left > 0; left--) values.push(next());
    return values;
  };

  const number = (width: number, value: number): number => {
    at += width;
    return value;
  };

  /** The codes of MessagePack that Redis writes. */
  const next = (): PackedAs<Text> => {
    const code = bytes[at++] ?? 0xc1;
    if (code < 0x80) return code;
    if (code >= 0xe0) return code - 0x100;
    if (code >= 0xa0 && code < 0xc0) return text(code & 0x1f);
    if (code >= 0x90 && code < 0xa0) return list(code & 0x0f);
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return no;
      case 0xc3:
        return true;
      case 0xca:
        return number(4, bytes.readFloatBE(at));
      case 0xcb:
        return number(8, bytes.readDoubleBE(at));
      case 0xcc:
        return number(1, bytes.readUInt8(at));
      case 0xcd:
        return number(2, bytes.readUInt16BE(at));
      case 0xce:
        return number(4, bytes.readUInt32BE(at));
      case 0xcf:
        return number(8, bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4));
      case 0xd0:
        return number(1, bytes.readInt8(at));
      case 0xd1:
        return number(2, bytes.readInt16BE(at));
      case 0xd2:
        return number(4, bytes.readInt32BE(at));
      case 0xd3:
        return number(8, bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4));
      case 0xd9:
        return text(number(1, bytes.readUInt8(at)));
      case 0xda:
        return text(number(2, bytes.readUInt16BE(at)));
      case 0xdb:
        return text(number(4, bytes.readUInt32BE(at)));
      case 0xdc:
        return list(number(2, bytes.readUInt16BE(at)));
      default:
        throw new Error(`Invariant broken: the store has a value of code ${code.toString(16)} that no script writes`);
    }
  };

  return { values: list(count), end: at };
}
