/** Addresses of the internet protocol as numbers, ranges of them, and the network that stands for one caller. */

/** 128 bits; one of version 4 is as IPv6 maps it, so that `::ffff:10.0.0.1` and `10.0.0.1` are the same. */
export type AddressBits = bigint;

/** All addresses that begin with the same `bits`. */
export interface AddressRange {
  readonly first: AddressBits;
  readonly bits: number;
}

const mapped = 0xffffn << 32n;

/** `null` for what is no address. Takes brackets, and leaves out the zone of a link-local one. */
export function parseAddress(text: string): AddressBits | null {
  if (text.length > 60) return null;
  const bare = text.replace(/^\[([^\]]*)\]$/, '$1').replace(/%[\w.-]*$/, '');
  if (!bare.includes(':')) {
    const four = parseFour(bare);
    return four === null ? null : mapped | four;
  }
  return parseSix(bare);
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address; `null` for what is neither. */
export function parseRange(text: string): AddressRange | null {
  const [name = '', length, ...rest] = text.split('/');
  const first = parseAddress(name);
  if (first === null || rest.length > 0) return null;
  if (length === undefined) return { first, bits: 128 };
  const isFour = !name.includes(':');
  if (!/^\d{1,3}$/.test(length) || Number(length) > (isFour ? 32 : 128)) return null;
  return { first, bits: Number(length) + (isFour ? 96 : 0) };
}

export function isInRange(address: AddressBits, { first, bits }: AddressRange): boolean {
  const rest = BigInt(128 - bits);
  return address >> rest === first >> rest;
}

/**
 * What counts as one caller: an address of version 4, of version 6 its network of 64 bits, for whoever has one of these has all of them.
 * Text that is no address stands for itself.
 */
export function callerOf(text: string): string {
  // What most are, without arithmetic.
  if (!text.includes(':')) return text;
  const address = parseAddress(text);
  if (address === null) return text;
  if (address >> 32n === mapped >> 32n) return fourText(address & 0xffff_ffffn);
  return `${(address >> 64n).toString(16)}::/64`;
}

function fourText(four: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((four >> shift) & 0xffn)).join('.');
}

function parseFour(text: string): bigint | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = (match?.slice(1) ?? []).map(Number);
  if (parts.length !== 4 || parts.some((part) => part > 255)) return null;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseSix(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [head, tail] = halves.map(groupsOf);
  if (head === null || head === undefined || tail === null) return null;
  const known = head.length + (tail?.length ?? 0);
  if (tail === undefined ? known !== 8 : known > 7) return null;
  const groups = [...head, ...Array<bigint>(8 - known).fill(0n), ...(tail ?? [])];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** Groups of 16 bits; the last may be an address of version 4. */
function groupsOf(text: string): readonly bigint[] | null {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const four = index === parts.length - 1 && part.includes('.') ? parseFour(part) : null;
    if (four !== null) groups.push(four >> 16n, four & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return null;
  }
  return groups;
}
