// A deployment on AWS as the command line names it (`--stack`, `--region`). AWS's errors become sentences.
import type { Deployment, OpenedDeployment } from '#ops/aws/open-deployment.ts';
import { type CliArguments, type CliWorld, cliError, isCliError, optionValue, usageError } from './command.ts';

export const stackOptions = {
  stack: { value: 'NAME', about: 'the deployment of this name on AWS, with your own AWS credentials' },
  region: { value: 'REGION', about: 'where that is (default AWS_REGION, AWS_DEFAULT_REGION)' },
  endpoint: { value: 'URL', about: 'another endpoint than those of AWS', hidden: true },
} as const;

/** Opens the deployment that `--stack` names, and does this with it. Throws a CliError if AWS cannot be asked. */
export async function withDeployment<Result>(
  given: CliArguments,
  world: CliWorld,
  does: (deployed: OpenedDeployment, deployment: Deployment) => Promise<Result>,
): Promise<Result> {
  const deployment = deploymentOf(given, world);
  const onProgress = (sentence: string): void => {
    if (!given.switches.has('json')) world.writeError(`${sentence}\n`);
  };
  try {
    return await does(await world.openDeployment(deployment, onProgress), deployment);
  } catch (thrown) {
    throw isCliError(thrown) ? thrown : explained(thrown, deployment);
  }
}

function deploymentOf(given: CliArguments, { environment }: CliWorld): Deployment {
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

/** Throws if an option is given that goes with `--stack` alone, without it. */
export function refuseStackOptions(given: CliArguments): void {
  for (const name of ['region', 'endpoint']) {
    if (optionValue(given, name) !== null) throw usageError(`--${name} goes with --stack NAME`);
  }
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
  if (isDenied(thrown)) return cliError(`AWS does not allow it: ${message}`, 'denied');
  if (/Throttling|TooManyRequests|RequestLimitExceeded|SlowDown/.test(kind)) {
    return cliError(`AWS asks for patience (${kind}): try again in a minute`, 'throttled');
  }
  if (/ENOTFOUND|ECONNREFUSED|TimeoutError/.test(`${kind} ${message}`)) {
    return cliError(`AWS cannot be reached in ${region}: ${message}`, 'not-reached');
  }
  return cliError(`AWS (${region}): ${message} (${kind})`, 'aws-failed');
}

/** Whether AWS refused because of a policy; also if that is the cause of what was thrown. */
export function isDenied(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return /AccessDenied|Forbidden|Unauthorized/.test(thrown.name) || isDenied(thrown.cause);
}
