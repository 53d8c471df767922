/** Addresses of the internet protocol: the ranges they lie in, and the network that stands for one caller. */

import { BlockList, isIP, SocketAddress } from 'node:net';

/** Without brackets and without the zone of a link-local one; `null` for what is no address. */
export function readAddress(text: string): string | null {
  const bare = text.replace(/^\[([^\]]*)\]$/, '$1').replace(/%[\w.-]*$/, '');
  return isIP(bare) === 0 ? null : bare;
}

/** `10.0.0.0/8`, `2001:db8::/32`, and addresses alone; `null` when one of them is neither. */
export function readRanges(texts: readonly string[]): BlockList | null {
  const ranges = new BlockList();
  for (const text of texts) {
    const [name = '', length, ...rest] = text.split('/');
    const address = readAddress(name);
    if (address === null || rest.length > 0) return null;
    const bitsMax = isIP(address) === 4 ? 32 : 128;
    const bits = length === undefined ? bitsMax : /^\d{1,3}$/.test(length) ? Number(length) : Infinity;
    if (bits > bitsMax) return null;
    ranges.addSubnet(address, bits, familyOf(address));
  }
  return ranges;
}

/** One of version 4 lies where it does however it is written, `::ffff:10.0.0.1` too. */
export function isWithin(ranges: BlockList, text: string): boolean {
  const address = readAddress(text);
  return address !== null && ranges.check(address, familyOf(address));
}

/**
 * What counts as one caller: an address of version 4, of version 6 its network of 64 bits, for whoever has one of these has all of them.
 * Text that is no address stands for itself.
 */
export function callerOf(text: string): string {
  // What most are, at no cost.
  if (!text.includes(':')) return text;
  const address = readAddress(text);
  if (address === null) return text;
  // The one way of writing it.
  const written = new SocketAddress({ address, family: 'ipv6' }).address;
  const four = /^::ffff:([\d.]+)$/.exec(written)?.[1];
  if (four !== undefined) return four;
  const [head = [], tail = []] = written.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}
