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
import { checkSecrets } from '#cli/checks/check-secrets.ts';
import { checkSes } from '#cli/checks/check-ses.ts';
import { checkBounceAddresses, checkInlineHashes, checkPermissions, checkUsers } from '#cli/checks/check-users.ts';
import { advice, type Finding, findingSchema, missing, ok, shownFinding } from '#cli/checks/finding.ts';
import { type CliWorld, type Command, optionValue, print } from '#cli/command.ts';
import { type ConfigFile, configOption } from '#cli/config/config-file.ts';
import { type ConfigPlace, withConfig } from '#cli/config/config-place.ts';
import { stackOptions } from '#cli/deployment.ts';
import { relayOf, waysOutOf } from '#cli/dns/way-out.ts';
import { type ExitCode, exitCodes } from '#cli/exit-codes.ts';
import { awsProblems, type ConfigProblem, forwardProblems } from '#pipeline/config/aws-problems.ts';
import type { Config } from '#pipeline/config/config.ts';
import { deployedProblems } from '#pipeline/config/deployed-problems.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import { sesRegion } from '#pipeline/config/ses-endpoint.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';

export const check: Command = {
  name: 'check',
  usage: '[options]',
  about: 'check configuration, DNS records and certificate; say what is missing',
  takes: [0, 0],
  gives: z.strictObject({ findings: z.array(findingSchema) }),
  finds: 'if something keeps mail from working (MISSING)',
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
      const { config, path } = file;
      const data = optionValue(given, 'data') ?? '.pillarbox';
      const secrets = place.stack?.deployed.secrets ?? localSecrets(data, dirname(path), world);
      const { servers, timeoutSeconds } = config.dns;
      const { resolve, close } = createResolver({ servers, timeoutMs: timeoutSeconds * 1_000, clock: world.clock });
      try {
        const nowMs = world.clock();
        const isLocal = place.stack === null;
        const addresses = (await place.stack?.deployed.configStore.options())?.addresses ?? null;
        const ways = await waysOutOf(config, place);
        const findings: Finding[] = [
          ok(`${path} is a good configuration`),
          ...(await checkRules(file, place)),
          await checkCertificate(config, secrets, nowMs),
          ...(await checkUsers(config, secrets)),
          ...(await checkSecrets(config, { secrets, isReadable: (one) => isLocal || one.startsWith('secret:') })),
          ...checkBounceAddresses(config),
          ...(place.stack === null
            ? [
                ...(await checkPermissions(file)),
                ...(await checkModules(config, dirname(path))),
                ...checkListeners(config),
              ]
            : checkInlineHashes(config, place.stack.name)),
          ...(await checkHost({ config, addresses, isDeployed: !isLocal }, resolve)),
          ...(await checkWayOut(config, place)),
        ];
        for (const domain of Object.keys(config.domains)) {
          findings.push(...(await checkDomain({ config, domain, resolve, secrets, nowMs, ways, stack: place.stack })));
        }
        const target = optionValue(given, 'connect');
        if (target !== null) findings.push(await checkPort25(target, relayOf(config.delivery)));
        print(given, world, { json: { findings }, text: findings.map(shownFinding).join('\n') });
        return findings.some(({ level }) => level === 'missing') ? exitCodes.foundProblems : exitCodes.done;
      } finally {
        close();
      }
    };
    return withConfig(given, world, checkPlace, ['config', 'data']);
  },
};

/** What the schema allows and cannot work there, or was deployed otherwise. */
async function checkRules({ config, text }: ConfigFile, { stack }: ConfigPlace): Promise<readonly Finding[]> {
  const shown = (problems: readonly ConfigProblem[]) =>
    problems.map(({ at, what, mend }) => missing(`${at}: ${what}`, mend));
  if (stack === null) return shown(forwardProblems(config));
  const options = await stack.deployed.configStore.options();
  if (options !== null) return shown(deployedProblems(text, config, options));
  const unknown = 'the deployment does not say its options, so they are not compared with the configuration';
  return [...shown(awsProblems(config, stack.name)), advice(unknown, 'deploy again')];
}

/** SES is looked at with the credentials that the deployment is opened with. */
async function checkWayOut(config: Config, { stack }: ConfigPlace): Promise<readonly Finding[]> {
  const region = sesRegion(relayOf(config.delivery) ?? '');
  return stack === null || region === null ? [] : checkSes(config, { region, ses: stack.deployed.ses(region) });
}

function localSecrets(data: string, directory: string, { environment, clock }: CliWorld): Secrets {
  return createSecrets({ named: secretFiles(resolvePath(directory, data, 'secrets')), directory, environment, clock });
}
