// Checks SES as the way out: whether the account may send, to whom, and whether the domains that mail is sent from are verified. What
// SES refuses waits here (functions/deliver), so each of these keeps mail from going out.
import { isDenied } from '#cli/deployment.ts';
import type { DnsRecord } from '#cli/dns/dns-record.ts';
import { parseAddress } from '#mail/address/address.ts';
import { errorMessage, isProblem } from '#mail/problem.ts';
import type { SesAccount, SesIdentity, SesReader } from '#pipeline/aws/operator/ses.ts';
import type { Config } from '#pipeline/config/config.ts';
import { advice, type Finding, missing, ok } from './finding.ts';

/** `ses` is that of the region. */
export async function checkSes(config: Config, { region, ses }: SesPlace): Promise<readonly Finding[]> {
  try {
    const findings = [judgeAccount(await ses.account(), { region, config })];
    const judged = new Set<string>();
    for (const { domain, isSender } of sendingDomains(config)) {
      const found = await findIdentity(ses, domain);
      if (!judged.has(found?.name ?? domain)) findings.push(...judgeIdentity(found, { domain, isSender, region }));
      judged.add(found?.name ?? domain);
    }
    return findings;
  } catch (thrown) {
    const why = isDenied(thrown)
      ? 'these AWS credentials may not ask it (ses:GetAccount, ses:GetEmailIdentity)'
      : errorMessage(thrown);
    return [advice(`SES in ${region}, by which mail leaves, could not be looked at: ${why}`)];
  }
}

type SesPlace = { readonly region: string; readonly ses: SesReader };

/** Paused comes before the sandbox: nothing else matters then. */
function judgeAccount(
  account: SesAccount,
  { region, config }: { readonly region: string; readonly config: Config },
): Finding {
  const where = `SES in ${region}`;
  if (!account.isSending || account.enforcement === 'SHUTDOWN') {
    return missing(`${where} sends nothing for this account, its sending is paused: all mail that goes out waits`, {
      run: [`aws sesv2 put-account-sending-attributes --sending-enabled --region ${region}`],
      hint: "That is for sending that you paused yourself. If AWS paused it, its mail to the account's owner says why: answer in the case that it opened.",
    });
  }
  if (!account.isProduction) {
    const [domain = config.hostname] = Object.keys(config.domains);
    const asked: Readonly<Record<string, string>> = {
      PENDING: ' Production access has been asked for; AWS has not answered yet.',
      DENIED: ' AWS has denied production access: answer in the case of the request.',
    };
    return missing(
      `${where} has this account in the sandbox: mail to addresses that are not verified there waits, and ${account.messagesPerDay} a day may be sent.${asked[account.review ?? ''] ?? ''}`,
      {
        run: [
          `aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url https://${domain} --use-case-description "WHAT YOU SEND, TO WHOM, AND THAT BOUNCES ARE SUPPRESSED" --region ${region}`,
        ],
      },
    );
  }
  const said = `${where} sends for this account: ${account.messagesPerDay} a day, ${account.messagesPerSecond} a second`;
  return account.enforcement === 'PROBATION'
    ? advice(`${said}; AWS has put it under review, and will pause it if bounces or complaints go on`)
    : ok(said);
}

/** The domains that mail is sent from: those of users, and of the host, from which reports are sent. */
function sendingDomains({ hostname, domains, users }: Config) {
  const fromUsers = users.flatMap(({ mayFrom }) =>
    mayFrom.flatMap((text) => {
      const address = parseAddress(text.replace(/^\*@/, 'any@'));
      return isProblem(address) ? [] : [String(address.domain)];
    }),
  );
  const senders = new Set(fromUsers);
  const all = new Set([...fromUsers, ...Object.keys(domains), hostname]);
  return [...all].map((domain) => ({ domain, isSender: senders.has(domain) }));
}

type Found = { readonly name: string; readonly identity: SesIdentity } | null;

/** A verified domain holds for the names below it. */
async function findIdentity(ses: SesReader, domain: string): Promise<Found> {
  const labels = domain.split('.');
  for (let at = 0; at < labels.length - 1; at += 1) {
    const name = labels.slice(at).join('.');
    const identity = await ses.identity(name);
    if (identity !== null) return { name, identity };
  }
  return null;
}

type About = { readonly domain: string; readonly isSender: boolean; readonly region: string };

function judgeIdentity(found: Found, { domain, isSender, region }: About): readonly Finding[] {
  const lacking = isSender ? missing : advice;
  const refused = 'SES refuses what is sent from it, and that waits';
  if (found === null) {
    const make = {
      run: [`aws sesv2 create-email-identity --email-identity ${domain} --region ${region}`],
      hint: again,
    };
    return [lacking(`${domain}: SES in ${region} does not know the domain: ${refused}`, make)];
  }
  const { name, identity } = found;
  const records = identity.dkimTokens.map((token) => signingRecord(token, name));
  if (!identity.isVerified) {
    return [
      lacking(`${domain}: SES in ${region} has not verified ${name} (${identity.status}): ${refused}`, { records }),
    ];
  }
  const isSigned = identity.dkimStatus === 'SUCCESS';
  const signed = isSigned ? ok : advice;
  const says = `${domain}: SES in ${region} has verified ${name}, and ${isSigned ? 'signs for it' : `does not sign for it (DKIM ${identity.dkimStatus})`}`;
  return [signed(says, isSigned ? {} : { records }), ...judgeMailFrom(found, { domain, region })];
}

function signingRecord(token: string, name: string): DnsRecord {
  const about = 'proves the domain to SES, which then signs its mail';
  return {
    name: `${token}._domainkey.${name}`,
    type: 'CNAME',
    value: `${token}.dkim.amazonses.com.`,
    about,
  };
}

const again = 'Then check again: it shows the records to publish.';

/** SES puts its own return path on mail; one below the domain makes SPF hold for DMARC too. */
function judgeMailFrom(
  { name, identity: { mailFrom, mailFromStatus } }: NonNullable<Found>,
  { domain, region }: Pick<About, 'domain' | 'region'>,
): readonly Finding[] {
  if (mailFrom === null) {
    const command = `aws sesv2 put-email-identity-mail-from-attributes --email-identity ${name} --mail-from-domain bounce.${name} --region ${region}`;
    const what = `${domain}: SES puts a return path of its own on mail, so DMARC holds by DKIM alone`;
    return [advice(what, { run: [command], hint: again })];
  }
  if (mailFromStatus === 'SUCCESS') return [];
  const mx: DnsRecord = {
    name: mailFrom,
    type: 'MX',
    value: `10 feedback-smtp.${region}.amazonses.com.`,
    about: 'where SES gets bounces',
  };
  const spf: DnsRecord = {
    name: mailFrom,
    type: 'TXT',
    value: 'v=spf1 include:amazonses.com -all',
    about: 'SES sends for it',
  };
  const what = `${domain}: the return path ${mailFrom} is not proven to SES yet (${mailFromStatus})`;
  return [advice(what, { records: [mx, spf] })];
}
