/** The reference of the API: every operation with its address, input, answer, roles, and how to call it. Made from the registry. */

import type { Contract, Endpoint, Field, JsonSchema } from '../api/contract.ts';
import { exampleField, exampleFields, exampleInput, exampleOutput } from '../api/example.ts';
import { Layout, type PageFrame } from './layout.tsx';

interface ApiPageProps {
  readonly frame: PageFrame;
  readonly contract: Contract;
  /** The example of the command line for each operation that has a command. */
  readonly commands: Readonly<Record<string, string>>;
}

export function ApiPage({ frame, contract, commands }: ApiPageProps) {
  const byNoun = Map.groupBy(contract.endpoints, ({ operation }) => operation.name.split('.', 1)[0] ?? '');
  return (
    <Layout title="API" current={null} frame={frame}>
      <h1>API</h1>
      <p class="muted">
        {`${contract.endpoints.length} operations below /api/v1, the same for programs, the command line and these pages. `}
        <a class="strong" href={`${frame.root}openapi.json`}>
          OpenAPI 3.1
        </a>
        {' has it all for generators of clients.'}
      </p>
      <nav class="api-nouns" aria-label="Nouns">
        {[...byNoun.keys()].map((noun) => (
          <a href={`#${noun}`}>{noun}</a>
        ))}
      </nav>
      {[...byNoun].map(([noun, endpoints]) => (
        <section class="card" id={noun} aria-label={noun}>
          <header>
            <h2>{noun}</h2>
            <span class="muted">{String(endpoints.length)}</span>
          </header>
          {endpoints.map((endpoint) => (
            <Operation endpoint={endpoint} contract={contract} command={commands[endpoint.operation.name] ?? null} />
          ))}
        </section>
      ))}
    </Layout>
  );
}

function Operation({
  endpoint,
  contract,
  command,
}: {
  readonly endpoint: Endpoint;
  readonly contract: Contract;
  readonly command: string | null;
}) {
  const { operation, path, inPath, fields } = endpoint;
  const { name, summary, role, scope, rest, audit } = operation;
  return (
    <details class="api-operation" id={name}>
      <summary>
        <b class="mono">{rest.method}</b> <span class="mono">{path}</span> <span class="muted">{summary}</span>
      </summary>
      <div class="body">
        <p>
          <span class="mono">{name}</span>
          {` · role ${role} · scope ${scope}`}
          {audit === null ? '' : ` · kept as “${audit}”`}
        </p>
        {inPath.length + fields.length === 0 ? (
          <p class="muted">It takes nothing.</p>
        ) : (
          <Fields fields={[...inPath, ...fields]} />
        )}
        <h3>curl</h3>
        <pre>{curlOf(endpoint)}</pre>
        <h3>TypeScript</h3>
        <pre>{typescriptOf(endpoint)}</pre>
        {command === null ? null : (
          <>
            <h3>Command line</h3>
            <pre>{command}</pre>
          </>
        )}
        <h3>Answer</h3>
        <pre>{JSON.stringify(exampleOutput(endpoint, contract.schemas), null, 2)}</pre>
      </div>
    </details>
  );
}

function Fields({ fields }: { readonly fields: readonly Field[] }) {
  return (
    <table class="api-fields">
      <thead>
        <tr>
          <th scope="col">Input</th>
          <th scope="col">Type</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        {fields.map(({ name, schema, isRequired }) => (
          <tr>
            <td class="mono">{isRequired ? name : `${name}?`}</td>
            <td class="mono">{typeOf(schema)}</td>
            <td>{String(schema.description ?? '')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A type in a few words, as one would say it in TypeScript. */
function typeOf(schema: JsonSchema): string {
  const { anyOf, type, items } = schema as {
    readonly anyOf?: readonly JsonSchema[];
    readonly type?: string | readonly string[];
    readonly items?: JsonSchema;
  };
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(' | ');
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (type === 'array') return items === undefined ? 'unknown[]' : `${bracketed(typeOf(items))}[]`;
  const bounds = [schema.minimum, schema.maximum].every((bound) => typeof bound === 'number')
    ? ` ${schema.minimum}–${schema.maximum}`
    : '';
  return type === undefined ? 'any JSON' : `${[type].flat().join(' | ')}${bounds}`;
}

function bracketed(text: string): string {
  return text.includes(' ') ? `(${text})` : text;
}

function curlOf(endpoint: Endpoint): string {
  const { operation, path, inPath, fields } = endpoint;
  const filled = inPath.reduce(
    (text, field) => text.replace(`{${field.name}}`, encodeURIComponent(String(exampleField(endpoint, field)))),
    path,
  );
  const given = exampleFields(endpoint).map((field): [string, unknown] => [field.name, exampleField(endpoint, field)]);
  const isQuery = operation.rest.method === 'GET';
  const query =
    isQuery && given.length > 0
      ? `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}`
      : '';
  const lines = [
    `curl ${isQuery ? '' : `-X ${operation.rest.method} `}"$TASKFLOW_URL/api/v1${filled}${query}"`,
    '-H "Authorization: Bearer $TASKFLOW_TOKEN"',
  ];
  if (!isQuery && fields.length > 0) {
    lines.push("-H 'Content-Type: application/json'");
    lines.push(`-d '${JSON.stringify(Object.fromEntries(given))}'`);
  }
  return lines.join(' \\\n  ');
}

function typescriptOf(endpoint: Endpoint): string {
  const [noun = '', verb = ''] = endpoint.operation.name.split('.');
  const method = verb.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());
  const input = exampleInput(endpoint);
  return `await client.${noun}.${method}(${Object.keys(input).length === 0 ? '' : literal(input)});`;
}

/** As one writes it in code: names without quotes where they need none. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).map(
    ([name, inner]) => `${/^[A-Za-z_]\w*$/.test(name) ? name : literal(name)}: ${literal(inner)}`,
  );
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}
