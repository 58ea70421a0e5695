// `pillarbox check`: checks the configuration, the DNS records and the certificate; says what is missing, and what to publish.
// It connects only to the DNS, unless `--connect` names a host or `--stack` a deployment on AWS.

import { dirname, resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { checkCertificate } from '#cli/checks/check-certificate.ts';
import { checkDomain } from '#cli/checks/check-domain.ts';
import { checkHost } from '#cli/checks/check-host.ts';
import { checkListeners } from '#cli/checks/check-listeners.ts';
import { checkModules } from '#cli/checks/check-modules.ts';
import { checkPort25 } from '#cli/checks/check-port-25.ts';
import { checkSecrets, secretMend } from '#cli/checks/check-secrets.ts';
import { checkSes } from '#cli/checks/check-ses.ts';
import { checkBounceAddresses, checkInlineHashes, checkPermissions, checkUsers } from '#cli/checks/check-users.ts';
import { advice, type Finding, findingSchema, missing, ok, shownFinding } from '#cli/checks/finding.ts';
import { noDns, type WatchedDns, watchDns } from '#cli/checks/watch-dns.ts';
import { type CliWorld, type Command, optionValue, print } from '#cli/command.ts';
import { type ConfigFile, configOption } from '#cli/config/config-file.ts';
import { type ConfigPlace, withConfig } from '#cli/config/config-place.ts';
import { stackOptions } from '#cli/deployment.ts';
import { relayOf, waysOutOf } from '#cli/dns/way-out.ts';
import { type ExitCode, exitCodes } from '#cli/exit-codes.ts';
import { awsProblems, type ConfigProblem, forwardProblems } from '#pipeline/config/aws-problems.ts';
import type { Config } from '#pipeline/config/config.ts';
import { commandOf, deployedProblems } from '#pipeline/config/deployed-problems.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';
import type { Resolve, Secrets } from '#pipeline/contract/ports.ts';

export const check: Command = {
  name: 'check',
  usage: '[options]',
  about: 'check configuration, DNS records and certificate; say what is missing',
  takes: [0, 0],
  gives: z.strictObject({ findings: z.array(findingSchema) }),
  finds: 'if something keeps mail from working (MISSING), or could not be found out (UNKNOWN)',
  options: {
    data: { value: 'DIR', about: 'where "secret:" references are kept (default .pillarbox)' },
    connect: {
      value: 'HOST',
      about: "also see whether another server's port 25 can be reached from here (HOST:PORT: another port)",
    },
    ...configOption,
    ...stackOptions,
  },
  run: (given, world) => {
    const checkPlace = async (place: ConfigPlace): Promise<ExitCode> => {
      const file = await place.read();
      const { servers, timeoutSeconds } = file.config.dns;
      const resolver = world.openResolver({ servers, timeoutMs: timeoutSeconds * 1_000 });
      try {
        const data = optionValue(given, 'data') ?? '.pillarbox';
        const dns = watchDns(resolver.resolve);
        const all = await findAll({ file, place, data, world, resolve: dns.resolve });
        const found = dnsToldOnce(all, dns, { file, world });
        const target = optionValue(given, 'connect');
        const connected = target === null ? [] : [await checkPort25(target, relayOf(file.config.delivery))];
        const findings = [...found, ...connected].map((one) => inRegion(one, place, world.self));
        print(given, world, { json: { findings }, text: findings.map(shownFinding).join('\n') });
        const hasProblems = findings.some(({ level }) => level === 'missing' || level === 'unknown');
        return hasProblems ? exitCodes.foundProblems : exitCodes.done;
      } finally {
        resolver.close();
      }
    };
    return withConfig(given, world, checkPlace, ['config', 'data']);
  },
};

type CheckedPlace = {
  readonly file: ConfigFile;
  readonly place: ConfigPlace;
  readonly data: string;
  readonly world: CliWorld;
  readonly resolve: Resolve;
};

async function findAll({ file, place, data, world, resolve }: CheckedPlace): Promise<readonly Finding[]> {
  const { config, path } = file;
  const { stack } = place;
  const folder = resolvePath(world.directory, data, 'secrets');
  const secrets = stack?.deployed.secrets ?? localSecrets(folder, dirname(path), world);
  const nowMs = world.clock();
  const addresses = (await stack?.deployed.configStore.options())?.addresses ?? null;
  const ways = await waysOutOf(config, place);
  const isReadable = (reference: string): boolean => stack === null || reference.startsWith('secret:');
  const mend = (reference: string) => secretMend(reference, { stack: stack?.name ?? null, folder });
  const machine = world.publicAddresses();
  const findings: Finding[] = [
    ok(`${path} is a good configuration`),
    ...(await checkRules(file, place, world.self)),
    await checkCertificate({ config, secrets, nowMs, stack }),
    ...(await checkUsers(config, secrets, place)),
    ...(await checkSecrets(config, { secrets, isReadable, mend })),
    ...checkBounceAddresses(config, place),
    ...(stack === null ? await checkMachine(file) : checkInlineHashes(config, place)),
    ...(await checkHost({ config, resolve, ways, stack, addresses, machine })),
    ...(await checkWayOut(config, place)),
  ];
  for (const domain of Object.keys(config.domains)) {
    findings.push(...(await checkDomain({ config, domain, resolve, secrets, nowMs, ways, place })));
  }
  return findings;
}

/** What is of this machine alone. */
async function checkMachine(file: ConfigFile): Promise<readonly Finding[]> {
  const { config, path } = file;
  return [...(await checkPermissions(file)), ...(await checkModules(config, dirname(path))), ...checkListeners(config)];
}

/** If no question was answered, that is one finding, and not one for each name. */
function dnsToldOnce(
  findings: readonly Finding[],
  dns: WatchedDns,
  { file: { config, path }, world }: Pick<CheckedPlace, 'file' | 'world'>,
): readonly Finding[] {
  const failure = dns.failure();
  if (failure === null) return findings;
  const { servers, timeoutSeconds } = config.dns;
  const isOwn = servers.length === 0;
  const asked = {
    failure,
    servers: isOwn ? world.dnsServers() : servers,
    configPath: isOwn ? null : path,
    timeoutSeconds,
    names: [...new Set([config.hostname, ...Object.keys(config.domains)])],
  };
  return [...findings.filter(({ level }) => level !== 'unknown'), noDns(asked)];
}

/** Commands for the region of the deployment, whatever the terminal's own is. */
function inRegion(finding: Finding, { stack }: ConfigPlace, self: string): Finding {
  if (stack === null) return finding;
  const isPlaced = (command: string): boolean =>
    command.includes(' --region ') || !['aws', self].some((name) => command.startsWith(`${name} `));
  return {
    ...finding,
    run: finding.run.map((command) => (isPlaced(command) ? command : `${command} --region ${stack.region}`)),
  };
}

/** What the schema allows and cannot work there, or was deployed otherwise. */
async function checkRules(
  { config, text }: ConfigFile,
  { stack }: ConfigPlace,
  self: string,
): Promise<readonly Finding[]> {
  const shown = (problems: readonly ConfigProblem[]) =>
    problems.map((problem) => {
      const run = commandOf(problem, self);
      return missing(`${problem.at}: ${problem.what}`, { run: run === null ? [] : [run], hint: problem.mend });
    });
  if (stack === null) return shown(forwardProblems(config));
  const options = await stack.deployed.configStore.options();
  if (options !== null) return shown(deployedProblems(text, config, options));
  const unknown = 'the deployment does not say its options, so they are not compared with the configuration';
  return [...shown(awsProblems(config, stack.name)), advice(unknown, { hint: 'Deploy again.' })];
}

/** SES is looked at with the credentials that the deployment is opened with. */
async function checkWayOut(config: Config, { stack }: ConfigPlace): Promise<readonly Finding[]> {
  const region = sesRegion(relayOf(config.delivery) ?? '');
  return stack === null || region === null ? [] : checkSes(config, { region, ses: stack.deployed.ses(region) });
}

function localSecrets(folder: string, directory: string, { environment, clock }: CliWorld): Secrets {
  return createSecrets({ named: secretFiles(folder), directory, environment, clock });
}
