/** The URL of a Redis, or of the sentinels that know where it is, and what TaskFlow adds to it. */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { readWanted, type WantedDurability } from '../durability.ts';

/** Where the server is, and how it is used. */
export interface RedisAddress {
  /** As it was given. */
  readonly url: string;
  /** For people: without passwords. */
  readonly masked: string;
  /** The server, or the sentinels. */
  readonly hosts: readonly Host[];
  /** Of its socket, which then counts. */
  readonly path: string | null;
  /** What the sentinels are asked for, and how. */
  readonly sentinel: { readonly master: string; readonly user: string | null; readonly password: string | null } | null;
  readonly user: string | null;
  readonly password: string | null;
  readonly db: number;
  /** The files with authority, certificate and key, where they are named. */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null;
  /** What the URL names, else `null`. */
  readonly namespace: string | null;
  readonly durability: WantedDurability;
}

/** A server or a sentinel. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

const optionNames = ['namespace', 'durability', 'db', 'ca', 'cert', 'key', 'sentinelUser', 'sentinelPassword'] as const;
type Options = Readonly<Partial<Record<(typeof optionNames)[number], string>>>;

/** Scheme, user and password, hosts, path, options. */
const form = /^([a-z][a-z+]*):\/\/(?:([^/?#]*)@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/i;

/**
 * Throws a sentence about what is wrong with the URL.
 *
 * @example
 * readRedisUrl('rediss://tasks:secret@redis.internal:6380/0?ca=./ca.pem&namespace=shop')
 * readRedisUrl('redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/mymaster')
 * readRedisUrl('redis+unix:///run/redis.sock')
 */
export function readRedisUrl(url: string): RedisAddress {
  const [, scheme = '', login, authority = '', path = '', query = ''] = form.exec(url) ?? fail('it is no URL');
  const [, secure, , via] =
    /^(?:redis|valkey)(s?)(\+(sentinel|unix))?$/i.exec(scheme) ?? fail(`"${scheme}" is no Redis`);
  const options = readOptions(query);
  const [user, password] = readLogin(login);
  const address = {
    url,
    masked: `${scheme}://${user === null ? '' : `${user}@`}${authority}${path}`,
    user,
    password,
    namespace: options.namespace ?? null,
    durability: readWanted(options.durability ?? 'standard'),
    tls: secure === '' ? refuseFiles(options) : readFiles(options),
  };
  if (via === undefined) return { ...address, ...readServer(authority, path, options), path: null, sentinel: null };
  if (via.toLowerCase() === 'sentinel') return { ...address, ...readSentinels(authority, path, options), path: null };
  if (authority !== '' || path.length < 2) fail('a socket is redis+unix:///run/redis.sock, with three slashes');
  return { ...address, hosts: [], path: decode(path), db: readNumber(options.db ?? '0'), sentinel: null };
}

/** The URL with this namespace in it. */
export function withNamespace({ url }: RedisAddress, namespace: string): string {
  const [place = '', query = ''] = url.split('?', 2);
  const options = new URLSearchParams(query);
  options.set('namespace', namespace);
  return `${place}?${options}`;
}

/** How a client is connected. Reads the files of certificates, which may be renewed between two connections; throws errors of Node. */
export function placeOf({ hosts, path, sentinel, user, password, tls }: RedisAddress): RedisOptions {
  const login = { ...(user !== null && { username: user }), ...(password !== null && { password }) };
  const secure = tls === null ? null : readCertificates(tls);
  if (path !== null) return { ...login, path };
  if (sentinel === null) {
    const [{ host, port } = fail('it names no host')] = hosts;
    return { ...login, host, port, ...(secure && { tls: { ...secure, ...nameOf(host) } }) };
  }
  return {
    ...login,
    sentinels: [...hosts],
    name: sentinel.master,
    // A try that fails is told like any other, and repeated by whoever makes the tries.
    sentinelRetryStrategy: () => null,
    ...(sentinel.user !== null && { sentinelUsername: sentinel.user }),
    ...(sentinel.password !== null && { sentinelPassword: sentinel.password }),
    ...(secure && { tls: secure, sentinelTLS: secure, enableTLSForSentinelMode: true }),
  };
}

function readServer(authority: string, path: string, options: Options): Pick<RedisAddress, 'hosts' | 'db'> {
  const hosts = readHosts(authority, 6379);
  if (hosts.length > 1) fail('several hosts are sentinels: redis+sentinel://host:port,host:port/master');
  if (path.length > 1 && options.db !== undefined) fail('it names the database twice');
  return { hosts, db: readNumber(path.length > 1 ? path.slice(1) : (options.db ?? '0')) };
}

function readSentinels(
  authority: string,
  path: string,
  options: Options,
): Pick<RedisAddress, 'hosts' | 'db' | 'sentinel'> {
  const [, master = '', db = options.db ?? '0', ...rest] = path.split('/');
  if (master === '' || rest.length > 0)
    fail('sentinels are asked for a master: redis+sentinel://host:port,host:port/master');
  const { sentinelUser = null, sentinelPassword = null } = options;
  const sentinel = { master: decode(master), user: sentinelUser, password: sentinelPassword };
  return { hosts: readHosts(authority, 26_379), db: readNumber(db), sentinel };
}

function readHosts(authority: string, portDefault: number): readonly Host[] {
  if (authority === '') fail('it names no host');
  return authority.split(',').map((text) => {
    const [, inBrackets, plain = '', digits] =
      /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? fail(`"${text}" is no host`);
    const port = digits === undefined ? portDefault : Number(digits);
    if (port < 1 || port > 65_535) fail(`${port} is no port`);
    return { host: inBrackets ?? decode(plain), port };
  });
}

/** A word alone is a user without a password, as everywhere in URLs; `:secret@` is the password of the default user. */
function readLogin(login: string | undefined): readonly [user: string | null, password: string | null] {
  if (login === undefined) return [null, null];
  const colon = login.indexOf(':');
  const user = decode(colon < 0 ? login : login.slice(0, colon));
  return [user === '' ? null : user, colon < 0 ? null : decode(login.slice(colon + 1))];
}

function readOptions(query: string): Options {
  const given = Object.fromEntries(new URLSearchParams(query));
  const unknown = Object.keys(given).find((name) => !(optionNames as readonly string[]).includes(name));
  if (unknown !== undefined) fail(`"${unknown}" is no option of it: these are ${optionNames.join(', ')}`);
  return given;
}

function readNumber(text: string): number {
  return /^\d{1,5}$/.test(text) ? Number(text) : fail(`the database is a number, not "${text}"`);
}

function readFiles(options: Options): RedisAddress['tls'] {
  const { ca = null, cert = null, key = null } = options;
  if ((cert === null) !== (key === null)) fail('cert and key belong together');
  return { ca, cert, key };
}

function refuseFiles({ ca, cert, key }: Options): null {
  return (ca ?? cert ?? key) === undefined ? null : fail('certificates belong to rediss://');
}

function readCertificates({ ca, cert, key }: NonNullable<RedisAddress['tls']>) {
  return {
    ...(ca !== null && { ca: readFileSync(ca) }),
    ...(cert !== null && { cert: readFileSync(cert) }),
    ...(key !== null && { key: readFileSync(key) }),
  };
}

/** An address is no name that a certificate could be asked for. */
function nameOf(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail(`"${text}" is no percent-encoding`);
  }
}

function fail(problem: string): never {
  throw new Error(problem);
}
