/** Reads what a request carries, within bounds: a body that is too large is refused before it is in memory. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { decodeJson, formatBytes } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { mayLoseDigits, readStoredJson } from '../core/stored-json.ts';

/** The input may fill its limit; the rest is for the options around it and for escapes in the text. */
export const bodyBytesMax = limits.payloadBytesMax + limits.bodyOverheadBytes;

/** Resolves when it is the caller's turn for a piece of work. */
export type Turn = () => Promise<void>;

/**
 * The JSON body of a request, `{}` when there is none. Numbers a double cannot hold are kept as they were written. A large one is read as JSON
 * when it is the caller's turn.
 * Throws PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_JSON, PAYLOAD_TOO_DEEP and PAYLOAD_NOT_JSON.
 */
export async function readJsonBody(request: Request, bytesMax = bodyBytesMax, turn?: Turn): Promise<unknown> {
  const bytes = await readBytes(request, bytesMax);
  if (bytes.length === 0) return {};
  requireMediaType(request, 'application/json');
  // When all of it is there: bodies that came together would be read one behind the other.
  if (bytes.length >= limits.turnBodyBytesMin) await turn?.();
  // A parser of the program we are mounted in may have unpacked it.
  if (!/^[\s{["\-\dtfn\u00ef]/.test(String.fromCharCode(bytes[0] ?? 0))) refusePacked(request);
  return readJsonText(decodeUtf8(bytes, 'The body'), 'The body', bytesMax);
}

/** JSON text from outside. Throws INVALID_JSON, PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP and PAYLOAD_NOT_JSON, about `what`. */
export function readJsonText(text: string, what: string, bytesMax = bodyBytesMax): unknown {
  // More levels than a payload: around it is an object, and in a batch the list and the object around that.
  const value = decodeJson(text, { what, bytesMax, depthMax: limits.jsonDepthMax + limits.bodyLevels });
  return mayLoseDigits(text) ? readStoredJson(text) : value;
}

/** Throws UNSUPPORTED_MEDIA_TYPE for a body that is said to be compressed: what a little of it becomes nobody can know before. */
export function refusePacked(request: Request): void {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return;
  throw taskFlowError('UNSUPPORTED_MEDIA_TYPE', { wanted: 'sent as it is', type: `as ${encoding.slice(0, 40)}` });
}

/** The fields of a posted HTML form; of a name given twice the last value. Throws like {@link readJsonBody}. */
export async function readForm(request: Request): Promise<Readonly<Record<string, string>>> {
  const bytes = await readBytes(request, bodyBytesMax);
  if (bytes.length > 0) requireMediaType(request, 'application/x-www-form-urlencoded');
  return Object.fromEntries(new URLSearchParams(decodeUtf8(bytes, 'The body')));
}

/** The query as an object. Throws INVALID_OPTION for a name given twice: which one was meant? */
export function readQuery(url: string): Readonly<Record<string, string>> {
  const query: Record<string, string> = {};
  for (const [name, value] of new URL(url).searchParams) {
    if (Object.hasOwn(query, name))
      throw taskFlowError('INVALID_OPTION', { what: name.slice(0, 60), problem: 'it is given more than once' });
    if (name === '__proto__') throw taskFlowError('INVALID_OPTION', { what: 'The query', problem: 'unknown field.' });
    query[name] = value;
  }
  return query;
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length');
  if (Number(announced ?? 0) > bytesMax) throw tooLarge(bytesMax);
  if (announced !== null && !request.bodyUsed) return await readAnnounced(request, bytesMax);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  for (;;) {
    const { done, value } = await readChunk(reader);
    if (done) return Buffer.concat(chunks);
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw tooLarge(bytesMax);
    }
    chunks.push(value);
  }
}

/** A server holds a body to the length that was announced; read as a whole it costs a tenth of what a stream of one chunk does. */
async function readAnnounced(request: Request, bytesMax: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer().catch(refuseShort));
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes;
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    return refuseShort(cause);
  }
}

/** A client that goes away in the middle of its body made the mistake, not the server. */
function refuseShort(cause: unknown): never {
  throw taskFlowError('INVALID_JSON', { what: 'The body', problem: 'it ended too early' }, { cause });
}

function requireMediaType(request: Request, wanted: string): void {
  const given = request.headers.get('content-type') ?? '';
  const type = given.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === wanted || (wanted === 'application/json' && /^application\/[\w.-]+\+json$/.test(type))) return;
  throw new TaskFlowError('UNSUPPORTED_MEDIA_TYPE', { wanted, type: type === '' ? 'nothing' : type.slice(0, 100) });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws INVALID_JSON, about `what`. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw taskFlowError('INVALID_JSON', { what, problem: 'it is not UTF-8' }, { cause });
  }
}

function tooLarge(bytesMax: number) {
  return taskFlowError('PAYLOAD_TOO_LARGE', { what: 'The body', max: formatBytes(bytesMax) });
}
