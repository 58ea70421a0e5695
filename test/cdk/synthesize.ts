// Synthesizes the app as `cdk synth` does, in memory and once for each mix of options. CloudFormation's own rules, which take longer
// than all the rest, judge the templates only where they are the subject.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { buildApp } from '#cdk/build-app.ts';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';

const flags = JSON.parse(readFileSync('cdk.json', 'utf8')).context;
const known = new Map<string, Promise<Synthesized>>();
const home = process.cwd();
const folders: string[] = [];
let built: Promise<string> | null = null;

export type Synthesized = {
  readonly data: Template;
  readonly service: Template;
  readonly directory: string;
  /** What synth warns of. */
  readonly warnings: () => readonly string[];
};

type Context = Readonly<Record<string, unknown>>;

judgeTemplates(false);

/** Both templates for these options; throws what synth throws. The bundles are those of the source as it is now. */
export function synthesize(context: Context = {}): Promise<Synthesized> {
  const key = JSON.stringify(context);
  const made = known.get(key) ?? make(context);
  known.set(key, made);
  return made;
}

/** The same, judged by CloudFormation's rules too: throws where they find an error. */
export async function synthesizeJudged(context: Context): Promise<Synthesized> {
  judgeTemplates(true);
  try {
    const made = make(context);
    known.set(JSON.stringify(context), made);
    return await made;
  } finally {
    judgeTemplates(false);
  }
}

/** The CDK reads this variable at each synth of the process. */
function judgeTemplates(doJudge: boolean): void {
  process.env['CDK_VALIDATION'] = String(doJudge);
}

async function make(context: Context): Promise<Synthesized> {
  built ??= ownBundles();
  const folder = await built;
  const directory = temporaryFolder();
  // Assets are named relative to the working directory, and the bundles of another run may be in this one's.
  process.chdir(folder);
  try {
    const { app, data, service } = buildApp(
      new App({ outdir: directory, context: { ...flags, ...context }, analyticsReporting: false }),
      'accepted',
    );
    app.synth();
    return {
      data: Template.fromStack(data),
      service: Template.fromStack(service),
      directory,
      warnings: () =>
        Annotations.fromStack(service)
          .findWarning('*', Match.anyValue())
          .map(({ entry }) => String(entry.data)),
    };
  } finally {
    process.chdir(home);
  }
}

async function ownBundles(): Promise<string> {
  const folder = temporaryFolder();
  cpSync(await sharedBundles(), join(folder, '.build'), { recursive: true });
  mkdirSync(join(folder, 'cdk'));
  symlinkSync(join(home, 'cdk/export-certificate'), join(folder, 'cdk/export-certificate'));
  return folder;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillarbox-synth-'));
  if (folders.length === 0) process.once('exit', removeFolders);
  folders.push(folder);
  return folder;
}

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

export type Resource = {
  readonly Type: string;
  readonly Properties: any;
  readonly DeletionPolicy?: string;
  readonly DependsOn?: unknown;
};

/** All resources of a type in a template, by logical id. */
export function resourcesOf(template: Template, type: string): [string, Resource][] {
  const resources: Record<string, Resource> = template.toJSON()['Resources'];
  return Object.entries(resources).filter(([, resource]) => resource.Type === type);
}

/** A value of a template with its references written as `<AWS::Region>`, `<LogicalId.Arn>`. */
export function flat(value: any): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (value.Ref) return `<${value.Ref}>`;
  if (value['Fn::GetAtt']) return `<${value['Fn::GetAtt'].join('.')}>`;
  if (value['Fn::Join']) return value['Fn::Join'][1].map(flat).join(value['Fn::Join'][0]);
  if (value['Fn::ImportValue']) return `<import ${flat(value['Fn::ImportValue'])}>`;
  return JSON.stringify(value);
}
