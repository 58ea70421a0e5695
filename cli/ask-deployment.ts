// `--stack NAME`: asks a deployment on AWS by the routes of the ops API, without a server. AWS's errors become sentences.
import { createOpsApp, type OpsRequest } from '#ops/api/ops-app.ts';
import { mailRoutes } from '#ops/api/routes.ts';
import type { Deployment } from '#ops/aws/open-deployment.ts';
import { readBody } from '#pipeline/contract/stored-body.ts';
import { type CliArguments, type CliWorld, cliError, isCliError, optionValue, usageError } from './command.ts';

export type Answered = { readonly status: number; readonly body: Buffer; readonly who: string };

/** Throws a CliError if AWS cannot be asked. */
export async function askDeployment(given: CliArguments, world: CliWorld, asked: OpsRequest): Promise<Answered> {
  const deployment = deploymentOf(given, world);
  const onProgress = (sentence: string): void => {
    if (!given.switches.has('json')) world.writeError(`${sentence}\n`);
  };
  try {
    const app = createOpsApp(await world.openDeployment(deployment, onProgress), mailRoutes);
    const { status, body } = await app(asked);
    return { status, body: typeof body === 'string' ? Buffer.from(body) : await readBody(body), who: deployment.name };
  } catch (thrown) {
    throw isCliError(thrown) ? thrown : explained(thrown, deployment);
  }
}

function deploymentOf(given: CliArguments, { environment }: CliWorld) {
  for (const name of ['url', 'token']) {
    if (optionValue(given, name) !== null) throw usageError(`--stack and --${name} exclude one another`);
  }
  const name = optionValue(given, 'stack') ?? '';
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    throw usageError(`--stack ${name}: expected the "serviceName" of the deployment (pillarbox, if not set)`);
  }
  const region = optionValue(given, 'region') ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (region === undefined || region === '') {
    throw usageError('say in which region it is: --region REGION, or set AWS_REGION');
  }
  return { name, region, endpoint: optionValue(given, 'endpoint') };
}

/** The SDK's errors, told apart by their names. */
function explained(thrown: unknown, { name, region }: Pick<Deployment, 'name' | 'region'>): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { name: kind, message } = thrown;
  if (/QueueDoesNotExist|NonExistentQueue/.test(kind)) {
    return cliError(
      `there is no deployment "${name}" in ${region} (no queue ${name}-received there). Is it the "serviceName" of cdk.json, and the right account and region?`,
      'no-deployment',
    );
  }
  if (kind === 'CredentialsProviderError') {
    return cliError('no AWS credentials were found: log in, or set AWS_PROFILE', 'no-credentials');
  }
  if (/ExpiredToken|InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClient/.test(kind)) {
    return cliError(`AWS does not accept the credentials (${kind}): log in again`, 'bad-credentials');
  }
  if (/AccessDenied|Forbidden|Unauthorized/.test(kind)) return cliError(`AWS does not allow it: ${message}`, 'denied');
  if (/ENOTFOUND|ECONNREFUSED|TimeoutError/.test(`${kind} ${message}`)) {
    return cliError(`AWS cannot be reached in ${region}: ${message}`, 'not-reached');
  }
  return cliError(`AWS (${region}): ${message} (${kind})`, 'aws-failed');
}
