import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSesameHash } from '#test/support/samples/password-hashes.ts';
import { logIn, rawClient, startTestListener, testConfig } from '#test/support/worlds/start-test-listener.ts';

const ehlo = 'EHLO client.test';
const from = 'MAIL FROM:<a@sender.test>';
const to = 'RCPT TO:<support@example.test>';
const plain = (name: string, password: string) => Buffer.from(`\0${name}\0${password}`).toString('base64');

type Dialogue = {
  readonly title: string;
  readonly role?: 'mx' | 'submission' | 'submissions';
  /** STARTTLS first (submissions has TLS anyway). */
  readonly tls?: boolean;
  readonly isLoggedIn?: boolean;
  /** What is said, and how the reply begins. A null reply: the connection is closed. */
  readonly steps: readonly (readonly [say: string, reply: string | RegExp | null])[];
};

const listener = await startTestListener(
  { after },
  {
    ...testConfig,
    users: [{ name: 'app@example.test', password: openSesameHash, mayFrom: ['*@example.test'] }],
    limits: { messageBytes: 10_000, recipients: 3, commandBytes: 600, authFailures: 3 },
  },
);

const dialogues: readonly Dialogue[] = [
  {
    title: 'REQUIRETLS is taken under TLS',
    tls: true,
    steps: [
      [ehlo, '250'],
      [`${from} REQUIRETLS=yes`, '501 5.5.4'],
      [`${from} REQUIRETLS`, '250 2.1.0'],
    ],
  },
  {
    title: 'the AUTH parameter is known where AUTH is',
    role: 'submissions',
    isLoggedIn: true,
    steps: [['MAIL FROM:<app@example.test> AUTH=<>', '250 2.1.0']],
  },
  {
    title: 'a user may set a priority (RFC 6710)',
    role: 'submissions',
    isLoggedIn: true,
    steps: [
      ['EHLO client.test', /^250[ -]MT-PRIORITY$/m],
      ['MAIL FROM:<app@example.test> MT-PRIORITY=10', '501 5.5.4'],
      ['MAIL FROM:<app@example.test> MT-PRIORITY=3', '250 2.1.0'],
    ],
  },
  {
    title: 'a stranger may not set a priority, and is not offered to',
    steps: [
      [ehlo, /^(?!.*MT-PRIORITY)/s],
      [`${from} MT-PRIORITY=3`, '555 5.5.4'],
    ],
  },
  {
    title: 'EHLO before TLS offers all extensions, but neither AUTH nor REQUIRETLS',
    steps: [
      [
        ehlo,
        /^250-mx\.example\.test\n250-PIPELINING\n250-SIZE 10000\n250-8BITMIME\n250-SMTPUTF8\n250-ENHANCEDSTATUSCODES\n250-DSN\n250-CHUNKING\n250-BINARYMIME\n250-LIMITS RCPTMAX=3\n250 STARTTLS$/,
      ],
    ],
  },
  {
    title: 'EHLO under TLS offers REQUIRETLS and no STARTTLS',
    tls: true,
    steps: [[ehlo, /^(?!.*STARTTLS)(?!.*AUTH).*REQUIRETLS/s]],
  },
  {
    title: 'EHLO on submission before TLS offers no AUTH',
    role: 'submission',
    steps: [[ehlo, /^(?!.*AUTH).*STARTTLS/s]],
  },
  {
    title: 'EHLO on submission under TLS offers AUTH PLAIN LOGIN',
    role: 'submission',
    tls: true,
    steps: [[ehlo, /AUTH PLAIN LOGIN/]],
  },
  { title: 'EHLO on submissions offers AUTH at once', role: 'submissions', steps: [[ehlo, /AUTH PLAIN LOGIN/]] },
  {
    title: 'EHLO without a name is refused',
    steps: [
      ['EHLO', '501 5.5.4'],
      ['EHLO a b', '501 5.5.4'],
      ['HELO', '501 5.5.4'],
    ],
  },
  {
    title: 'an address literal is a name',
    steps: [
      ['EHLO [192.0.2.1]', '250'],
      ['EHLO [IPv6:2001:db8::1]', '250'],
    ],
  },
  {
    title: 'HELO gets one line, and no ESMTP parameters after it',
    steps: [
      ['HELO client.test', '250 mx.example.test'],
      [`${from} SIZE=10`, '555 5.5.4'],
      [from, '250 2.1.0'],
      [`${to} NOTIFY=NEVER`, '555 5.5.4'],
      [to, '250 2.1.5'],
    ],
  },
  {
    title: 'commands have an order',
    steps: [
      [from, '503 5.5.1'],
      [to, '503 5.5.1'],
      ['DATA', '503 5.5.1'],
      [ehlo, '250'],
      [to, '503 5.5.1'],
      ['DATA', '503 5.5.1'],
      [from, '250'],
      [from, '503 5.5.1'],
      ['DATA', '503 5.5.1'],
    ],
  },
  {
    title: 'DATA when every recipient was refused is 554',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      ['RCPT TO:<nobody@example.test>', '550 5.1.1'],
      ['DATA', '554 5.5.1'],
    ],
  },
  {
    title: 'RSET and EHLO forget the transaction',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      ['RSET', '250 2.0.0'],
      [to, '503'],
      [from, '250'],
      [ehlo, '250'],
      [to, '503'],
      ['rset', '250'],
    ],
  },
  {
    title: 'small commands are answered',
    steps: [
      ['NOOP', '250 2.0.0'],
      ['NOOP anything', '250 2.0.0'],
      ['HELP', '214 2.0.0'],
      ['VRFY someone', '252 2.5.0'],
      ['VRFY', '501 5.5.4'],
      ['EXPN list', '502 5.5.1'],
      ['quit', '221 2.0.0'],
      ['', null],
    ],
  },
  {
    title: 'unknown commands are 500, the tenth closes',
    steps: [
      ...['WIZ', 'SHELL', 'KILL x', 'XCLIENT ADDR=1.2.3.4', 'XFORWARD', 'TURN', 'FOO', '', 'BAR'].map(
        (line) => [line, '500 5.5.2'] as const,
      ),
      ['BAZ', '421 4.7.0'],
      ['NOOP', null],
    ],
  },
  {
    title: 'a browser is shown the door',
    steps: [
      ['GET / HTTP/1.1', '421'],
      ['Host: x', null],
    ],
  },
  {
    title: 'control characters and broken UTF-8 are no commands',
    steps: [
      ['NOOP \0', '500 5.5.2'],
      ['NOOP \rMAIL', '500 5.5.2'],
      ['EHLO \xff\xfe', '500 5.5.2'],
    ],
  },
  {
    title: 'an overlong line is refused and the session goes on',
    steps: [
      [`NOOP ${'x'.repeat(9_000)}`, '500 5.5.2'],
      ['NOOP', '250'],
    ],
  },
  {
    title:
      'an answer of AUTH may be longer than a command; an overlong one ends the exchange with its own code (RFC 4954 §4)',
    role: 'submissions',
    steps: [
      [ehlo, '250'],
      ['AUTH LOGIN', '334'],
      ['x'.repeat(12_288), '334 UGFzc3dvcmQ6'],
      ['x'.repeat(12_289), '500 5.5.6'],
      ['NOOP', '250'],
    ],
  },
  {
    title: 'base64 that is no name and password is told apart from what is no base64',
    role: 'submissions',
    steps: [
      [ehlo, '250'],
      [`AUTH PLAIN ${Buffer.from('no NUL').toString('base64')}`, '501 5.5.2 Not a name and a password'],
      [`AUTH PLAIN ${plain('a\0b', 'c')}`, '501 5.5.2 Not a name and a password'],
      ['AUTH PLAIN AGEAY!==', '501 5.5.2 Not base64'],
    ],
  },
  {
    title: 'RSET takes no parameter, and one that is refused forgets nothing',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      ['RSET now', '501 5.5.4'],
      [to, '250'],
    ],
  },
  {
    title:
      'a chunk that makes the message too large is refused at once, and so is what follows until RSET (RFC 3030 §2)',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      [to, '250'],
      [`BDAT 9002\r\n${'x'.repeat(9_000)}`, '250 2.0.0'],
      [`BDAT 1002\r\n${'x'.repeat(1_000)}`, '552 5.3.4'],
      ['BDAT 5\r\nabc', '552 5.3.4'],
      ['BDAT 0 LAST', '552 5.3.4'],
      [from, '250'],
    ],
  },
  {
    title: 'a declared size that is too big is refused at MAIL',
    steps: [
      [ehlo, '250'],
      [`${from} SIZE=10001`, '552 5.3.4'],
      [`${from} SIZE=99999999999999999999`, '552 5.3.4'],
      [`${from} SIZE=x`, '501 5.5.4'],
      [`${from} SIZE=10000`, '250'],
    ],
  },
  {
    title: 'unknown and wrong parameters are refused',
    steps: [
      [ehlo, '250'],
      [`${from} FOO=BAR`, '555 5.5.4'],
      [`${from} BODY=9BIT`, '501 5.5.4'],
      [`${from} SIZE=1 SIZE=1`, '501'],
      [`${from} AUTH=<>`, '555'],
      [`${from} REQUIRETLS`, '530 5.7.0'],
      [`${from} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By`, '250'],
      [`${to} NOTIFY=BOGUS`, '501'],
      [`${to} NOTIFY=NEVER,DELAY`, '501'],
      [`${to} FOO`, '555'],
      [`${to} NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b.test`, '250'],
    ],
  },
  {
    title: 'bad addresses are refused with their own codes',
    steps: [
      [ehlo, '250'],
      ['MAIL FROM:a@sender.test', '501 5.1.7'],
      ['MAIL FROM:<a b@sender.test>', '501 5.1.7'],
      ['MAIL FROM:<a@-x.test>', '501 5.1.7'],
      ['MAIL FROM <a@sender.test>', '501'],
      ['MAIL', '501'],
      ['MAIL FROM: <a@sender.test>', '250'],
      ['RCPT TO:<>', '501 5.1.3'],
      ['RCPT TO:<support>', '501 5.1.3'],
      ['RCPT TO:<support@example.test', '501 5.1.3'],
    ],
  },
  {
    title: 'nobody relays through mx',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      ['RCPT TO:<x@elsewhere.test>', '550 5.7.1'],
      ['RCPT TO:<@example.test:x@elsewhere.test>', '550 5.7.1'],
      ['RCPT TO:<x%elsewhere.test@example.test>', '550 5.1.1'],
      ['RCPT TO:<elsewhere.test!x@example.test>', '550 5.1.1'],
    ],
  },
  {
    title: 'postmaster, tags, quoted names and source routes reach their mailbox',
    steps: [
      [ehlo, '250'],
      ['MAIL FROM:<>', '250'],
      ['RCPT TO:<Postmaster>', '250'],
      ['RCPT TO:<Support+tag@EXAMPLE.test>', '250'],
      ['RCPT TO:<"odd one"@example.test>', '250'],
    ],
  },
  {
    title: 'recipients are limited, the same one twice counts once',
    steps: [
      [ehlo, '250'],
      [from, '250'],
      ['RCPT TO:<support+1@example.test>', '250'],
      ['RCPT TO:<support+2@example.test>', '250'],
      ['RCPT TO:<support+3@example.test>', '250'],
      ['RCPT TO:<support+1@example.test>', '250'],
      ['RCPT TO:<support+4@example.test>', '452 4.5.3'],
    ],
  },
  {
    title: 'an address beyond ASCII needs SMTPUTF8',
    steps: [
      [ehlo, '250'],
      ['MAIL FROM:<j\xc3\xbcrgen@sender.test>', '553 5.6.7'],
      [from, '250'],
      ['RCPT TO:<b\xc3\xbccher@example.test>', '553 5.6.7'],
      ['RSET', '250'],
      ['MAIL FROM:<j\xc3\xbcrgen@sender.test> SMTPUTF8', '250'],
      ['RCPT TO:<b\xc3\xbccher@example.test>', '250'],
    ],
  },
  {
    title: 'mx knows no AUTH',
    tls: true,
    steps: [
      [ehlo, '250'],
      ['AUTH PLAIN AAAA', '502 5.5.1'],
    ],
  },
  { title: 'a second STARTTLS is refused', tls: true, steps: [['STARTTLS', '503 5.5.1']] },
  { title: 'STARTTLS takes no parameter', steps: [['STARTTLS now', '501']] },
  {
    title: 'BDAT needs recipients; its octets are not taken for commands',
    steps: [
      ['BDAT 8 LAST\r\nRSET\r\n', '503'],
      [ehlo, '250'],
      [from, '250'],
      ['BDAT 8\r\nQUIT\r\n', '503'],
      ['BDAT x', '501'],
      ['', null],
    ],
  },
  {
    title: 'BINARYMIME needs BDAT',
    steps: [
      [ehlo, '250'],
      [`${from} BODY=BINARYMIME`, '250'],
      [to, '250'],
      ['DATA', '503 5.5.1'],
    ],
  },
  {
    title: 'submission wants TLS, then a password, then mail',
    role: 'submission',
    steps: [
      [ehlo, '250'],
      [from, '530 5.7.0'],
      [`AUTH PLAIN ${plain('app@example.test', 'open sesame')}`, '538 5.7.11'],
    ],
  },
  {
    title: 'submission under TLS wants a password',
    role: 'submission',
    tls: true,
    steps: [
      [ehlo, '250'],
      [from, '530 5.7.0'],
      ['AUTH CRAM-MD5', '504 5.5.4'],
      ['AUTH', '501'],
      ['AUTH PLAIN !!!', '501 5.5.2'],
      ['AUTH PLAIN', '334'],
      ['*', '501 5.7.0'],
      [`AUTH PLAIN ${plain('app@example.test', 'open sesame')}`, '235 2.7.0'],
      ['AUTH PLAIN AAAA', '503 5.5.1'],
      [ehlo, /^(?!.*AUTH)/s],
    ],
  },
  {
    title: 'AUTH LOGIN asks for name and password',
    role: 'submissions',
    steps: [
      [ehlo, '250'],
      ['AUTH LOGIN', '334 VXNlcm5hbWU6'],
      [Buffer.from('app@example.test').toString('base64'), '334 UGFzc3dvcmQ6'],
      [Buffer.from('open sesame').toString('base64'), '235 2.7.0'],
    ],
  },
  {
    title: 'AUTH LOGIN takes the name with the command',
    role: 'submissions',
    steps: [
      [ehlo, '250'],
      [`AUTH LOGIN ${Buffer.from('app@example.test').toString('base64')}`, '334'],
      [Buffer.from('open sesame').toString('base64'), '235'],
    ],
  },
  {
    title: 'wrong passwords and unknown names are told apart by nobody, and the third closes',
    role: 'submissions',
    steps: [
      [ehlo, '250'],
      [`AUTH PLAIN ${plain('app@example.test', 'no')}`, '535 5.7.8'],
      [`AUTH PLAIN ${plain('who@example.test', 'no')}`, '535 5.7.8'],
      [`AUTH PLAIN ${plain('app@example.test', 'no')}`, '421 4.7.0'],
      ['', null],
    ],
  },
  {
    title: 'AUTH before EHLO and within a transaction is refused',
    role: 'submissions',
    isLoggedIn: true,
    steps: [
      [ehlo, '250'],
      ['MAIL FROM:<app@example.test>', '250'],
      ['AUTH PLAIN AAAA', '503 5.5.1'],
    ],
  },
  {
    title: 'a user sends as himself only',
    role: 'submissions',
    isLoggedIn: true,
    steps: [
      ['MAIL FROM:<boss@elsewhere.test>', '553 5.7.1'],
      ['MAIL FROM:<ANY@Example.Test>', '250'],
      ['RCPT TO:<x@elsewhere.test>', '250 2.1.5'],
      ['RCPT TO:<nobody@example.test>', '550 5.1.1'],
      ['RCPT TO:<support@example.test>', '250'],
    ],
  },
  { title: 'a user may bounce', role: 'submissions', isLoggedIn: true, steps: [['MAIL FROM:<>', '250 2.1.0']] },
  {
    title: 'a log-in ends with STARTTLS or the session, not with RSET or EHLO',
    role: 'submissions',
    isLoggedIn: true,
    steps: [
      ['RSET', '250'],
      [ehlo, '250'],
      ['MAIL FROM:<app@example.test>', '250'],
    ],
  },
];

for (const { title, role = 'mx', tls = false, isLoggedIn = false, steps } of dialogues) {
  test(title, async (t) => {
    const client = rawClient(listener.port(role), { tls: role === 'submissions' });
    t.after(client.close);
    assert.match((await client.reply()) ?? '', /^220 /);
    if (tls) {
      assert.equal(await client.say('STARTTLS'), '220 2.0.0 Begin TLS');
      await client.startTls();
    }
    if (isLoggedIn) {
      await client.say(ehlo);
      assert.match(await logIn(client), /^235/);
    }
    for (const [line, expected] of steps) {
      if (expected === null) {
        assert.equal(await client.say(line), '');
        continue;
      }
      const reply = await client.say(line);
      if (typeof expected === 'string') assert.ok(reply.startsWith(expected), `${line} → ${reply}, not ${expected}`);
      else assert.match(reply, expected);
    }
  });
}
