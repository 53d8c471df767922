// Who may import whom: the table of the design's layers, and the search for cycles.

import { posix } from 'node:path';
import { importsOf, isTest, type Source } from './source.ts';

interface Layer {
  /** Files this row is about: a file, or a folder that ends in a slash. The longest match decides. */
  readonly of: readonly string[];
  /** What they may import besides one another. `src/` means everything. */
  readonly from: readonly string[];
  /** Files whose types alone may be imported. */
  readonly typesFrom?: readonly string[];
  /** Packages and `node:` modules; left out, all but the store clients below. */
  readonly packages?: readonly string[];
}

const seam = 'src/broker/broker.ts';
/** What every adapter does alike. */
const besideSeam = ['durability', 'hand-over', 'hints', 'notify', 'subscribers'].map((name) => `src/broker/${name}.ts`);
const sqlFolder = 'src/broker/sql/';

/** A row's files may import one another: `engine/`, `worker/` and `client/` are one layer, so are `api/` and `dashboard/`. */
export const layers: readonly Layer[] = [
  // croner reads cron expressions and counts in the calendar it is given: handed a time, it asks no clock.
  { of: ['src/core/'], from: [], packages: ['croner'] },
  // What Node has to read addresses and blocks of them opens nothing.
  { of: ['src/core/address.ts', 'src/core/proxies.ts'], from: ['src/core/'], packages: ['node:net'] },
  { of: [seam, 'src/broker/signal.ts', 'src/broker/schedules.ts'], from: ['src/core/'], packages: [] },
  { of: besideSeam, from: ['src/core/', seam], packages: [] },
  // Pure like the core: it judges what was written down.
  { of: ['src/checker/'], from: ['src/core/'], packages: [] },
  { of: ['src/broker/memory/'], from: ['src/core/', seam, ...besideSeam], packages: [] },
  { of: [sqlFolder], from: ['src/core/', seam, ...besideSeam] },
  { of: ['src/broker/sqlite/'], from: ['src/core/', seam, ...besideSeam, sqlFolder] },
  { of: ['src/broker/postgres/'], from: ['src/core/', seam, ...besideSeam, sqlFolder] },
  { of: ['src/broker/redis/'], from: ['src/core/', seam, ...besideSeam] },
  { of: ['src/broker/http/'], from: ['src/core/', seam, ...besideSeam, 'src/remote/'] },
  // How a server is asked, and heard, by whoever is not at the store: programs that talk HTTP, and workers.
  { of: ['src/remote/'], from: ['src/core/'], packages: [] },
  {
    of: ['connect', 'cluster-store', 'disk', 'late-record', 'record-database', 'store-url'].map(
      (name) => `src/broker/${name}.ts`,
    ),
    from: ['src/core/', 'src/broker/', 'src/history/', 'src/relay/', 'src/access/', 'src/config/', 'src/telemetry/'],
  },
  // The record of a SQL store is its own tables: their rows and kept counts are read the same way by both.
  { of: ['src/history/'], from: ['src/core/', seam, sqlFolder] },
  { of: ['src/access/'], from: ['src/core/', seam, `${sqlFolder}driver.ts`] },
  { of: ['src/relay/'], from: ['src/core/', seam, `${sqlFolder}driver.ts`, `${sqlFolder}join.ts`] },
  // From one store into another: it follows the live one as a server would.
  { of: ['src/move/'], from: ['src/core/', seam, sqlFolder, 'src/history/', 'src/engine/'] },
  // A config file is loaded the way a task file is.
  { of: ['src/config/'], from: ['src/core/', 'src/worker/load.ts'] },
  { of: ['src/telemetry/'], from: ['src/core/'] },
  {
    of: ['src/engine/', 'src/worker/', 'src/client/'],
    from: ['src/core/', seam, 'src/history/history.ts', 'src/telemetry/'],
    // The recorder is a service like the others: it writes through what the store gives it.
    typesFrom: ['src/history/recording.ts'],
  },
  {
    of: ['src/operations/'],
    from: ['src/client/', 'src/engine/', 'src/access/', 'src/history/history.ts', 'src/core/'],
    // An operation answers with the seam's own records; it reaches the broker only through the layers above.
    typesFrom: [seam, 'src/history/recording.ts'],
  },
  // It follows the event log for everybody who looks, and shows what operations answer: the API only carries its messages.
  {
    of: ['src/live/'],
    from: ['src/operations/', 'src/core/', 'src/engine/service.ts'],
    typesFrom: [seam, 'src/history/history.ts'],
  },
  { of: ['src/api/', 'src/dashboard/'], from: ['src/operations/', 'src/live/', 'src/remote/', 'src/core/'] },
  // A server without a port: the program it is mounted in brings that, and index.ts the store.
  {
    of: ['src/mount/'],
    from: [
      'src/api/',
      'src/dashboard/',
      'src/live/',
      'src/operations/',
      'src/history/history.ts',
      'src/core/',
      'src/telemetry/',
    ],
  },
  // What they start has no code of ours in it.
  { of: ['src/servers/'], from: ['src/core/'] },
  // It starts whole setups and looks behind every seam.
  { of: ['src/torture/'], from: ['src/'] },
  { of: ['src/cli/', 'src/index.ts', 'src/testing/'], from: ['src/'] },
];

/** A store's client library stays inside its adapter. */
const storeClients: Readonly<Record<string, string>> = {
  'node:sqlite': 'src/broker/sqlite/',
  pg: 'src/broker/postgres/',
  ioredis: 'src/broker/redis/',
};

/** Complaints about the imports of one file under src/. Tests may import what they like. */
export function checkLayers(source: Source): string[] {
  if (!/^src\/.*\.tsx?$/.test(source.path) || isTest(source.path)) return [];
  const layer = layerOf(source.path);
  if (layer === undefined) return [`${source.path} is in no layer: give it a row in test/tidy/layers.ts`];
  const complaints: string[] = [];
  for (const { specifier, typeOnly } of importsOf(source)) {
    const allowed = specifier.startsWith('.')
      ? mayImportFile(layer, resolveImport(source.path, specifier), typeOnly)
      : mayImportPackage(layer, source.path, specifier);
    if (!allowed) complaints.push(`${source.path} may not import ${specifier}`);
  }
  return complaints;
}

function layerOf(path: string): Layer | undefined {
  const length = (layer: Layer) =>
    Math.max(...layer.of.filter((root) => covers(root, path)).map((root) => root.length));
  return layers
    .filter((layer) => layer.of.some((root) => covers(root, path)))
    .sort((a, b) => length(b) - length(a))
    .at(0);
}

function covers(root: string, path: string): boolean {
  return root.endsWith('/') ? path.startsWith(root) : path === root;
}

function mayImportFile(layer: Layer, target: string, typeOnly: boolean): boolean {
  const types = typeOnly ? (layer.typesFrom ?? []) : [];
  return [...layer.of, ...layer.from, ...types].some((root) => covers(root, target));
}

function mayImportPackage(layer: Layer, path: string, specifier: string): boolean {
  const home = storeClients[specifier];
  if (home !== undefined && !path.startsWith(home)) return false;
  return layer.packages === undefined || layer.packages.includes(specifier);
}

export function resolveImport(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

/** Each cycle of value imports once, as a path of files. Types may point both ways: they are gone at run time. */
export function findCycles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.filter((each) => !isTest(each.path)).map((each) => [each.path, targetsOf(each)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return cycles;
}

function targetsOf(source: Source): string[] {
  const values = importsOf(source).filter((each) => !each.typeOnly && each.specifier.startsWith('.'));
  return values.map((each) => resolveImport(source.path, each.specifier));
}
