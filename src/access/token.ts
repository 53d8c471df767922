/** Tokens as people and programs hold them: `tf_<kind>_<id>_<secret>`. What is stored is a hash of the secret. */

import { createHash, timingSafeEqual } from 'node:crypto';
import { type KeyKind, keyKinds } from '../core/access.ts';
import type { Chance } from '../core/chance.ts';

/** Bytes of a secret: none of them is ever guessed. */
const secretBytes = 32;

/** A token taken apart. */
export interface TokenParts {
  readonly kind: KeyKind;
  readonly id: string;
  readonly secret: string;
}

/** 256 random bits as 64 hex digits. */
export function createSecret(chance: Chance): string {
  return Buffer.from(chance.bytes(secretBytes)).toString('hex');
}

export function tokenOf({ kind, id, secret }: TokenParts): string {
  return `tf_${kind}_${id}_${secret}`;
}

/** `null` for what is no token. */
export function parseToken(text: string): TokenParts | null {
  const match = /^tf_([a-z]{1,10})_([0-9A-HJKMNP-TV-Z]{26})_([0-9a-f]{64})$/.exec(text);
  const [, kind, id = '', secret = ''] = match ?? [];
  const known = keyKinds.find((one) => one === kind);
  return known === undefined ? null : { kind: known, id, secret };
}

/** A secret has 256 random bits: a plain hash of it cannot be searched. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** In the same time wherever they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Compared with where there is no key, so that an unknown id takes as long as a wrong secret. */
export const noHash = hashOf('');
