// Strangers whose mail has to be judged: each writes from a domain of its own, with SPF, a DKIM signature and a DMARC policy, and
// a DNS server on this machine knows all of them. Nothing is asked twice, as it would be by mail from the same few domains.
import { generateKeyPairSync } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createTransport } from 'nodemailer';
import { plainMessage } from '#bench/load/messages.ts';

export type TestMail = { readonly from: string; readonly body: Buffer };
export type Strangers = {
  /** `address:port` of the DNS server. */
  readonly dns: string;
  /** The mail of the n-th stranger, its header and signature included. */
  readonly mail: (n: number) => TestMail;
  readonly close: () => void;
};

/** Signs the mails, `bytes` long each and a signature, and starts the DNS server. */
export async function startStrangers(count: number, bytes: number): Promise<Strangers> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const mails: TestMail[] = [];
  for (let n = 0; n < count; n += 1) mails.push(await signed(n, plainMessage(bytes), key));
  const published = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => socket.send(answerTo(question, published), from.port, from.address));
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve));
  return {
    dns: `127.0.0.1:${socket.address().port}`,
    mail: (n) => {
      const mail = mails[n];
      if (mail === undefined) throw new Error(`there are ${count} strangers only`);
      return mail;
    },
    close: () => socket.close(),
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

/** RFC 1035: the question sent back with a TXT record behind it where there is one, else with "no such name". */
function answerTo(question: Buffer, publicKey: string): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  const asked = Buffer.from(question.subarray(0, at + 5)); // up to the type and class
  const isText = question.readUInt16BE(at + 1) === 16;
  const text = isText ? textOf(labels.join('.'), publicKey) : null;
  asked.writeUInt16BE(text === null ? 0x8183 : 0x8180, 2);
  asked.writeUInt16BE(text === null ? 0 : 1, 6);
  asked.writeUInt32BE(0, 8);
  if (text === null) return asked;
  const strings = (text.match(/.{1,255}/g) ?? []).map((part) =>
    Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]),
  );
  const data = Buffer.concat(strings);
  const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 1, 44, data.length >> 8, data.length & 255]);
  return Buffer.concat([asked, record, data]);
}

function textOf(name: string, publicKey: string): string | null {
  if (/^s\d+\.example$/.test(name)) return 'v=spf1 ip4:127.0.0.1 -all';
  if (/^s1\._domainkey\.s\d+\.example$/.test(name)) return `v=DKIM1; k=rsa; p=${publicKey}`;
  if (/^_dmarc\.s\d+\.example$/.test(name)) return 'v=DMARC1; p=reject';
  return null;
}
