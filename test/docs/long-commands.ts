// What the documentation tells people to synthesize (`npm run test:docs`; a quarter of a minute): the templates, as `npm run synth` makes
// them, and each example for a CDK app, as it is written, compiled against the types and then built.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { blocksOf, home } from './read-docs.ts';

const run = promisify(execFile);
const app = mkdtempSync(join(tmpdir(), 'pillarbox-docs-app-'));
after(() => rmSync(app, { recursive: true, force: true }));

/** What the examples leave to the reader. */
const given = {
  bucketName: 'string',
  ticketFunction: 'IFunction',
  invoices: 'IQueue',
  salesQueue: 'IQueue',
};

const examples = ['docs/consume.md', 'docs/deploy.md'].flatMap((page) =>
  blocksOf(readFileSync(join(home, page), 'utf8'))
    .filter(({ language, lines }) => language === 'ts' && /new (?:MailRule|Pillarbox)\(/.test(lines.join('\n')))
    .map(({ line, lines }) => ({ name: `${page}:${line}`, lines })),
);

/** The package as sources, and the CDK, where an app has them. */
before(() => {
  const modules = join(app, 'node_modules');
  mkdirSync(join(modules, 'pillarbox'), { recursive: true });
  mkdirSync(join(modules, '@types'));
  const links = ['aws-cdk-lib', 'constructs', '@types/node'].map((name) => [`node_modules/${name}`, name] as const);
  for (const [from, to] of [...links, ['cdk', 'pillarbox/cdk'] as const])
    symlinkSync(join(home, from), join(modules, to));
  const manifest = { name: 'pillarbox', type: 'module', exports: { './cdk': './cdk/exports.ts' } };
  writeFileSync(join(modules, 'pillarbox/package.json'), JSON.stringify(manifest));
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
  for (const [n, { lines }] of examples.entries()) writeFileSync(join(app, `example-${n}.ts`), asFunction(lines));
  writeFileSync(join(app, 'app.ts'), appOf(examples.length));
});

test('npm run synth makes the templates of both stacks', async () => {
  rmSync(join(home, 'cdk.out'), { recursive: true, force: true });
  await run('npm', ['run', 'synth'], { cwd: home });
  for (const part of ['data', 'service']) assert.ok(existsSync(join(home, `cdk.out/pillarbox-${part}.template.json`)));
});

test('each example for a CDK app compiles', async () => {
  assert.ok(examples.length >= 4);
  const { compilerOptions } = JSON.parse(readFileSync(join(home, 'tsconfig.json'), 'utf8'));
  const options = {
    ...compilerOptions,
    exactOptionalPropertyTypes: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
  const { stdout } = await run(join(home, 'node_modules/.bin/tsc'), ['-p', app]).catch((thrown) => thrown);
  assert.equal(stdout, '', examples.map(({ name }, n) => `example-${n}.ts is ${name}`).join('\n'));
});

test('each example for a CDK app synthesizes', async () => {
  await run(process.execPath, ['app.ts'], {
    cwd: app,
    env: { ...process.env, JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION: '1' },
  });
});

/** An example in the constructor of a stack, with what it does not say itself. */
function asFunction(lines: readonly string[]): string {
  const isImport = (line: string) => line.startsWith('import ');
  const body = lines.filter((line) => !isImport(line)).join('\n');
  const names = Object.keys(given).filter((name) => !body.includes(`const ${name} `));
  const imported = lines.filter(isImport).join('\n');
  const missing = ['MailRule', 'Pillarbox'].filter(
    (name) => body.includes(`new ${name}(`) && !new RegExp(`\\b${name}\\b`).test(imported),
  );
  const more = missing.length === 0 ? '' : `import { ${missing.join(', ')} } from 'pillarbox/cdk';`;
  const types = ["import type { Stack } from 'aws-cdk-lib';", "import type { Given } from './app.ts';"];
  const begin = `export default function (this: Stack, { ${names.join(', ')} }: Given): void {`;
  return [...types, imported, more, begin, body, '}', ''].join('\n');
}

/** Builds each in an app of its own. */
function appOf(count: number): string {
  return `import { App, Stack } from 'aws-cdk-lib';
import { Code, Function as Lambda, type IFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
export type Given = { ${Object.entries(given)
    .map(([name, type]) => `${name}: ${type}`)
    .join('; ')} };
for (let n = 0; n < ${count}; n += 1) {
  const { default: example } = await import(\`./example-\${n}.ts\`);
  const app = new App({ outdir: \`out-\${n}\`, analyticsReporting: false });
  const stack = new Stack(app, 'MyStack', { env: { account: '123456789012', region: 'eu-central-1' } });
  example.call(stack, {
    bucketName: 'pillarbox-mail-123456789012-eu-central-1',
    ticketFunction: new Lambda(stack, 'Tickets', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code: Code.fromInline('//') }),
    invoices: new Queue(stack, 'Invoices of mine'),
    salesQueue: new Queue(stack, 'Sales'),
  } satisfies Given);
  app.synth();
}
`;
}
