/** Tests whose word on callers is taken: what anybody can write into a header changes nothing. */

import { describe, expect, test } from 'vitest';
import { callerOf, isWithin, readAddress, readRanges } from './address.ts';
import { findCaller, type Proxies, readProxies, type SaidOfCaller } from './proxies.ts';

const proxies = (...parts: string[]): Proxies => {
  const read = readProxies(parts);
  if (read === null) throw new Error(`no proxies: ${parts.join()}`);
  return read;
};
const addressOf = (given: Proxies, peer: string, said: SaidOfCaller) => findCaller(given, peer, said).address;

describe('addresses', () => {
  test.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    ':',
    ':::',
    '1::2::3',
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    'x'.repeat(99),
  ])('%j is none', (text) => expect(readAddress(text)).toBeNull());

  test('are the same however they are written', () => {
    const isOf = (range: string, address: string): boolean => {
      const ranges = readRanges([range]);
      return ranges !== null && isWithin(ranges, address);
    };
    expect(isOf('10.0.0.0/8', '::ffff:10.0.0.1')).toBe(true);
    expect(isOf('10.0.0.0/8', '::ffff:11.0.0.1')).toBe(false);
    expect(isOf('2001:db8:0:0:0:0:0:1', '[2001:DB8::1]')).toBe(true);
    expect(isOf('fe80::1%eth0', 'fe80::1')).toBe(true);
    expect(isOf('::/0', '::')).toBe(true);
    expect(isOf('0.0.0.0/0', '192.0.2.7')).toBe(true);
  });

  test.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', 'any'])('%j is no range', (text) =>
    expect(readRanges([text])).toBeNull(),
  );

  test('of one network of version 6 are one caller', () => {
    expect(callerOf('2001:db8:1:2::3')).toBe(callerOf('2001:db8:1:2:ffff::4'));
    expect(callerOf('2001:db8:1:2::3')).not.toBe(callerOf('2001:db8:1:3::3'));
    expect(callerOf('::ffff:192.0.2.7')).toBe('192.0.2.7');
    expect(callerOf('192.0.2.7')).toBe('192.0.2.7');
    expect(callerOf('::1')).toBe('0:0:0:0::/64');
    expect(callerOf('2001:db8::')).toBe('2001:db8:0:0::/64');
    expect(callerOf('::1.2.3.4')).toBe('0:0:0:0::/64');
    expect(callerOf('somewhere:else')).toBe('somewhere:else');
  });
});

describe('settings', () => {
  test.each([['0'], ['21'], ['2', '10.0.0.1'], ['everybody'], ['constructor'], ['10.0.0.0/99']])(
    '%j are refused',
    (...parts) => expect(readProxies(parts)).toBeNull(),
  );
  test('have names for well-known ranges', () => {
    expect(addressOf(proxies('private'), '172.20.0.4', { forwardedFor: '203.0.113.9' })).toBe('203.0.113.9');
    expect(addressOf(proxies('private'), '172.40.0.4', { forwardedFor: '203.0.113.9' })).toBe('172.40.0.4');
  });
});

describe('a caller', () => {
  const two = proxies('10.0.0.0/8', 'loopback');

  test('who is no proxy is not believed', () => {
    const said = { forwardedFor: '198.51.100.1', forwardedProto: 'https', forwarded: 'for=198.51.100.1;proto=https' };
    expect(findCaller(two, '203.0.113.9', said)).toEqual({ address: '203.0.113.9', isHttps: false });
  });

  test('is the first, from the nearest on, who is no proxy: what comes before they wrote themselves', () => {
    const forwardedFor = '127.0.0.1, 198.51.100.1, 203.0.113.9, 10.1.1.1';
    expect(addressOf(two, '127.0.0.1', { forwardedFor })).toBe('203.0.113.9');
    expect(addressOf(2, '192.0.2.1', { forwardedFor })).toBe('203.0.113.9');
    expect(addressOf(1, '192.0.2.1', { forwardedFor })).toBe('10.1.1.1');
  });

  test('is a proxy where all are, or where one says nothing that can be read', () => {
    expect(addressOf(two, '127.0.0.1', { forwardedFor: '10.0.0.2, 10.0.0.3' })).toBe('10.0.0.2');
    expect(addressOf(two, '127.0.0.1', { forwardedFor: '198.51.100.1, unknown' })).toBe('127.0.0.1');
    expect(addressOf(two, '127.0.0.1', {})).toBe('127.0.0.1');
    expect(addressOf(two, '127.0.0.1', { forwardedFor: Array(5_000).fill('10.0.0.1').join() })).toBe('10.0.0.1');
  });

  test('may be told with a port', () => {
    expect(addressOf(1, '10.0.0.1', { forwardedFor: '203.0.113.9:4711' })).toBe('203.0.113.9');
    expect(addressOf(1, '10.0.0.1', { forwardedFor: '[2001:db8::1]:4711' })).toBe('2001:db8::1');
  });

  test('is told by Forwarded too, where X-Forwarded-For is absent', () => {
    const forwarded = 'For="[2001:db8:cafe::17]:4711";proto=https, for=10.0.0.9;by=x';
    expect(findCaller(two, '127.0.0.1', { forwarded })).toEqual({ address: '2001:db8:cafe::17', isHttps: true });
    expect(addressOf(two, '127.0.0.1', { forwarded, forwardedFor: '203.0.113.9' })).toBe('203.0.113.9');
    expect(addressOf(two, '127.0.0.1', { forwarded: 'for=_hidden' })).toBe('127.0.0.1');
  });

  test('comes over TLS where the proxy next to them says so, and not where they say so themselves', () => {
    const https = (forwardedProto: string, forwardedFor = '203.0.113.9') =>
      findCaller(two, '127.0.0.1', { forwardedFor, forwardedProto }).isHttps;
    expect(https('https')).toBe(true);
    expect(https('HTTPS, http', '203.0.113.9, 10.0.0.1')).toBe(true);
    expect(https('https, http')).toBe(false);
    expect(https('http')).toBe(false);
    expect(findCaller(two, '127.0.0.1', { forwardedProto: 'https' }).isHttps).toBe(true);
  });
});
