/** A namespace is a schema, named in every statement: a connection behind a pooler keeps no setting. */

const tables =
  'tasks|keys|claims|attempts|logs|timeline|events|deltas|counts|minutes|rollups|latencies|samples|queues|workers|limits|slots|edges|members|flows|groups|rounds|turns|schedules|relay|recorded|recorder|unrecorded|gaps|standing_claims|access_keys|access_sessions|access_links|access_tries|audit|migrations|meta';
const named = new RegExp(`\\b(FROM|JOIN|INTO|UPDATE|EXISTS) (${tables})\\b(?! *\\.)`, 'g');
const functions = /\b(json_or_null)\(/g;

/** The name as an identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The statement with the schema before its tables and its functions. */
export function qualify(text: string, namespace: string): string {
  const schema = identifier(namespace).replaceAll('$', '$$$$');
  return text.replace(named, `$1 ${schema}.$2`).replace(functions, `${schema}.$1(`);
}

/** The columns of a new table compare texts by their bytes, as SQLite does, whatever the language of the database. */
export function withCollation(text: string): string {
  return /^(CREATE TABLE|ALTER TABLE)/.test(text) ? text.replace(/(\w+) text\b/g, '$1 text COLLATE "C"') : text;
}
