// The first `pillarbox.json` of a deployment: what the options make, with the settings of `firstConfig` in its place. It is refused at
// synth for what `pillarbox config push` would refuse it for.
import { Aws } from 'aws-cdk-lib';
import { deployedOptions, type Options } from '#cdk/options.ts';
import { smtpUserPlaceholder } from '#pipeline/config/aws-problems.ts';
import type { Config, ConfigInput } from '#pipeline/config/config.ts';
import { deployedProblems, shownToDeployer } from '#pipeline/config/deployed-problems.ts';
import { parseConfig } from '#pipeline/config/parse-config.ts';

/** Its text. Throws if the deployment could not do what it says: the message names each key. */
export function firstConfigText(options: Options, firstConfig: ConfigInput): string {
  parseConfig(JSON.stringify(firstConfig), 'firstConfig');
  const text = JSON.stringify({ ...startingConfig(options), ...firstConfig }, null, 2);
  const faults = faultsOf(text.replaceAll(Aws.REGION, anyRegion), options);
  if (faults.length === 0) return text;
  const name = Object.keys(firstConfig).length === 0 ? 'the first configuration' : 'firstConfig';
  throw new Error(`${name} does not fit the deployment:\n${faults.map((one) => `  ${one}`).join('\n')}`);
}

/** Which one it is only the deploy knows; the rules for SES are those of all. */
const anyRegion = 'us-east-1';

function faultsOf(text: string, options: Options): readonly string[] {
  const config = parseConfig(text, 'the first configuration');
  const problems = deployedProblems(text, config, deployedOptions(options));
  // At SES there is no user before the first deploy.
  const isAwaited = config.delivery.smarthost?.user === smtpUserPlaceholder;
  return [
    ...problems.filter(({ at }) => at !== 'delivery.smarthost.user' || !isAwaited).map(shownToDeployer),
    ...config.users.flatMap(withoutHash),
  ];
}

/** A deployment that is not there yet has no hash. */
function withoutHash({ name, password }: Config['users'][number], index: number): readonly string[] {
  if (!password.startsWith('stored:')) return [];
  return [
    `users[${index}].password: ${password} is not in this deployment, so ${name} could not log in; deploy without`,
  ];
}

/** Every domain has a postmaster, and mail goes out as the options say. */
function startingConfig({ hostname, domains, ...options }: Options): ConfigInput {
  return {
    hostname,
    tls: { certificate: 'secret:tls-certificate', key: 'secret:tls-key' },
    domains: Object.fromEntries(domains.map((domain) => [domain, { mailboxes: ['postmaster'] }])),
    delivery: options.deliveryMode === 'mx' ? { mode: 'mx' } : { mode: 'smarthost', smarthost: relayOf(options) },
    srsSecret: 'secret:srs',
  };
}

/**
 * The relay that mail leaves by. Where none is named it is the region's own (SES): it works once its user and password are put in,
 * and until then its refusal of the login keeps the mail waiting, nothing bounces.
 */
function relayOf({ smarthost, smarthostUser }: Pick<Options, 'smarthost' | 'smarthostUser'>) {
  const host = smarthost ?? `email-smtp.${Aws.REGION}.amazonaws.com`;
  const user = smarthost === undefined ? (smarthostUser ?? smtpUserPlaceholder) : smarthostUser;
  const login = user === undefined ? {} : { user, password: 'secret:smarthost-password' };
  return { host, port: 587, tls: 'starttls' as const, ...login };
}
