// The house rules that one file can break by itself. Each looks at a Source and answers with complaints.

import { isNode, isTest, lineOf, type Node, nameOf, type Source } from './source.ts';

export interface Rule {
  readonly name: string;
  /** The files it is about. */
  readonly about: (path: string) => boolean;
  readonly check: (source: Source) => string[];
}

const isCode = (path: string) => /\.(ts|tsx|js|mjs)$/.test(path);
const isTypeScript = (path: string) => /\.tsx?$/.test(path);
const isSource = (path: string) => path.startsWith('src/') && isTypeScript(path) && !isTest(path);
const isCore = (path: string) => isSource(path) && path.startsWith('src/core/');
const everyFile = () => true;

/** A rule about nodes: `broken` says what is wrong with one, or null. */
function nodeRule(
  name: string,
  about: Rule['about'],
  broken: (node: Node, parents: readonly Node[], source: Source) => string | null,
): Rule {
  const check = (source: Source) =>
    source.nodes.flatMap(({ node, parents }) => {
      const complaint = broken(node, parents, source);
      return complaint === null ? [] : [`${source.path}:${lineOf(source, node)} ${complaint}`];
    });
  return { name, about, check };
}

/** A rule about lines: each pattern with what is wrong when it matches. */
function lineRule(name: string, about: Rule['about'], patterns: readonly (readonly [RegExp, string])[]): Rule {
  const check = ({ path, text }: Source) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        patterns
          .filter(([pattern]) => pattern.test(line))
          .map(([pattern, why]) => `${path}:${index + 1} ${why}: ${pattern.exec(line)?.[0].trim()}`),
      );
  return { name, about, check };
}

/** Where an identifier stands for the global of that name, not for a property, a type or a declaration. */
function isGlobal(node: Node, parents: readonly Node[], names: readonly string[]): boolean {
  if (node.type !== 'Identifier' || !names.includes(nameOf(node))) return false;
  const parent = parents[0];
  if (parent === undefined) return true;
  if (parent.type === 'MemberExpression' && parent.property === node && parent.computed !== true) {
    return nameOf(parent.object) === 'globalThis';
  }
  if (
    /^(TS(TypeReference|QualifiedName|PropertySignature|MethodSignature)|ImportSpecifier|ExportSpecifier)$/.test(
      parent.type,
    )
  )
    return false;
  return !(/^(Property|PropertyDefinition|MethodDefinition)$/.test(parent.type) && parent.key === node);
}

const isFunction = (node: Node) => /^(Function(Declaration|Expression)|ArrowFunctionExpression)$/.test(node.type);
const linesOf = (source: Source, node: Node) => source.text.slice(node.start, node.end).split('\n').length;

/** Functions inside a function are read and judged by themselves; a factory of short ones is no long function. */
function linesOfInnerFunctions(source: Source, outer: Node): number {
  const isDirectlyInside = (parents: readonly Node[]) => parents.find(isFunction) === outer;
  const inner = source.nodes.filter(({ node, parents }) => isFunction(node) && isDirectlyInside(parents));
  return inner.reduce((sum, { node }) => sum + linesOf(source, node) - 1, 0);
}

const clockNames = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'];
const fileLinesMax = 400;
const functionLinesMax = 60;

export const rules: readonly Rule[] = [
  nodeRule('core is pure', isCore, (node, parents) =>
    isGlobal(node, parents, [...clockNames, 'process', 'crypto', 'console', 'fetch', 'Buffer'])
      ? `core may not use ${nameOf(node)}`
      : null,
  ),
  nodeRule(
    'time is injected',
    (path) => isSource(path) && !isCore(path),
    (node, parents) => {
      if (isGlobal(node, parents, ['setTimeout', 'setInterval', 'setImmediate']))
        return `${nameOf(node)} outside the Clock`;
      if (!isGlobal(node, parents, ['Date', 'performance'])) return null;
      const parent = parents[0];
      const reads = parent?.type === 'NewExpression' || /^(now|timeOrigin)$/.test(nameOf(parent?.property));
      return reads ? `${nameOf(node)} outside the Clock` : null;
    },
  ),
  nodeRule('chance is injected', isSource, (node) =>
    node.type === 'MemberExpression' && nameOf(node.object) === 'Math' && nameOf(node.property) === 'random'
      ? 'Math.random outside Chance'
      : null,
  ),
  nodeRule('no any', isTypeScript, (node) => (node.type === 'TSAnyKeyword' ? '`any`' : null)),
  nodeRule('no non-null assertion', isSource, (node) =>
    node.type === 'TSNonNullExpression' ? '`!` outside tests' : null,
  ),
  nodeRule('no enum, no decorator', isTypeScript, (node) =>
    node.type === 'TSEnumDeclaration' || node.type === 'Decorator' ? node.type : null,
  ),
  nodeRule('no inheritance', isSource, (node) => {
    if (!/^Class(Declaration|Expression)$/.test(node.type) || !isNode(node.superClass)) return null;
    const [name, parent] = [nameOf(node.id), nameOf(node.superClass)];
    return (name === 'TaskFlowError' && parent === 'Error') || parent === 'TaskFlowError'
      ? null
      : `class extends ${parent}`;
  }),
  nodeRule('no test left out', isTest, (node, parents) => {
    const isCall = node.type === 'MemberExpression' && parents[0]?.type !== 'ImportDeclaration';
    const root = isCall ? nameOf(firstObject(node)) : '';
    const how = nameOf(node.property);
    const leavesOut =
      /^(skip|only|todo|skipIf|runIf|fails)$/.test(how) && /^(test|it|describe|suite|bench|ctx|context)$/.test(root);
    return leavesOut ? `${root}.${how}` : null;
  }),
  nodeRule(
    'short functions',
    (path) => isCode(path) && !isTest(path),
    (node, _parents, source) => {
      if (!isFunction(node)) return null;
      const lines = linesOf(source, node) - linesOfInnerFunctions(source, node);
      return lines > functionLinesMax ? `a function of ${lines} lines; ${functionLinesMax} are the limit` : null;
    },
  ),
  {
    name: 'short files',
    about: isCode,
    check: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > fileLinesMax ? [`${path} has ${lines} lines; ${fileLinesMax} are the limit`] : [];
    },
  },
  {
    name: 'files are named for their noun',
    about: everyFile,
    check: ({ path }) =>
      /(^|\/)types?(\.|\/)|(^|[/.-])(utils?|helpers?|commons?|managers?|misc|stuff)(\.|\/)/.test(path)
        ? [`${path}: say what it holds`]
        : [],
  },
  {
    name: 'files open with their purpose',
    about: (path) => isCode(path) || /\.(sql|lua)$/.test(path),
    check: ({ path, text }) => {
      const opens = /^(#!.*\n)?(\/\/|\/\*\*?|--)\s*\S+ \S+/.test(text.replace(/^(\/\*\* @jsx.*\n)/, ''));
      return opens ? [] : [`${path} does not open with a sentence on its purpose`];
    },
  },
  lineRule('no silenced compiler', isCode, [[/@ts-(ignore|nocheck)|biome-ignore-all/, 'silences the compiler']]),
  lineRule('nothing is left to do', everyFile, [[/\b(TODO|FIXME|XXX|HACK)\b/, 'unfinished']]),
  lineRule('no place of one machine', everyFile, [
    [/(^|[\s'"`(=:])\/(work|root|Users|home\/\w+)\//, 'an absolute path of one machine'],
    [/[A-Z]:\\Users\\/, 'an absolute path of one machine'],
    [/registry\.(npmjs|yarnpkg|npmmirror)\.|deb\.debian\.org|pypi\.org|proxy\.golang\.org/, 'the host of a registry'],
  ]),
  lineRule('the work, not the workshop', everyFile, [
    [
      /\b(sub-?agents?|LLMs?|AI|language models?|Claude|Anthropic|OpenAI|ChatGPT|GPT-?\d|Copilot)\b/,
      'about the workshop',
    ],
    [/\b(CEO|sittings?|worktrees?|the brief|(in|see|of) issue \d+|this session|shared\/spec)\b/i, 'about the workshop'],
  ]),
];

/** The leftmost object of a chain of members and calls: `test` in `test.concurrent.skip`. */
function firstObject(node: Node): unknown {
  let at: unknown = node;
  while (isNode(at) && (at.type === 'MemberExpression' || at.type === 'CallExpression')) at = at.object ?? at.callee;
  return at;
}
