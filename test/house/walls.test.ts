// The walls of the house (design, the house): who may import whom, where each library lives, and that what comments name exists.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { stageNames } from '#pipeline/contract/stages.ts';

const home = join(import.meta.dirname, '../..');

const names = ['pipeline/observe/metric-names.ts', 'pipeline/observe/event-names.ts'];

/** What a room may import besides itself. The longest name that fits a file is its room. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  mail: [],
  pipeline: ['mail'],
  // The names of metrics and events are part of the ports, and of what alarms look at.
  'pipeline/contract': ['mail', ...names],
  container: ['mail', 'pipeline'],
  ...Object.fromEntries(stageNames.map((stage) => [`functions/${stage}`, ['mail', 'pipeline']])),
  ops: ['mail', 'pipeline'],
  local: ['mail', 'pipeline', 'container', 'functions', 'ops'],
  cli: ['mail', 'pipeline', 'ops'],
  'cli/main.ts': ['cli', 'mail', 'pipeline', 'ops', 'local'],
  // A first configuration that an app of somebody's sets is checked at synth, and names that only examples have are refused.
  cdk: ['mail/address', 'pipeline/contract', 'pipeline/config', ...names],
  // What a deploy runs is a composition root of its own.
  'cdk/compare-config': ['mail', 'pipeline'],
  consume: ['mail', 'pipeline/contract'],
  // A composition root beside local/: the same service within somebody's test.
  testing: ['pipeline', 'ops', 'local'],
  bench: ['mail', 'pipeline', 'container', 'functions', 'ops', 'local'],
  test: ['mail', 'pipeline', 'container', 'functions', 'ops', 'local', 'cli', 'cdk', 'consume', 'testing', 'bench'],
};

/** Where a library may be imported; what is not named here is free. Tests and benchmarks may import all. */
const libraries: readonly { readonly name: RegExp; readonly in: readonly string[] }[] = [
  {
    name: /^@(?:aws-sdk|smithy)\//,
    in: ['pipeline/aws', 'cdk/export-certificate', 'consume/default-s3.ts', ...roots()],
  },
  { name: /^(?:aws-cdk-lib|constructs|cdk-nag)(?:\/|$)/, in: ['cdk'] },
  { name: /^smtp-server(?:\/|$)/, in: ['container/session/smtp-protocol.ts'] },
  { name: /^mailparser(?:\/|$)/, in: ['functions/parse/mime'] },
  { name: /^mailauth(?:\/|$)/, in: ['functions/authenticate/judge'] },
  { name: /^@modelcontextprotocol\//, in: ['cli/mcp/serve-mcp.ts'] },
  { name: /^node:sqlite$/, in: ['local'] },
  { name: /^fauxqs(?:\/|$)/, in: ['local/emulator'] },
];

function roots(): readonly string[] {
  const handlers = stageNames.map((stage) => `functions/${stage}/handler.ts`);
  return ['container/main.ts', 'local/main.ts', 'cli/main.ts', 'cdk/app.ts', ...handlers];
}

const files = await sourceFiles(
  '{mail,pipeline,container,functions,ops,local,cli,cdk,consume,testing,bench,test}/**/*.{ts,tsx,js,mjs}',
);
const imports = files.flatMap((file) => importsOf(file).map((wanted) => ({ file, wanted })));

test('each room imports only what lies before it in the flow', () => {
  const through = imports.filter(({ file, wanted }) => {
    const target = pathOf(file, wanted);
    if (target === null) return false;
    const room = roomOf(file);
    return ![room, ...(rooms[room] ?? [])].some((allowed) => isIn(target, allowed));
  });
  assert.deepEqual(through, []);
});

test('no file imports itself by way of others, not even for a type', () => {
  const below = new Map<string, readonly string[]>();
  for (const file of files)
    below.set(file, [...new Set(importsOf(file).flatMap((wanted) => pathOf(file, wanted) ?? []))]);
  const done = new Set<string>();
  const circleThrough = (file: string, way: readonly string[]): readonly string[] | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const next of below.get(file) ?? []) {
      const circle = circleThrough(next, [...way, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of files) assert.equal(circleThrough(file, [])?.join(' -> '), undefined);
});

test('another folder is imported by its full name, a file of the same folder by ./', () => {
  const odd = imports.filter(({ file, wanted }) => {
    const target = pathOf(file, wanted);
    return target !== null && (dirname(target) === dirname(file)) !== wanted.startsWith('./');
  });
  assert.deepEqual(odd, []);
});

test('each library is imported where it belongs, and nowhere else', () => {
  const strays = imports.filter(({ file, wanted }) => {
    if (/^(?:test|bench)\//.test(file)) return false;
    const library = libraries.find(({ name }) => name.test(wanted));
    return library !== undefined && !library.in.some((place) => isIn(file, place));
  });
  assert.deepEqual(strays, []);
});

test('keys of stored objects are built and read in one file', () => {
  const folders = 'raw|verdicts|inbox|quarantine|attachments|deliveries|suppressions|destinations';
  const syntax = new RegExp(`['"\`^](?:${folders})(?:/|\\\\/)(?!['"\`])[^\\s'"\`]`);
  const elsewhere = files.filter((file) => {
    if (/^(?:test|bench)\//.test(file) || file === 'pipeline/contract/keys.ts') return false;
    const code = readFileSync(join(home, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|\.describe\([^)]*\)/g, '');
    return syntax.test(code);
  });
  assert.deepEqual(elsewhere, []);
});

test('chaos is made by local/ alone, so that no deployment on AWS has its code', () => {
  const makers = files.filter((file) => {
    if (isIn(file, 'container/chaos') || isIn(file, 'test')) return false;
    return /^import (?!type\b)[^;]*'#container\/chaos\//m.test(readFileSync(join(home, file), 'utf8'));
  });
  assert.deepEqual(makers, ['local/start-local.ts']);
});

test('the command line loads the Model Context Protocol, its SDK and its tools only once that is asked for', () => {
  const early = files.filter((file) => {
    const isCommand = file === 'cli/mcp/mcp.ts';
    if (isIn(file, 'test') || (isIn(file, 'cli/mcp') && !isCommand)) return false;
    const rest = isCommand
      ? /^import (?!type\b)[^;]*'(?:\.|#cli\/mcp)\//m
      : /^import (?!type\b)[^;]*'#cli\/mcp\/(?!mcp\.ts)/m;
    return rest.test(readFileSync(join(home, file), 'utf8'));
  });
  assert.deepEqual(early, []);
});

test('what is imported exists', () => {
  const missing = imports.filter(({ file, wanted }) => {
    const target = pathOf(file, wanted);
    return target !== null && !existsSync(join(home, target));
  });
  assert.deepEqual(missing, []);
});

test('files named in comments and docs exist', async () => {
  const page = /(?<![\w/.#@-])(?:docs|test|bench|cdk|local)\/[\w./-]*\w\.(?:md|json)\b/g;
  const source = /(?<![\w/.#@-])[a-z][\w./-]*\.(?:tsx?|js)\b(?!\/)/g; // with its folder, the end of it, or without
  const pages = [...(await sourceFiles('docs/**/*.md')), 'README.md'];
  const isThere = (named: string): boolean => files.some((file) => `/${file}`.endsWith(`/${named}`));
  const missing = [...files, ...pages].flatMap((file) => {
    const text = readFileSync(join(home, file), 'utf8');
    const withoutApps = text.replaceAll(/^```ts\n\/\/ \S+\n[\s\S]*?^```$/gm, ''); // files of somebody's app, by their names
    const prose = file.endsWith('.md') ? withoutApps : (text.match(/\/\/.*|\/\*[\s\S]*?\*\//g) ?? []).join('\n');
    const named = [
      ...(prose.match(source) ?? []).filter((name) => !isThere(name)),
      ...(prose.match(page) ?? []).filter((name) => !existsSync(join(home, name))),
    ];
    return named.map((name) => ({ file, name }));
  });
  assert.deepEqual(missing, []);
});

test('no folder is a heap: eighteen files at most, and no file has more than 300 lines', () => {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  const heaps = [...counts].filter(([, count]) => count > 18);
  assert.deepEqual(heaps, []);
  const long = files.filter((file) => !file.startsWith('test/') && linesOf(file) > 300);
  assert.deepEqual(long, []);
});

async function sourceFiles(pattern: string): Promise<readonly string[]> {
  const found: string[] = [];
  const exclude = (path: string) => /(?:^|\/)(?:node_modules|cdk\.out|fixtures)(?:\/|$)/.test(path);
  for await (const file of glob(pattern, { cwd: home, exclude })) found.push(file);
  return found.sort();
}

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(home, file), 'utf8');
  return [
    ...text.matchAll(/^(?:import|export|\})[^;'\n]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm),
  ].map((found) => found[1] ?? found[2] ?? found[3] ?? '');
}

/** The file that an import leads to, from the top of the project; null where it is a package. */
function pathOf(file: string, wanted: string): string | null {
  if (wanted.startsWith('#')) return wanted.slice(1);
  return wanted.startsWith('.') ? normalize(join(dirname(file), wanted)) : null;
}

function roomOf(file: string): string {
  const [room] = Object.keys(rooms)
    .filter((name) => isIn(file, name))
    .sort((a, b) => b.length - a.length);
  assert.ok(room, `${file} is in no room`);
  return room;
}

function isIn(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function linesOf(file: string): number {
  return readFileSync(join(home, file), 'utf8').split('\n').length - 1;
}
