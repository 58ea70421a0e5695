// Senders whose mail has to be judged: each writes from a domain of its own, with SPF, a DKIM signature and a DMARC policy, and
// a DNS server on this machine knows all of them. Nothing is asked twice, as it would be by mail from the same few domains.
import { generateKeyPairSync } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { type DnsAnswer, type DnsServer, recordTypes, startDns, textRecord } from '#bench/load/dns-server.ts';
import { plainMessage } from '#bench/load/messages.ts';

type TestMail = { readonly from: string; readonly body: Buffer };
export type SignedSenders = {
  readonly dns: DnsServer;
  /** The mail of the n-th sender, its header and signature included. */
  readonly mail: (n: number) => TestMail;
};

/** Signs the mails, `bytes` long each and a signature, and starts the DNS server, whose answers `hold` keeps back. */
export async function startSignedSenders(
  count: number,
  bytes: number,
  hold?: () => Promise<void>,
): Promise<SignedSenders> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const mails: TestMail[] = [];
  for (let n = 0; n < count; n += 1) mails.push(await signed(n, plainMessage(bytes), key));
  const published = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  return {
    dns: await startDns((name, type) => (type === recordTypes.txt ? textOf(name, published) : 'no-name'), hold),
    mail: (n) => {
      const mail = mails[n];
      if (mail === undefined) throw new Error(`there are ${count} senders only`);
      return mail;
    },
  };
}

async function signed(n: number, plain: Buffer, privateKey: string): Promise<TestMail> {
  const domainName = `s${n}.example`;
  const from = `ada@${domainName}`;
  const raw = Buffer.from(plain.toString('latin1').replace(/^From: .*$/m, `From: Ada <${from}>`), 'latin1');
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  const dkim = { domainName, keySelector: 's1', privateKey };
  const { message } = await transport.sendMail({ raw, envelope: { from, to: 'bob@bench.example' }, dkim });
  return { from, body: Buffer.isBuffer(message) ? message : raw };
}

function textOf(name: string, publicKey: string): DnsAnswer {
  const text = recordOf(name, publicKey);
  return text === null ? 'no-name' : textRecord(text);
}

function recordOf(name: string, publicKey: string): string | null {
  if (/^s\d+\.example$/.test(name)) return 'v=spf1 ip4:127.0.0.1 -all';
  if (/^s1\._domainkey\.s\d+\.example$/.test(name)) return `v=DKIM1; k=rsa; p=${publicKey}`;
  if (/^_dmarc\.s\d+\.example$/.test(name)) return 'v=DMARC1; p=reject';
  return null;
}
