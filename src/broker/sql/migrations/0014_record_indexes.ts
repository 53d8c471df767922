/** A record finds what is unfinished by an index of its own: see form-indexes.ts. */

export const name = '0014_record_indexes';

/** The statements, in order. */
export function up(): readonly string[] {
  return ['DROP TABLE unfinished'];
}
