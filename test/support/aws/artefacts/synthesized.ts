// What `cdk synth` makes, and its values as CloudFormation would fill them in for account 000000000000 in us-east-1:
// references, names, ARNs, imports from the other stack. What it does not know it refuses.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sharedBundles } from '#test/support/aws/shared-bundles.ts';

const home = fileURLToPath(new URL('../../../../', import.meta.url));
const pseudo: Readonly<Record<string, string>> = {
  'AWS::AccountId': '000000000000',
  'AWS::Region': 'us-east-1',
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

export type Resource = { readonly Type: string; readonly Properties: any };
type Template = { readonly Resources: Record<string, Resource>; readonly Outputs?: Record<string, any> };

export type Deployed = {
  /** The resources of a type in both stacks, by logical id, their properties filled in. */
  readonly resources: (type: string) => ReadonlyMap<string, any>;
  /** The folder of an asset by a part of what refers to it (its hash). */
  readonly assetFolder: (reference: string) => string;
};

/** Takes the bundles and synthesizes both stacks below `folder`, in a process of its own, as the CDK's command does. */
export async function synthesizeInto(folder: string, context: Readonly<Record<string, unknown>>): Promise<Deployed> {
  mkdirSync(folder, { recursive: true });
  cpSync(await sharedBundles(), join(folder, '.build'), { recursive: true });
  const flags = JSON.parse(readFileSync(join(home, 'cdk.json'), 'utf8')).context;
  const out = join(folder, 'cdk.out');
  const variables = { CDK_OUTDIR: out, CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...context }) };
  const env = { ...process.env, ...variables, CDK_VALIDATION: 'false' }; // test/cdk has the templates judged
  await promisify(execFile)(process.execPath, [join(home, 'test/cdk/synthesize-app.ts')], {
    cwd: folder,
    env,
  });
  const read = (file: string) => JSON.parse(readFileSync(join(out, file), 'utf8'));
  const stacks = ['pillarbox-data', 'pillarbox-service'].map((stack) => ({
    template: read(`${stack}.template.json`) as Template,
    assets: read(`${stack}.assets.json`),
  }));
  const resolve = createResolver(stacks.map(({ template }) => template));
  const sources = new Map<string, string>();
  for (const { assets } of stacks) {
    for (const [hash, { source }] of Object.entries<any>(assets.files)) sources.set(hash, source.path);
    for (const [hash, { source }] of Object.entries<any>(assets.dockerImages)) sources.set(hash, source.directory);
  }
  return {
    resources: (type) =>
      new Map(
        stacks.flatMap(({ template }) =>
          Object.entries(template.Resources)
            .filter(([, resource]) => resource.Type === type)
            .map(([id, resource]) => [id, resolve(resource.Properties)] as const),
        ),
      ),
    assetFolder: (reference) => {
      const [, found] = [...sources].find(([hash]) => reference.includes(hash)) ?? [];
      if (found === undefined) throw new Error(`no asset is meant by ${reference}`);
      return join(out, found);
    },
  };
}

function createResolver(templates: readonly Template[]) {
  const all: Record<string, Resource> = Object.assign({}, ...templates.map(({ Resources }) => Resources));
  const exported = new Map(
    templates.flatMap(({ Outputs = {} }) =>
      Object.values(Outputs).map((output) => [output.Export?.Name, output.Value]),
    ),
  );
  const resolve = (value: any): any => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const [[key, argument] = ['', undefined], ...more] = Object.entries<any>(value);
    if (more.length === 0 && key === 'Ref') return pseudo[argument] ?? physicalName(argument, all[argument]);
    if (more.length === 0 && key.startsWith('Fn::')) return intrinsic(key, argument);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner)]));
  };
  const intrinsic = (key: string, argument: any): any => {
    switch (key) {
      case 'Fn::Join':
        return argument[1].map(resolve).join(argument[0]);
      case 'Fn::Sub':
        return argument.replaceAll(/\$\{([^}]+)\}/g, (_: string, name: string) => resolve({ Ref: name }));
      case 'Fn::GetAtt':
        return attribute(argument[0], argument[1]);
      case 'Fn::ImportValue':
        if (!exported.has(argument)) throw new Error(`nothing exports ${argument}`);
        return resolve(exported.get(argument));
      case 'Fn::Select':
        return resolve(argument[1])[argument[0]];
      case 'Fn::Split':
        return resolve(argument[1]).split(argument[0]);
      case 'Fn::GetAZs':
        return ['us-east-1a', 'us-east-1b', 'us-east-1c'];
    }
    throw new Error(`${key} is not known here`);
  };
  const physicalName = (id: string, resource: Resource | undefined): string => {
    const properties = resource?.Properties ?? {};
    if (resource?.Type === 'AWS::S3::Bucket') return resolve(properties.BucketName);
    if (resource?.Type === 'AWS::SQS::Queue')
      return `https://sqs.us-east-1.amazonaws.com/000000000000/${properties.QueueName}`;
    if (resource?.Type === 'AWS::Lambda::Alias')
      return `arn:aws:lambda:us-east-1:000000000000:function:${resolve(properties.FunctionName)}:${properties.Name}`;
    return id;
  };
  const attribute = (id: string, name: string): string => {
    const { Type, Properties } = all[id] ?? { Type: '', Properties: {} };
    if (name !== 'Arn')
      return Type === 'AWS::SQS::Queue' && name === 'QueueName' ? Properties.QueueName : `${id}.${name}`;
    if (Type === 'AWS::S3::Bucket') return `arn:aws:s3:::${resolve(Properties.BucketName)}`;
    if (Type === 'AWS::SQS::Queue') return `arn:aws:sqs:us-east-1:000000000000:${Properties.QueueName}`;
    return `arn:aws:${Type.split('::')[1]?.toLowerCase()}:us-east-1:000000000000:${id}`;
  };
  return resolve;
}
