/** Whose word on callers is taken: which proxies stand before a server, and what they say of who asks. */

import type { BlockList } from 'node:net';
import { isWithin, readAddress, readRanges } from './address.ts';

/** Addresses, or how many stand in a row. */
export type Proxies = BlockList | number;

/** Who asks, as the nearest one says who is not believed any more. */
export interface Caller {
  readonly address: string | undefined;
  readonly isHttps: boolean;
}

/** What a request says of the way it came. */
export interface SaidOfCaller {
  /** `X-Forwarded-For` */
  readonly forwardedFor?: string | undefined;
  /** `X-Forwarded-Proto` */
  readonly forwardedProto?: string | undefined;
  /** `Forwarded` (RFC 7239) */
  readonly forwarded?: string | undefined;
}

/** Names for ranges that everybody knows. */
const named: ReadonlyMap<string, readonly string[]> = new Map([
  ['loopback', ['127.0.0.0/8', '::1']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']],
]);

/** Proxies in a row, and addresses in a header that are looked at, from the nearest. */
export const proxiesMax = 20;

/** `null` when a part is no address, no range and no name of one. */
export function readProxies(parts: readonly string[]): Proxies | null {
  const [only = ''] = parts;
  if (parts.length === 1 && /^\d{1,2}$/.test(only)) {
    const count = Number(only);
    return count >= 1 && count <= proxiesMax ? count : null;
  }
  return readRanges(parts.flatMap((part) => named.get(part) ?? [part]));
}

/** Whether this one, `passed` proxies before it, is a proxy too. */
export function isProxy(proxies: Proxies, address: string | undefined, passed = 0): boolean {
  if (typeof proxies === 'number') return passed < proxies;
  return isWithin(proxies, address ?? '');
}

/**
 * From the peer of the connection back through those who are believed, to the first who is not: what that one says of others anybody
 * could have written. An address that cannot be read ends the way too. `X-Forwarded-For` wins over `Forwarded`: proxies that do not know
 * the second let through what a caller wrote in it.
 */
export function findCaller(proxies: Proxies, peer: string | undefined, said: SaidOfCaller): Caller {
  const direct: Caller = { address: peer, isHttps: false };
  if (!isProxy(proxies, peer)) return direct;
  const hops = said.forwardedFor === undefined ? readForwarded(said.forwarded) : readForwardedFor(said.forwardedFor);
  const protos = partsOf(said.forwardedProto).map((proto) => proto.toLowerCase());
  let passed = 1;
  let found: Caller = direct;
  for (const hop of hops.reverse().slice(0, proxiesMax)) {
    // With fewer of them than proxies, the first says it of the browser.
    const proto = protos.length > 0 ? protos.at(-Math.min(passed, protos.length)) : hop.proto;
    if (hop.address === null) return { ...found, isHttps: proto === 'https' };
    found = { address: hop.address, isHttps: proto === 'https' };
    if (!isProxy(proxies, hop.address, passed)) return found;
    passed += 1;
  }
  return hops.length > 0 ? found : { address: peer, isHttps: protos.at(-1) === 'https' };
}

interface Hop {
  /** `null` where it is hidden or nonsense. */
  readonly address: string | null;
  readonly proto?: string | undefined;
}

function readForwardedFor(text: string): Hop[] {
  return partsOf(text).map((part) => ({ address: addressOf(part) }));
}

/** `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"` */
function readForwarded(text: string | undefined): Hop[] {
  return partsOf(text).map((part) => {
    const pairs = part.split(';').map((pair) => {
      const at = pair.indexOf('=');
      const value = pair.slice(at + 1).trim();
      return [pair.slice(0, Math.max(0, at)).trim().toLowerCase(), value.replace(/^"(.*)"$/, '$1')] as const;
    });
    const partOf = (name: string) => pairs.find(([given]) => given === name)?.[1];
    return { address: addressOf(partOf('for') ?? ''), proto: partOf('proto')?.toLowerCase() };
  });
}

function partsOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Without a port, as some proxies add one. */
function addressOf(text: string): string | null {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return readAddress(bare) === null ? null : bare;
}
