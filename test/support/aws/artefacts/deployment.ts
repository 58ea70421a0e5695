// A whole deployment on one machine, made of what was synthesized and nothing else: bucket and queues in the emulator, each
// part with its own role behind the gate, the first configuration as the template's custom resource writes it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { createS3Client } from '#pipeline/aws/clients.ts';
import { createS3Store } from '#pipeline/aws/s3-store.ts';
import { deployedStages, type StageName } from '#pipeline/contract/stages.ts';
import { createGate, type Gate } from './gate.ts';
import type { Statement } from './permission.ts';
import { buildImage, type RunningContainer, runContainer } from './run-container.ts';
import { pollFor, type RunningFunction, runFunction } from './run-function.ts';
import { type Deployed, synthesizeInto } from './synthesized.ts';
import { personOf } from './unpacked.ts';

const region = 'us-east-1';

/** What Lambda runs functions as: not root; its home is known there by /etc/passwd, here by a variable. */
const sandboxUser = '993:990';
const sandboxHome = { HOME: '/home/sbx_user1051' };

export type RunningStage = RunningFunction & { readonly batches: { records: number; answer: any }[] };

export type Deployment = {
  readonly deployed: Deployed;
  readonly gate: Gate;
  readonly bucket: string;
  /** The whole bucket, as an operator with every right sees it. */
  readonly store: ReturnType<typeof createS3Store>;
  readonly secrets: Map<string, string>;
  readonly endpointOf: (part: string) => string;
  readonly queues: () => Promise<readonly any[]>;
  readonly startContainer: () => Promise<RunningContainer>;
  /** Starts a function and its event source. `added`: variables besides the template's. */
  readonly startStage: (name: StageName, added?: Readonly<Record<string, string>>) => Promise<RunningStage>;
  readonly setAhead: (aheadMs: number) => void;
  readonly close: () => Promise<void>;
};

/** Synthesizes with these options and deploys it below `folder`. */
export async function deploy(folder: string, context: Readonly<Record<string, unknown>>): Promise<Deployment> {
  const deployed = await synthesizeInto(join(folder, 'synth'), context);
  const [bucket = ''] = [...deployed.resources('AWS::S3::Bucket').values()].map(({ BucketName }) => BucketName);
  const { child, endpoint } = await startEmulatorOf(deployed, join(folder, 'emulator'), bucket);
  const secrets = placeholders(deployed);
  const policies = ['AWS::S3::BucketPolicy', 'AWS::SQS::QueuePolicy'].flatMap((type) =>
    [...deployed.resources(type).values()].flatMap(({ PolicyDocument }) => PolicyDocument.Statement as Statement[]),
  );
  const gate = createGate({ emulator: endpoint, policies, secrets });
  const doors = new Map<string, string>();
  for (const [part, roleArn] of rolesOf(deployed))
    doors.set(part, await gate.open(part, statementsOf(deployed, roleArn)));
  const endpointOf = (part: string): string => doors.get(part) ?? `no door of ${part}`;
  await writeFirstConfig(deployed, endpointOf('first-config'));
  const added = (part: string) => ({ PILLARBOX_ENDPOINT: endpointOf(part) });
  const running = new Set<RunningStage>();
  let copies = 0;
  return {
    deployed,
    gate,
    bucket,
    store: createS3Store({ s3: createS3Client({ region, endpoint }), bucket }),
    secrets,
    endpointOf,
    queues: async () => (await fetch(`${endpoint}/_pillarbox/queues`)).json() as any,
    startContainer: async () => {
      const definition = containerOf(deployed);
      const image = buildImage(deployed.assetFolder(definition.Image), join(folder, `container-${++copies}`));
      const variables = Object.fromEntries(definition.Environment.map(({ Name, Value }: any) => [Name, Value]));
      const container = runContainer(image, { ...variables, ...added('listener') });
      await started(container);
      return container;
    },
    startStage: async (name, more = {}) => {
      const properties = functionOf(deployed, name);
      const unpacked = join(folder, `${name}-${++copies}`);
      cpSync(deployed.assetFolder(properties.Code.S3Key), unpacked, { recursive: true });
      const person = personOf(sandboxUser);
      const environment = { AWS_REGION: region, ...sandboxHome, ...added(name), ...more };
      const runningFunction = await runFunction({ properties, folder: unpacked, person, added: environment });
      const batches: RunningStage['batches'] = [];
      const onBatch = (records: readonly unknown[], answer: unknown) => {
        batches.push({ records: records.length, answer });
      };
      const { invoke } = runningFunction;
      const polling = mappingsOf(deployed, name).map((mapping) =>
        pollFor({ mapping, endpoint: endpointOf(name), invoke, onBatch }),
      );
      const stage: RunningStage = {
        ...runningFunction,
        batches,
        stop: async () => {
          running.delete(stage);
          await Promise.all(polling.map(({ stop }) => stop()));
          await runningFunction.stop();
        },
      };
      running.add(stage);
      return stage;
    },
    setAhead: (aheadMs) => {
      child.send({ aheadMs });
      for (const stage of running) stage.setAhead(aheadMs);
    },
    close: async () => {
      for (const stage of running) await stage.stop();
      await gate.close();
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** The stages of a deployment with the options that it is made with here. */
export const runningStages: readonly StageName[] = deployedStages({ hooks: false }).map(({ name }) => name);

/** The roles of what runs, by part. */
function rolesOf(deployed: Deployed): Map<string, string> {
  const [task] = deployed.resources('AWS::ECS::TaskDefinition').values();
  const [first] = deployed.resources('Custom::AWS').values();
  const writer = deployed.resources('AWS::Lambda::Function').get(String(first.ServiceToken).split(':').at(-1) ?? '');
  return new Map([
    ['listener', task.TaskRoleArn],
    ['first-config', writer.Role],
    ...runningStages.map((name) => [name, functionOf(deployed, name).Role] as const),
  ]);
}

/** All that a role's policies say. */
export function statementsOf(deployed: Deployed, roleArn: string): Statement[] {
  const role = roleArn.split(':').at(-1);
  const attached = [...deployed.resources('AWS::IAM::Policy').values()].filter(({ Roles }) => Roles.includes(role));
  return attached.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}

/** The properties of a stage's function. */
export function functionOf(deployed: Deployed, name: StageName): any {
  const all = [...deployed.resources('AWS::Lambda::Function').values()];
  const found = all.find(({ Description }) => Description === `Pillarbox stage ${name}`);
  if (found === undefined) throw new Error(`no function is stage ${name}`);
  return found;
}

function mappingsOf(deployed: Deployed, name: StageName): any[] {
  const functions = [...deployed.resources('AWS::Lambda::Function')];
  const [id] = functions.find(([, { Description }]) => Description === `Pillarbox stage ${name}`) ?? [];
  const live = [...deployed.resources('AWS::Lambda::Alias').values()].find(({ FunctionName }) => FunctionName === id);
  const all = [...deployed.resources('AWS::Lambda::EventSourceMapping').values()];
  const mappings = all.filter(({ FunctionName }) => FunctionName === `${id}:${live?.Name}`);
  if (mappings.length === 0) throw new Error(`no event source calls stage ${name}`);
  return mappings;
}

/** The listener's container definition. */
export function containerOf(deployed: Deployed): any {
  const [task] = deployed.resources('AWS::ECS::TaskDefinition').values();
  return task.ContainerDefinitions[0];
}

async function startEmulatorOf(deployed: Deployed, folder: string, bucket: string) {
  const all = [...deployed.resources('AWS::SQS::Queue').values()];
  const queues = all.flatMap(({ QueueName, VisibilityTimeout, RedrivePolicy }) =>
    RedrivePolicy === undefined
      ? []
      : [{ name: QueueName, visibilitySeconds: VisibilityTimeout, maxReceives: RedrivePolicy.maxReceiveCount }],
  );
  const entry = fileURLToPath(new URL('../../../../local/emulator/emulator-process.ts', import.meta.url));
  const child: ChildProcess = fork(entry, [JSON.stringify({ folder, port: 0, bucket, queues })], { execArgv: [] });
  const [{ port }] = (await once(child, 'message')) as any;
  return { child, endpoint: `http://127.0.0.1:${port}` };
}

/** What Secrets Manager makes up for each secret of the template until somebody puts the real one in. */
function placeholders(deployed: Deployed): Map<string, string> {
  const all = [...deployed.resources('AWS::SecretsManager::Secret').values()];
  return new Map(
    all.map(({ Name, GenerateSecretString }) => [Name, 'aB3'.repeat(GenerateSecretString.PasswordLength / 3)]),
  );
}

/** Does what the custom resources ask for, with the rights of the function behind them. */
async function writeFirstConfig(deployed: Deployed, endpoint: string): Promise<void> {
  for (const { Create } of deployed.resources('Custom::AWS').values()) {
    const { service, action, parameters } = JSON.parse(Create);
    if (`${service}:${action}` !== 'S3:PutObject') throw new Error(`${service}:${action} is not known here`);
    await createS3Client({ region, endpoint }).send(new PutObjectCommand(parameters));
  }
}

async function started({ child, lines, errors }: RunningContainer): Promise<void> {
  const ended = once(child, 'exit');
  for (let tries = 0; tries < 600; tries += 1) {
    if (lines.some((line) => line.includes('"event":"started"'))) return;
    const late = new Promise((resolve) => setTimeout(resolve, 50));
    const what = await Promise.race([ended, late]);
    if (what !== undefined) throw new Error(`the container ended (${String(what)}): ${lines.join('\n')}${errors()}`);
  }
  throw new Error(`the container did not start: ${lines.join('\n')}${errors()}`);
}
