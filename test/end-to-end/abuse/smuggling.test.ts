// Nothing is smuggled through: whatever a body holds that some server might take for its end, it is one message at our
// door and one message at a Postfix that takes bare line feeds, submitted or forwarded, by DATA or by BDAT.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { generate } from 'selfsigned';
import { hasPeer, peerOptions } from '#test/support/peers/peers.ts';
import { type Postfix, startPostfix } from '#test/support/peers/postfix.ts';
import { type RawSmtp, rawSmtp } from '#test/support/peers/raw-smtp.ts';
import { allMessages, drained, eventually } from '#test/support/worlds/local-service.ts';
import { login, type SendingService, startSending } from '#test/support/worlds/sending-service.ts';

const ends = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r.\n',
  '\n.\r',
  '\n\r.\n\r',
  '\r\r\n.\r\r\n',
  '\r\n.\r\r\n',
  '\n\n.\n\n',
  '\r\n. \r\n',
  '\r\n .\r\n',
  '\r\n..\r\n',
  '\r\n.\t\r\n',
  '\r\n\x0b.\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n\0.\0\r\n',
  '\r\n\x85.\x85\r\n',
  '\r\n.\xe2\x80\xa8',
];
const inChunks = [...ends, '\r\n.\r\n', '.\r\n', '\r\n.\r\n.\r\n'];
const evil =
  'MAIL FROM:<evil@sender.example>\r\nRCPT TO:<b@far.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil was here\r\n';

const needed = peerOptions('dnsmasq', 'postfix');
const peers = needed.skip === undefined && process.getuid?.() !== 0 ? { skip: 'Postfix starts as root only' } : needed;
let postfix: Postfix;
let strict: SendingService;
let lax: SendingService;
let expected = 0;

before(async () => {
  if (peers.skip !== undefined || !hasPeer('dnsmasq')) return;
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'mx.far.example' }]);
  postfix = await startPostfix({ cert, key });
  const domains = { 'sender.example': { mailboxes: ['app'], aliases: { far: ['b@far.example'] } } };
  const txt = { 'sender.example': 'v=spf1 ip4:127.0.0.1 -all' };
  const given = { port: postfix.port, zone: { a: { 'far.example': '127.0.0.1' }, txt } };
  const delivery = { attemptSeconds: 30 };
  [strict, lax] = await Promise.all([
    startSending({ ...given, config: { domains, delivery } }),
    startSending({ ...given, config: { domains, delivery, limits: { bareLineFeeds: 'accept' } } }),
  ]);
});
after(async () => {
  await Promise.all([strict?.close(), lax?.close()]);
  postfix?.stop();
});

type Door = {
  readonly title: string;
  readonly to: string;
  readonly enter: (service: SendingService) => Promise<RawSmtp>;
};
const doors: readonly Door[] = [
  {
    title: 'submitted',
    to: 'b@far.example',
    enter: async ({ ports }) => {
      const smtp = await rawSmtp(ports.submissions, { tls: true });
      await smtp.command('EHLO client.sender.example');
      await smtp.command(`AUTH PLAIN ${Buffer.from(`\0${login.user}\0${login.password}`).toString('base64')}`);
      return smtp;
    },
  },
  {
    title: 'forwarded',
    to: 'far@sender.example',
    enter: async ({ ports }) => {
      const smtp = await rawSmtp(ports.mx);
      await smtp.command('EHLO client.sender.example');
      return smtp;
    },
  },
];

/** The bytes as they stand, nothing stuffed: the reply to the whole. */
async function send(smtp: RawSmtp, { to, content, chunked }: { to: string; content: string; chunked: boolean }) {
  await smtp.command(`MAIL FROM:<${login.user}>`);
  await smtp.command(`RCPT TO:<${to}>`);
  if (!chunked) await smtp.command('DATA');
  const bytes = Buffer.from(chunked ? content : `${content}.\r\n`, 'latin1');
  await smtp.write(chunked ? Buffer.concat([Buffer.from(`BDAT ${bytes.length} LAST\r\n`), bytes]) : bytes);
  const said = await smtp.reply();
  assert.equal(await smtp.command('NOOP'), '250 2.0.0 OK', 'one reply, and the session is where it was');
  return said;
}

function message(end: string): string {
  return `From: <${login.user}>\r\nSubject: carrier\r\n\r\nbefore${end}${evil}`;
}

describe('false ends of data', { ...peers }, () => {
  for (const { title, to, enter } of doors) {
    it(`${title} by DATA: refused as a bare line feed, or one message`, async () => {
      const smtp = await enter(strict);
      for (const end of ends) {
        const said = await send(smtp, { to, content: message(end), chunked: false });
        const isBare = /(^|[^\r])\n|\r(?!\n)/.test(end);
        assert.match(said, isBare ? /^550 5\.6\.11 / : /^250 2\.6\.0 /, JSON.stringify(end));
        if (!isBare) expected += 1;
      }
      smtp.close();
    });

    it(`${title} by DATA, bare line feeds accepted: one message`, async () => {
      const smtp = await enter(lax);
      for (const end of ends) {
        const said = await send(smtp, { to, content: message(end), chunked: false });
        assert.match(said, /^250 2\.6\.0 /, JSON.stringify(end));
        expected += 1;
      }
      smtp.close();
    });

    it(`${title} by BDAT, where even the true end is content: one message`, async () => {
      const smtp = await enter(lax);
      for (const end of inChunks) {
        const said = await send(smtp, { to, content: message(end), chunked: true });
        assert.match(said, /^250 2\.6\.0 /, JSON.stringify(end));
        expected += 1;
      }
      smtp.close();
    });
  }

  it('Postfix has each of them once, whole, and nothing else', async () => {
    await Promise.all([drained(strict), drained(lax)]);
    const texts = await eventually('all of them are there', async () => {
      const found = await postfix.messages(0);
      return found.length >= expected ? found : null;
    });
    assert.equal(texts.length, expected);
    for (const text of texts) {
      const [header = '', ...body] = text.replaceAll('\r', '').split('\n\n');
      assert.match(header, /^Subject: carrier$/m);
      assert.doesNotMatch(header, /smuggled/);
      assert.match(body.join('\n\n'), /^before[\s\S]*MAIL FROM:<evil@sender\.example>[\s\S]*evil was here\n*$/);
    }
  });

  it('at our own door it was one message each as well', async () => {
    for (const service of [strict, lax]) {
      const { deliveries } = await service.json('/api/deliveries?limit=500');
      assert.ok(deliveries.every(({ record }: any) => record.job.envelope.reversePath.endsWith('app@sender.example')));
      assert.deepEqual(await allMessages(service), []);
    }
  });
});
