// `pillarbox check`: checks the configuration, the DNS records and the certificate; says what is missing, and what to publish.
// It connects only to the DNS, unless `--connect` names a host.
import { dirname, resolve as resolvePath } from 'node:path';
import { checkCertificate } from '#cli/checks/check-certificate.ts';
import { checkDomain } from '#cli/checks/check-domain.ts';
import { checkHost } from '#cli/checks/check-host.ts';
import { checkListeners } from '#cli/checks/check-listeners.ts';
import { checkPort25 } from '#cli/checks/check-port-25.ts';
import { checkBounceAddresses, checkUsers } from '#cli/checks/check-users.ts';
import { type Finding, ok, shownFinding } from '#cli/checks/finding.ts';
import { type CliWorld, type Command, optionValue, print } from '#cli/command.ts';
import { configOption, readConfigFile } from '#cli/config-file.ts';
import { relayOf } from '#cli/dns-records.ts';
import { createSecrets, secretFiles } from '#pipeline/config/secrets.ts';
import type { Secrets } from '#pipeline/contract/ports.ts';
import { createResolver } from '#pipeline/dns/resolver.ts';

export const check: Command = {
  name: 'check',
  usage: '[options]',
  about: 'check configuration, DNS records and certificate; say what is missing',
  takes: [0, 0],
  options: {
    data: { value: 'DIR', about: 'where "secret:" references are kept (default .pillarbox)' },
    connect: {
      value: 'HOST',
      about: "also see whether another server's port 25 can be reached from here (HOST:PORT: another port)",
    },
    ...configOption,
  },
  run: async (given, world) => {
    const file = await readConfigFile(given, world);
    const { config, path } = file;
    const secrets = secretsOf(optionValue(given, 'data') ?? '.pillarbox', dirname(path), world);
    const { servers, timeoutSeconds } = config.dns;
    const { resolve, close } = createResolver({ servers, timeoutMs: timeoutSeconds * 1_000, clock: world.clock });
    try {
      const nowMs = world.clock();
      const findings: Finding[] = [
        ok(`${path} is a good configuration`),
        await checkCertificate(config, secrets, nowMs),
        ...(await checkUsers(file, secrets)),
        ...checkBounceAddresses(config),
        ...checkListeners(config),
        ...(await checkHost(config, resolve)),
      ];
      for (const domain of Object.keys(config.domains)) {
        findings.push(...(await checkDomain({ config, domain, resolve, secrets, nowMs })));
      }
      const target = optionValue(given, 'connect');
      if (target !== null) findings.push(await checkPort25(target, relayOf(config.delivery)));
      print(given, world, { json: { findings }, text: findings.map(shownFinding).join('\n') });
      return findings.some(({ level }) => level === 'missing') ? 1 : 0;
    } finally {
      close();
    }
  },
};

function secretsOf(data: string, directory: string, { environment, clock }: CliWorld): Secrets {
  return createSecrets({ named: secretFiles(resolvePath(directory, data, 'secrets')), directory, environment, clock });
}
