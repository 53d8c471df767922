/** How often a key may ask: of some keys, in place of what a server lets every key. */

export const name = '0018_key_rates';

/** The statements, in order. NULL is what the server says. */
export function up(): readonly string[] {
  return ['ALTER TABLE access_keys ADD COLUMN rate_count bigint', 'ALTER TABLE access_keys ADD COLUMN rate_ms bigint'];
}
