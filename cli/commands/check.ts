// `pillarbox check`: is the configuration good, are the DNS records there, does the certificate hold; what is missing,
// and what to publish. Connects nowhere but to the DNS unless `--connect` says so.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { connect } from 'node:net';
import { dirname, resolve as resolvePath } from 'node:path';
import { type CliWorld, type Command, optionValue, plain, print } from '#cli/command.ts';
import { configOption, readConfigFile } from '#cli/config-file.ts';
import { dkimRecord, publicKeyText, recordText, suggestedRecords } from '#cli/dns-records.ts';
import type { Config } from '#pipeline/config.ts';
import { createResolver } from '#pipeline/dns-resolver.ts';
import type { Resolve, Secrets } from '#pipeline/ports.ts';
import { createSecrets, secretFiles } from '#pipeline/secrets.ts';

/** What was looked at: `missing` keeps mail from working, `advice` makes it work better; `publish` is a zone-file line. */
type Finding = {
  readonly level: 'ok' | 'advice' | 'missing';
  readonly what: string;
  readonly publish?: string | undefined;
};

const connectMs = 10_000;

/** See the file's head. */
export const check: Command = {
  name: 'check',
  usage: '[options]',
  about: 'check configuration, DNS records and certificate; say what is missing',
  takes: [0, 0],
  options: {
    data: { value: 'DIR', about: 'where "secret:" references are kept (default .pillarbox)' },
    connect: { value: 'HOST', about: "also see whether another server's port 25 can be reached from here" },
    ...configOption,
  },
  run: async (given, world) => {
    const { config, path } = await readConfigFile(given, world);
    const secrets = secretsOf(optionValue(given, 'data') ?? '.pillarbox', dirname(path), world);
    const { resolve, close } = createResolver({
      servers: config.dns.servers,
      timeoutMs: config.dns.timeoutSeconds * 1_000,
      clock: world.clock,
    });
    try {
      const findings: Finding[] = [{ level: 'ok', what: `${path} is a good configuration` }];
      findings.push(
        await checkCertificate(config, secrets, world.clock()),
        ...(await checkHost(config.hostname, resolve)),
      );
      for (const domain of Object.keys(config.domains))
        findings.push(...(await checkDomain({ config, domain, resolve, secrets })));
      const target = optionValue(given, 'connect');
      if (target !== null) findings.push(await checkPort25(target));
      print(given, world, { json: { findings }, text: findings.map(shown).join('\n') });
      return findings.some(({ level }) => level === 'missing') ? 1 : 0;
    } finally {
      close();
    }
  },
};

function secretsOf(data: string, directory: string, { environment, clock }: CliWorld): Secrets {
  return createSecrets({ named: secretFiles(resolvePath(directory, data, 'secrets')), directory, environment, clock });
}

function shown({ level, what, publish }: Finding): string {
  const word = { ok: 'ok     ', advice: 'advice ', missing: 'MISSING' }[level];
  return `${word}  ${plain(what)}${publish === undefined ? '' : `\n${publish.replace(/^/gm, '           ')}`}`;
}

async function checkCertificate({ tls, hostname }: Config, secrets: Secrets, nowMs: number): Promise<Finding> {
  if (tls === null)
    return {
      level: 'advice',
      what: 'no certificate is configured (tls): one is made by the server itself, which few peers trust',
    };
  try {
    const certificate = new X509Certificate(await secrets.read(tls.certificate));
    const key = createPublicKey(await secrets.read(tls.key)).export({ type: 'spki', format: 'der' });
    const days = Math.floor((Date.parse(certificate.validTo) - nowMs) / 86_400_000);
    if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(key))
      return { level: 'missing', what: 'the key does not belong to the certificate' };
    if (days < 0) return { level: 'missing', what: `the certificate ended on ${certificate.validTo}` };
    if (certificate.checkHost(hostname) === undefined)
      return { level: 'missing', what: `the certificate is not for ${hostname}` };
    return { level: days < 14 ? 'advice' : 'ok', what: `the certificate is for ${hostname} and good for ${days} days` };
  } catch (thrown) {
    return {
      level: 'missing',
      what: `the certificate cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    };
  }
}

async function checkHost(hostname: string, resolve: Resolve): Promise<readonly Finding[]> {
  const addresses = [...(await ask(resolve, hostname, 'A')), ...(await ask(resolve, hostname, 'AAAA'))].map(String);
  if (addresses.length === 0) return [{ level: 'missing', what: `${hostname} has no address in the DNS (A, AAAA)` }];
  const findings: Finding[] = [{ level: 'ok', what: `${hostname} is at ${addresses.join(', ')}` }];
  for (const address of addresses.filter((one) => !one.includes(':'))) {
    const names = (await ask(resolve, `${address.split('.').reverse().join('.')}.in-addr.arpa`, 'PTR')).map(String);
    const isOurs = names.some((name) => name.toLowerCase() === hostname);
    findings.push(
      isOurs
        ? { level: 'ok', what: `${address} leads back to ${hostname} (PTR)` }
        : {
            level: 'advice',
            what: `${address} does not lead back to ${hostname} (PTR ${names.join(', ') || 'is not there'}): many receivers refuse mail from such a server; ask whoever gave you the address`,
          },
    );
  }
  return findings;
}

type DomainCheck = {
  readonly config: Config;
  readonly domain: string;
  readonly resolve: Resolve;
  readonly secrets: Secrets;
};

async function checkDomain(checked: DomainCheck): Promise<readonly Finding[]> {
  const { config, domain, resolve } = checked;
  const [mx, spf, dmarc] = suggestedRecords(domain, config.hostname).map(recordText);
  const exchanges = (await ask(resolve, domain, 'MX')).map((one) =>
    String(Object(one)['exchange'] ?? '').toLowerCase(),
  );
  const texts = await askTexts(resolve, domain);
  const policies = await askTexts(resolve, `_dmarc.${domain}`);
  return [
    exchanges.includes(config.hostname)
      ? { level: 'ok', what: `${domain}: its mail comes to ${config.hostname} (MX)` }
      : {
          level: 'missing',
          what: `${domain}: its mail does not come here (MX ${exchanges.join(', ') || 'is not there'})`,
          publish: mx,
        },
    oneOf(texts, /^v=spf1( |$)/i, { what: `${domain}: SPF`, publish: spf }),
    ...(await checkDkim(checked)),
    oneOf(policies, /^v=DMARC1\s*;/, { what: `${domain}: DMARC`, publish: dmarc }),
  ];
}

async function checkDkim({ config, domain, resolve, secrets }: DomainCheck): Promise<readonly Finding[]> {
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  if (keys.length === 0)
    return [{ level: 'advice', what: `${domain}: mail is not signed; "pillarbox dkim new ${domain}" makes keys` }];
  return Promise.all(
    keys.map(async ({ selector, privateKey }): Promise<Finding> => {
      try {
        const publicKey = createPublicKey(await secrets.read(privateKey));
        const record = dkimRecord({ domain, selector, publicKey });
        const published = (await askTexts(resolve, record.name)).map((text) => text.replace(/\s+/g, ''));
        if (published.some((text) => text.includes(`p=${publicKeyText(publicKey)}`))) {
          return { level: 'ok', what: `${domain}: DKIM key ${selector} is published` };
        }
        const other = published.length === 0 ? 'is not published' : 'is published, but is another key';
        return { level: 'missing', what: `${domain}: DKIM key ${selector} ${other}`, publish: recordText(record) };
      } catch (thrown) {
        return {
          level: 'missing',
          what: `${domain}: DKIM key ${selector}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
        };
      }
    }),
  );
}

/** There must be one such record: several count as none (RFC 7208 §4.5, RFC 9989 §4.10). */
function oneOf(
  texts: readonly string[],
  pattern: RegExp,
  { what, publish }: { readonly what: string; readonly publish: string | undefined },
): Finding {
  const found = texts.filter((text) => pattern.test(text));
  if (found.length === 1) return { level: 'ok', what: `${what}: ${found[0]}` };
  if (found.length > 1)
    return { level: 'missing', what: `${what}: ${found.length} records, which counts as none: keep one` };
  return { level: 'missing', what: `${what}: no record`, publish };
}

async function askTexts(resolve: Resolve, name: string): Promise<readonly string[]> {
  return (await ask(resolve, name, 'TXT')).map((strings) =>
    Array.isArray(strings) ? strings.join('') : String(strings),
  );
}

/** No such record is an answer; no answer at all is told as a missing record, which it is as far as we can see. */
async function ask(resolve: Resolve, name: string, type: string): Promise<readonly unknown[]> {
  const answer = await resolve(name, type).catch(() => []);
  return Array.isArray(answer) ? answer : [];
}

function checkPort25(host: string): Promise<Finding> {
  return new Promise((done) => {
    const socket = connect({ host, port: 25, timeout: connectMs });
    const end = (level: Finding['level'], what: string): void => {
      socket.destroy();
      done({ level, what });
    };
    socket.once('data', (data) =>
      end('ok', `${host} answers on port 25: ${data.toString('latin1').slice(0, 80).trim()}`),
    );
    socket.once('timeout', () =>
      end(
        'missing',
        `${host} does not answer on port 25: outbound port 25 may be blocked here; ask for it to be opened, or send over a smarthost`,
      ),
    );
    socket.once('error', (error) => end('missing', `${host}: port 25 cannot be reached: ${error.message}`));
  });
}
